//! What arrives: committed to a sink before WhatsApp is told that we have it (law 7).
//!
//! ```text
//! fields.rs   what each field of a message becomes
//! unwrap.rs   wrappers become flags
//! reading.rs  the rest becomes a type, a text and a content (files, polls, interactive, …)
//! context.rs  what it quotes, whom it mentions
//! message.rs  all of it, with its people, as the sink gets it
//! ```

mod business;
mod calendar;
mod context;
mod fields;
mod files;
mod interactive;
mod invites;
mod message;
mod payments;
mod polls;
mod reading;
mod sealed;
mod texts;
mod unwrap;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use wacore::types::events::InboundMessage as LibraryMessage;
use wacore_binary::Jid;
use whatsapp_rust::{Client, InboundDurabilityHook};

pub use message::{InboundMessage, identity};
pub use sealed::SealedAnswer;

use super::state::Core;

/// Pause before a commit is tried again that WhatsApp would not repeat by itself.
const AGAIN: Duration = Duration::from_millis(250);

/// Where inbound messages are made durable.
#[async_trait]
pub trait InboundSink: Send + Sync {
    /// Makes all of `batch` durable, in its order, or none of it. WhatsApp is told that we have
    /// the messages only after this returned `Ok`.
    ///
    /// After an error, or a crash, the same messages come again: it must be repeatable, by chat,
    /// sender and id. It runs inside the receive pipeline: it must not send on the same link.
    ///
    /// # Errors
    /// When nothing was made durable. The link then reconnects, which brings the messages again.
    async fn commit(&self, batch: &[InboundMessage]) -> Result<(), InboundRefused>;

    /// Whether posts to people's status are wanted.
    fn wants_stories(&self) -> bool {
        false
    }
}

/// A sink could not commit.
#[derive(Debug, thiserror::Error)]
#[error("inbound messages could not be committed: {0}")]
pub struct InboundRefused(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The library's hook: it acknowledges only what this has committed.
pub(super) struct CommitHook {
    pub(super) core: Arc<Core>,
}

/// What the sink gets of a batch.
pub(super) async fn read(client: &Client, batch: &[LibraryMessage]) -> Vec<InboundMessage> {
    let mut messages: Vec<InboundMessage> = batch
        .iter()
        .filter_map(InboundMessage::from_library)
        .collect();
    for message in &mut messages {
        message.name_people(client).await;
    }
    messages
}

impl InboundMessage {
    /// Completes the people of the event whose other name the library knows. A name that can not be
    /// looked up now is left out: it must not keep the message back.
    async fn name_people(&mut self, client: &Client) {
        for person in self.half_named() {
            let Ok(jid) = person.jid.parse::<Jid>() else {
                continue;
            };
            let Ok(Some(entry)) = client.get_lid_pn_entry(&jid).await else {
                continue;
            };
            person.pn = Some(Jid::pn(&*entry.phone_number).to_string());
            person.lid = Some(Jid::lid(&*entry.lid).to_string());
        }
    }
}

/// Commits what the library delivers without asking for a commit first: WhatsApp does not deliver it
/// again. It is tried until it succeeds or the link is over; what is then left of a channel is fetched
/// by the next owner of the session (`channels.rs`), and of what our phone decrypted for us the
/// acknowledgement has not left (`arrivals.rs`).
pub(super) async fn commit_persistently(core: &Core, batch: &[InboundMessage]) -> bool {
    loop {
        let Err(error) = core.inbound.commit(batch).await else {
            return true;
        };
        tracing::warn!(%error, ids = ?ids(batch), "inbound messages are not committed yet");
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = core.closing.cancelled() => return false,
        }
    }
}

fn ids(batch: &[InboundMessage]) -> Vec<&str> {
    batch.iter().map(|message| &*message.id).collect()
}

#[async_trait]
impl InboundDurabilityHook for CommitHook {
    async fn on_messages(
        &self,
        client: Arc<Client>,
        batch: &[LibraryMessage],
    ) -> Result<(), anyhow::Error> {
        if self.core.gap.load(Ordering::Acquire) {
            anyhow::bail!("messages before these are not committed: all of them come again");
        }
        let messages = read(&client, batch).await;
        let committed = if messages.is_empty() {
            Ok(())
        } else {
            self.core.inbound.commit(&messages).await
        };
        match &committed {
            Ok(()) => {
                self.core.ratchets_stepped.store(true, Ordering::Release);
                for message in batch {
                    self.core.arrivals.committed(&message.info);
                }
            }
            Err(error) => {
                tracing::warn!(%error, ids = ?ids(&messages), "inbound messages wait to be sent again");
                // WhatsApp sends again what it has no ack for, but only on a new connection.
                self.core.gap.store(true, Ordering::Release);
                self.core.uncommitted.notify_one();
            }
        }
        Ok(committed?)
    }
}
