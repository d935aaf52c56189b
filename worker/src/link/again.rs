//! Asking a sender for a message again.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _};
use whatsapp_rust::{RetryRequestError, RetryRequestOptions};

use super::Link;

/// Why a sender could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum NotAsked {
    /// That is not where a message comes from.
    #[error("the message has no address")]
    Address,
    /// The request did not leave.
    #[error(transparent)]
    Request(#[from] RetryRequestError),
}

impl Link {
    /// Asks the sender of a message for a copy of it, encrypted anew, by a retry receipt. `chat`
    /// and `sender` are JIDs as the library tells them, the sender's with its device.
    ///
    /// # Errors
    /// See [`NotAsked`].
    pub async fn ask_again(&self, chat: &str, sender: &str, id: &str) -> Result<(), NotAsked> {
        let jid = |text: &str| text.parse::<Jid>().map_err(|_| NotAsked::Address);
        let (chat, sender) = (jid(chat)?, jid(sender)?);
        // The library wants the stanza and reads no more of it than where it came from.
        let stanza = NodeBuilder::new("message")
            .attr("id", id)
            .attr("type", "text")
            .attr("t", self.core.clock.now() / 1_000);
        let stanza = if chat.is_group() {
            stanza.attr("from", chat).attr("participant", sender)
        } else if chat.is_same_user_as(&sender) {
            stanza.attr("from", sender)
        } else {
            // From another device of our own.
            stanza.attr("from", sender).attr("recipient", chat)
        };
        let stanza = stanza.build();
        let options = RetryRequestOptions::new();
        self.client
            .request_message_retry(&stanza.as_node_ref(), options)
            .await?;
        Ok(())
    }
}
