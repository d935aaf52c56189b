//! What is scheduled for soon.

use super::{Lanes, SessionRef};
use crate::clock::Millis;
use crate::domain::{Content, OutboxId};
use crate::redis::RedisFailure;
use crate::redis::keys::{PARTITION, key};

/// Scheduled sends that one call looks at.
const MOST: isize = 50;

impl Lanes {
    /// The contents of the sends that are scheduled for before `until`, at most 50, the first first.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn scheduled_before(
        &self,
        from: &SessionRef,
        until: Millis,
    ) -> Result<Vec<(OutboxId, Content)>, RedisFailure> {
        let root = self.root(&from.organization);
        let scheduled = key(PARTITION, &root, "scheduled", &[from.session.as_str()]);
        let mut connection = self.store.connection.clone();
        let members: Vec<String> = redis::cmd("ZRANGEBYSCORE")
            .arg(scheduled)
            .arg("-inf")
            .arg(until)
            .arg("LIMIT")
            .arg(0)
            .arg(MOST)
            .query_async(&mut connection)
            .await?;
        let ids: Vec<OutboxId> = members
            .iter()
            .filter_map(|member| member[member.find("out_")?..].parse().ok())
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut reads = redis::pipe();
        for id in &ids {
            let entry = key(PARTITION, &root, "outbox", &[id.as_str()]);
            reads.hget(entry, "body");
        }
        let bodies: Vec<Option<String>> = reads.query_async(&mut connection).await?;
        let read = |body: Option<String>| serde_json::from_str(&body?).ok();
        Ok(ids
            .into_iter()
            .zip(bodies)
            .filter_map(|(id, body)| Some((id, read(body)?)))
            .collect())
    }
}
