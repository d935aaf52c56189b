//! Sending one message and learning what became of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use gateway_shared::clock::Millis;
use gateway_shared::domain::{Content, Jid as Chat};
use gateway_shared::lane::ClaimedSend;
use gateway_shared::media::Uploaded;
use tokio::time::error::Elapsed;
use wacore::types::message::AddressingMode;
use wacore_binary::{Jid, JidExt};
use waproto::whatsapp as wa;
use whatsapp_rust::{Freshness, SendOptions};

use super::Link;
use super::acks::Answer;
use super::mentions::named_as_in_chat;
use super::message::{self, Frame, Own};
use super::unwritten::unwritten;

/// How long encrypting and writing may take: it can include asking for a recipient's devices and
/// keys, each with an answer that may take long. A link on which that fails is dropped well
/// before by the missing pongs.
const WRITE_TIMEOUT: Duration = Duration::from_secs(90);

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// WhatsApp's server has the message.
    Acked {
        /// When we learned it.
        at: Millis,
    },
    /// WhatsApp's server refused it.
    Nacked {
        /// Its code; 0 where it was no number.
        code: u16,
    },
    /// It was written, or may have been, and nobody answered. The server may have it or not:
    /// trying again with the same id is right in both cases.
    Unacked(Silence),
    /// It was written for our own devices only: none of the recipient's could be encrypted for.
    Unreached,
    /// It was not written.
    NotSent(NotSent),
}

impl SendOutcome {
    /// Its name in log lines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Acked { .. } => "acked",
            Self::Nacked { .. } => "nacked",
            Self::Unacked(_) => "unacked",
            Self::Unreached => "unreached",
            Self::NotSent(_) => "not_sent",
        }
    }
}

/// Why nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The link seems to live, and the answer did not come in time.
    Timeout,
    /// The link went down first.
    LinkLost,
}

/// Why a message was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSent {
    /// There is no connection.
    NotConnected,
    /// The number is not on WhatsApp.
    NotRegistered,
    /// Nothing can be built from what is asked.
    Invalid(String),
    /// It revokes somebody else's message in a group, and the account is no admin of it.
    NoAdmin,
    /// A query that the message depends on was refused.
    Refused {
        /// WhatsApp's code.
        code: u16,
        /// How many seconds WhatsApp asked to wait.
        wait: Option<u32>,
    },
    /// Something failed on the way: a query without an answer, encryption, the key store.
    Failed(String),
}

impl Link {
    /// Sends what was claimed under its pinned id and waits for WhatsApp's answer, at most
    /// [`LinkConfig::ack_timeout`](super::LinkConfig::ack_timeout) after it was written. A
    /// receipt from the recipient counts as an answer. Dropping the future gives up waiting;
    /// the message may have left.
    pub async fn send(&self, send: &ClaimedSend) -> SendOutcome {
        self.send_with(send, &[], 0).await
    }

    /// As [`send`](Self::send), a message about files that were uploaded before, in a chat whose
    /// messages disappear after so many seconds (0 = they stay).
    pub async fn send_with(
        &self,
        send: &ClaimedSend,
        uploads: &[Uploaded],
        disappears_after: u32,
    ) -> SendOutcome {
        let content = match &send.content {
            Ok(content) => content,
            Err(problem) => return SendOutcome::NotSent(NotSent::Invalid(problem.clone())),
        };
        if self.lacks_the_rank(content, &send.to).await {
            return SendOutcome::NotSent(NotSent::NoAdmin);
        }
        let own = self.own(content, &send.to).await;
        let renamed;
        let content = if send.to.is_group() && !content.mentions().is_empty() {
            renamed = named_as_in_chat(&self.client, content, own.by_lid).await;
            &renamed
        } else {
            content
        };
        let frame = Frame {
            chat: &send.to,
            id: &send.wa_message_id,
            at: send.created_at,
            own: &own,
            uploads,
        };
        let mut message = match message::build(content, frame) {
            Ok(message) => message,
            Err(error) => return SendOutcome::NotSent(NotSent::Invalid(error.to_string())),
        };
        let mut parts = Vec::new();
        if let Content::Album { items, context } = content {
            for (index, item) in items.iter().enumerate() {
                match message::part(item, index, context, frame) {
                    Ok(part) => parts.push((item.id.as_str(), part)),
                    Err(error) => return SendOutcome::NotSent(NotSent::Invalid(error.to_string())),
                }
            }
        }
        if content.context().is_some() {
            message::disappear_after(&mut message, disappears_after);
            for (_, part) in &mut parts {
                message::disappear_after(part, disappears_after);
            }
        }
        let to = match self.recipient(&send.to).await {
            Ok(to) => to,
            Err(not_sent) => return SendOutcome::NotSent(not_sent),
        };
        // What failed before may have failed for a stale view of the recipient.
        let fresh = send.attempt > 1;
        let begun = self
            .transmit(&to, message, &send.wa_message_id, fresh)
            .await;
        self.follow(&to, parts, begun).await
    }

    /// Sends the messages that follow the first one, each after WhatsApp has the one before it, and
    /// gives what became of the last that was sent. What fails is sent again from the first one on:
    /// each has its pinned id, so a repeat is the same message.
    async fn follow(
        &self,
        to: &str,
        parts: Vec<(&str, wa::Message)>,
        mut outcome: SendOutcome,
    ) -> SendOutcome {
        for (id, part) in parts {
            if !matches!(outcome, SendOutcome::Acked { .. }) {
                return outcome;
            }
            outcome = match self.transmit(to, part, id, false).await {
                // The first one has left: nobody can say that nothing did.
                SendOutcome::NotSent(NotSent::NotConnected) => {
                    SendOutcome::Unacked(Silence::LinkLost)
                }
                SendOutcome::NotSent(NotSent::Failed(_)) => SendOutcome::Unacked(Silence::Timeout),
                outcome => outcome,
            };
        }
        outcome
    }

