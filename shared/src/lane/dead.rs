//! Dead letters: sends that failed for good.

use super::{Lanes, OutboxEntry, OutboxFilter, SessionRef};
use crate::domain::SendStatus;
use crate::redis::RedisFailure;

impl Lanes {
    /// The dead letters of a session, the latest first, after the one that a page before ended with
    /// (empty = from the beginning), and the cursor to go on with (empty = there are no more).
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn dead_letters(
        &self,
        of: &SessionRef,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<OutboxEntry>, String), RedisFailure> {
        let filter = OutboxFilter {
            status: Some(SendStatus::Failed),
            cursor: after.to_owned(),
            limit,
            ..OutboxFilter::default()
        };
        self.list(of, &filter).await
    }
}
