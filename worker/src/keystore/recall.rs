//! Messages that come again although nothing is kept of them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{KeystoreError, RedisKeystore};

/// Somebody who knows whether an inbound message was told.
///
/// whatsapp-rust takes a message that its ratchet has passed for a duplicate, and acknowledges it
/// where no pending row is kept of it. Both are also true of a message that was decrypted by a
/// worker that died, or lost the session, after the ratchet's step was stored and before the row
/// was: nobody was told of it, and an acknowledgement would lose it (law 7).
#[async_trait]
pub trait Recall: fmt::Debug + Send + Sync {
    /// Makes sure that the message may be acknowledged, since it was told. Called in the middle of
    /// the library's work on the message: it must not send on the same link and wait for it.
    ///
    /// # Errors
    /// When it was not, or that is not known. The message stays without an acknowledgement, and
    /// comes again.
    async fn settle(&self, chat: &str, sender: &str, id: &str) -> Result<(), Unsettled>;
}

/// A message was not told, or it is not known whether it was.
#[derive(Debug, Clone, thiserror::Error)]
#[error("an inbound message is not settled: {0}")]
pub struct Unsettled(#[source] pub Arc<dyn std::error::Error + Send + Sync>);

impl RedisKeystore {
    /// The same handle, which asks `recall` about messages that come again.
    #[must_use]
    pub fn recalling(mut self, recall: Arc<dyn Recall>) -> Self {
        self.recall = Some(recall);
        self
    }

    /// A message that was decrypted before has come again, and no row of it is pending.
    pub(super) async fn settle(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
    ) -> Result<(), KeystoreError> {
        match &self.recall {
            Some(recall) => Ok(recall.settle(chat, sender, id).await?),
            None => Ok(()),
        }
    }
}
