//! What people see of us beside messages: that we read, that we type.

use wacore_binary::Jid;

use super::{Link, WaAddress};

/// People could not be shown something. It matters little: nothing depends on it.
#[derive(Debug, thiserror::Error)]
#[error("WhatsApp could not be told: {0}")]
pub struct Unshown(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Unshown {
    pub(super) fn new(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self(error)
    }
}

impl Link {
    /// Shows the author of messages that they were read, where the account's privacy settings let
    /// WhatsApp show it.
    ///
    /// # Errors
    /// When it did not leave.
    pub async fn mark_read(
        &self,
        chat: &WaAddress,
        author: &WaAddress,
        ids: &[&str],
    ) -> Result<(), Unshown> {
        let (chat_jid, author) = (jid(chat.as_str())?, jid(author.as_str())?);
        // In a group, and in a broadcast list, the chat does not say who wrote.
        let author = (chat.is_group() || chat.is_broadcast()).then_some(&author);
        let marked = self.client.mark_as_read(&chat_jid, author, ids).await;
        marked.map_err(|error| Unshown(error.into()))
    }
}

pub(super) fn jid(text: &str) -> Result<Jid, Unshown> {
    text.parse()
        .map_err(|_| Unshown("that is no address".into()))
}
