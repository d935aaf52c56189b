//! Message secrets, with which replies to a message (votes, reactions, edits) are decrypted.

use async_trait::async_trait;
use wacore::store::error::Result;
use wacore::store::traits::{MsgSecretEntry, MsgSecretStore};

use super::write::{COSTLY_ROWS, seconds};
use super::{RedisKeystore, codec, keys};

#[async_trait]
impl MsgSecretStore for RedisKeystore {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        for rows in entries.chunks(COSTLY_ROWS) {
            let mut write = self
                .write()
                .op("secret", &[keys::SECRET, keys::SECRET_DEADLINE]);
            for entry in rows {
                let field = keys::field(&[&entry.chat, &entry.sender, &entry.msg_id]);
                let sealed = self.seal(keys::SECRET, &field, &entry.secret)?;
                write = write
                    .own(field)
                    .own(sealed)
                    .number(seconds(entry.expires_at))
                    .number(seconds(entry.message_ts));
            }
            write.run().await?;
        }
        Ok(entries.len())
    }

    async fn get_msg_secret(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<Vec<u8>>> {
        let found = self.get_msg_secret_with_ts(chat, sender, msg_id).await?;
        Ok(found.map(|(secret, _)| secret))
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<(Vec<u8>, i64)>> {
        let field = keys::field(&[chat, sender, msg_id]);
        let stored = self.field(keys::SECRET, &field).await?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let (sealed, time) = codec::decode_secret(&stored)?;
        let secret = self.unseal(keys::SECRET, &field, sealed)?;
        Ok(Some((secret, time)))
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Result<u32> {
        let highest = seconds(cutoff_timestamp).to_string();
        let families = [keys::SECRET, keys::SECRET_DEADLINE];
        Ok(self.expire_indexed(families, &highest).await?)
    }
}
