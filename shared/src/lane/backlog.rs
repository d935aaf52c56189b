//! How many sends of an organization wait.

use redis::AsyncCommands;

use super::Lanes;
use crate::domain::OrganizationId;
use crate::redis::RedisFailure;
use crate::redis::keys::{PARTITION, key};

/// Sessions asked about in one packet.
const PACKET: usize = 1_000;

impl Lanes {
    /// How many sends wait in all sessions of an organization together, the scheduled ones included.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn waiting(&self, organization: &OrganizationId) -> Result<u64, RedisFailure> {
        let root = self.root(organization);
        let mut connection = self.store.connection.clone();
        let sessions: Vec<String> = connection
            .smembers(key(PARTITION, &root, "sessions", &[]))
            .await?;
        let mut waiting: u64 = 0;
        for some in sessions.chunks(PACKET) {
            let mut packet = redis::pipe();
            for session in some {
                packet.hget(key(PARTITION, &root, "lane", &[session]), "depth");
            }
            let depths: Vec<Option<u64>> = packet.query_async(&mut connection).await?;
            waiting += depths.into_iter().flatten().sum::<u64>();
        }
        Ok(waiting)
    }
}
