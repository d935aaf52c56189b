//! Finding a send by what people have of it.

use redis::AsyncCommands;

use super::{Lanes, SessionRef};
use crate::domain::OutboxId;
use crate::redis::RedisFailure;
use crate::redis::keys::{PARTITION, key};

impl Lanes {
    /// The send of a session that carries this WhatsApp message id.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn by_message_id(
        &self,
        of: &SessionRef,
        wa_message_id: &str,
    ) -> Result<Option<OutboxId>, RedisFailure> {
        let root = self.root(&of.organization);
        let index = key(PARTITION, &root, "by_wa_id", &[of.session.as_str()]);
        let found: Option<String> = self
            .store
            .connection
            .clone()
            .hget(index, wa_message_id)
            .await?;
        Ok(found.and_then(|id| id.parse().ok()))
    }
}
