//! Acceptance of many sends at once.

use redis::Value;

use super::Lanes;
use super::accept::{EnqueueOutcome, EnqueueRequest, arguments, parse};
use crate::clock::Millis;
use crate::domain::OrganizationId;
use crate::redis::{RedisFailure, unexpected};

impl Lanes {
    /// Accepts sends of one organization, in their order and in one atomic step: nothing of anybody
    /// else comes between them, and either all outcomes hold or, where Redis does not answer, it is
    /// as after [`accept`](Self::accept). Each send is decided by itself: one that is refused does
    /// not hold up the others. A thousand of them keep Redis busy for some tens of milliseconds.
    ///
    /// # Errors
    /// When Redis does not answer; the sends may then have been accepted.
    pub async fn accept_all(
        &self,
        now: Millis,
        organization: &OrganizationId,
        acceptances: &[EnqueueRequest],
    ) -> Result<Vec<EnqueueOutcome>, RedisFailure> {
        if acceptances.is_empty() {
            return Ok(Vec::new());
        }
        let root = self.root(organization);
        let mut call = self.scripts.accept_all.on(&root);
        call.arg(now);
        for request in acceptances {
            arguments(&mut call, now, &self.retention, request)?;
        }
        let replies: Vec<Vec<Value>> = self.run_durably(&call).await?;
        let parsed: Option<Vec<EnqueueOutcome>> =
            replies.iter().map(|reply| parse(reply)).collect();
        let outcomes = parsed
            .filter(|parsed| parsed.len() == acceptances.len())
            .ok_or_else(|| unexpected("accept_all.lua"))?;
        for outcome in &outcomes {
            self.count(outcome);
        }
        Ok(outcomes)
    }
}
