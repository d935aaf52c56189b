//! Replays: what an idempotency key was used for.

use redis::Value;

use super::accept::{parse, waiter};
use super::{EnqueueOutcome, IdempotencyKey, Lanes};
use crate::domain::{InstanceId, OrganizationId};
use crate::redis::{RedisFailure, unexpected};

impl Lanes {
    /// What became of the first use of a key: [`EnqueueOutcome::Replayed`], or
    /// [`EnqueueOutcome::KeyReused`] where that was another request; `None` where the key is unused,
    /// or what it was used for is no longer kept. `waits` is told how the original ends.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn replay(
        &self,
        organization: &OrganizationId,
        key: &IdempotencyKey,
        waits: Option<&(InstanceId, String)>,
    ) -> Result<Option<EnqueueOutcome>, RedisFailure> {
        let root = self.root(organization);
        let mut call = self.scripts.replay.on(&root);
        call.arg(&key.hash)
            .arg(&key.fingerprint)
            .arg(waits.map_or_else(String::new, waiter));
        let reply: Vec<Value> = self.run(&call).await?;
        if reply.len() == 1 {
            return Ok(None);
        }
        parse(&reply)
            .map(Some)
            .ok_or_else(|| unexpected("replay.lua"))
    }
}