    /// Whether it is known that WhatsApp will refuse this, for the account is no admin of the group.
    /// Where that can not be learnt, WhatsApp decides.
    async fn lacks_the_rank(&self, content: &Content, chat: &Chat) -> bool {
        match content {
            Content::Revoke { target } if !target.is_own() => {
                self.is_admin(chat).await == Some(false)
            }
            _ => false,
        }
    }

    /// Where a message to a chat goes: to the chat, or to the account that has a number which is
    /// written in two ways. Asks WhatsApp about numbers that nobody wrote to; where it does not
    /// answer, the message is sent as it is.
    async fn recipient(&self, chat: &Chat) -> Result<String, NotSent> {
        let as_it_is = || Ok(chat.as_str().to_owned());
        if !self.check_recipients || !self.core.is_connected() {
            return as_it_is();
        }
        let Ok(jid) = chat.as_str().parse::<Jid>() else {
            return as_it_is();
        };
        let own = self.client.pn().is_some_and(|own| own.user == jid.user);
        if !jid.is_pn() || own || self.is_acquainted(&jid).await {
            return as_it_is();
        }
        match self.registered(chat.user()).await {
            Ok(Some(account)) => Ok(account.number.as_str().to_owned()),
            Ok(None) => Err(NotSent::NotRegistered),
            Err(error) => {
                tracing::debug!(%error, "a number is written to without having been looked up");
                as_it_is()
            }
        }
    }

    /// The names of the account, and by which of them the chat knows it where that matters.
    async fn own(&self, content: &Content, chat: &Chat) -> Own {
        let own = Own {
            number: self.client.pn().map(|jid| jid.to_non_ad_string()),
            lid: self.client.lid().map(|jid| jid.to_non_ad_string()),
            by_lid: true,
        };
        let names_people = message::names_its_sender(content) || !content.mentions().is_empty();
        if !names_people || !self.core.is_connected() {
            return own;
        }
        let by_lid = match chat.as_str().parse::<Jid>() {
            Ok(jid) if jid.is_group() => {
                // Sending asks for the same group: where this fails, that does too.
                let group = self.client.groups().query_info(&jid).await;
                group.is_ok_and(|group| group.addressing_mode == AddressingMode::Lid)
            }
            Ok(jid) if jid.is_lid() => true,
            _ => self.client.is_lid_migrated().await,
        };
        Own { by_lid, ..own }
    }

    /// Sends a message that was built elsewhere, as [`send`](Self::send) does. `fresh` asks for
    /// the group and the recipients' devices anew instead of trusting what is remembered.
    pub async fn transmit(
        &self,
        to: &str,
        message: wa::Message,
        id: &str,
        fresh: bool,
    ) -> SendOutcome {
        if !self.core.is_connected() {
            return SendOutcome::NotSent(NotSent::NotConnected);
        }
        let Ok(to) = to.parse::<Jid>() else {
            return SendOutcome::NotSent(NotSent::Invalid("the recipient is no address".into()));
        };
        let mut options = SendOptions::default().with_message_id(id);
        if fresh {
            options = options
                .with_group_metadata_freshness(Freshness::Refresh)
                .with_device_freshness(Freshness::Refresh);
        }

        if !self.write_ratchets().await {
            return SendOutcome::NotSent(NotSent::NotConnected);
        }
        let direct = to.is_pn() || to.is_lid();
        let written = direct.then(|| self.watch_devices(id));
        let mut pending = self.core.acks.expect(id);
        let write = self.client.send_message_with_options(to, message, options);
        match self.written(write).await {
            Ok(Ok(_)) => {
                let stanza = written.and_then(|written| written.now_or_never().flatten());
                if stanza.is_some_and(|stanza| !self.reached_somebody(&stanza)) {
                    return SendOutcome::Unreached;
                }
            }
            Ok(Err(error)) => return unwritten(&error),
            Err(_) => return self.unanswered(),
        }
        match tokio::time::timeout(self.ack_timeout, pending.answered()).await {
            Ok(Answer::Acked) => SendOutcome::Acked {
                at: self.core.clock.now(),
            },
            Ok(Answer::Nacked(code)) => SendOutcome::Nacked { code },
            Ok(Answer::LinkLost) => SendOutcome::Unacked(Silence::LinkLost),
            Err(_) => self.unanswered(),
        }
    }

    /// Writes what received messages have stepped, before anything is encrypted on top of it. The
    /// library writes it 25 ms later, and takes the first messages of a chain that a received one has
    /// begun for covered by that: if this worker died in between, the next owner could decrypt nothing
    /// that answers them, and it would come late, behind what was written after it.
    async fn write_ratchets(&self) -> bool {
        if !self.core.ratchets_stepped.swap(false, Ordering::AcqRel) {
            return true;
        }
        // Of no session: what is left of it is the write.
        let written = self.client.signal().delete_sessions(&[]).await;
        if let Err(error) = &written {
            tracing::debug!(%error, "ratchets are not written yet");
            self.core.ratchets_stepped.store(true, Ordering::Release);
        }
        written.is_ok()
    }

    /// Waits for a write. One that takes as long as an ack may take is most likely waiting for an
    /// answer to a query, which says as much about the link as a missing ack.
    async fn written<T>(&self, write: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::pin!(write);
        if let Ok(written) = tokio::time::timeout(self.ack_timeout, &mut write).await {
            return Ok(written);
        }
        self.core.unanswered();
        tokio::time::timeout(WRITE_TIMEOUT, write).await
    }

    fn unanswered(&self) -> SendOutcome {
        self.core.unanswered();
        SendOutcome::Unacked(Silence::Timeout)
    }
}
