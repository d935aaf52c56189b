//! Dead letters: sends that failed for good.

use super::{Lanes, OutboxEntry, OutboxFilter, SessionRef};
use redis::AsyncCommands;

use crate::domain::{OutboxId, SendStatus};
use crate::redis::RedisFailure;
use crate::redis::keys::{PARTITION, key};

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

    /// Takes a send off the list of dead letters, where its record stays until its retention ends; false
    /// where it is not on it.
    ///
    /// # Errors
    /// When Redis does not answer; asking again is harmless.
    pub async fn discard(&self, of: &SessionRef, id: &OutboxId) -> Result<bool, RedisFailure> {
        let dead = key(
            PARTITION,
            &self.root(&of.organization),
            "dead",
            &[of.session.as_str()],
        );
        let mut connection = self.store.connection.clone();
        let removed: u64 = connection.zrem(dead, id.as_str()).await?;
        Ok(removed > 0)
    }
}
