//! From the library's events to facts and to those who wait for acknowledgements.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gateway_shared::clock::Millis;
use gateway_shared::events::inbound::{Address, UndecryptablePayload};
use gateway_shared::lane::ReceiptStatus;
use wacore::types::events::{
    ConnectFailureReason, DecryptFailMode, Event, EventHandler, EventInterest, EventKind,
    InboundMessage as LibraryMessage, Receipt, ServerAck, UndecryptableMessage,
};
use wacore::types::presence::ReceiptType;
use wacore_binary::{JidExt as _, NodeRef};

use super::acks::Answer;
use super::calls::CallFact;
use super::channels::Late;
use super::state::Core;
use super::{Fact, GroupNotice, LinkEnd, ReceiptFact, Undecrypted, WaAddress};

impl Core {
    fn acknowledged(&self, ack: &ServerAck) {
        // Acks of our own receipts arrive under the same event and carry the peer's message ids.
        if ack.class.as_deref() != Some("message") {
            return;
        }
        self.received();
        let answer = match &ack.error {
            None => {
                self.last_ack.store(self.clock.now(), Ordering::Relaxed);
                Answer::Acked
            }
            // A code that is no number refuses all the same.
            Some(code) => Answer::Nacked(code.parse().unwrap_or(0)),
        };
        self.acks.answer(&ack.id, answer);
    }

    fn receipt(&self, receipt: &Receipt) {
        let Some(status) = receipt_status(&receipt.r#type) else {
            return;
        };
        // Whoever has the message got it from the server, so the server has it.
        for id in &receipt.message_ids {
            self.acks.answer(id, Answer::Acked);
        }
        self.received();
        self.tell(Fact::Receipt(ReceiptFact {
            status,
            at: receipt.timestamp.timestamp_millis(),
            chat: WaAddress::from(&receipt.source.chat),
            sender: WaAddress::from(&receipt.source.sender),
            sender_alt: receipt.source.sender_alt.as_ref().map(WaAddress::from),
            message_ids: receipt.message_ids.clone(),
        }));
    }

    /// Messages that the library acknowledges without asking whether they are committed.
    fn bypassed(&self, batch: &Arc<[LibraryMessage]>) {
        let posts = batch
            .iter()
            .all(|message| message.info.source.chat.is_newsletter());
        if posts {
            return self.commit_later(Late::Posts(batch.to_vec()));
        }
        // What our phone decrypted for us: its answer is acknowledged after this, so nothing is
        // written until the message is committed.
        let ticket = self.received.hold();
        self.commit_later(Late::Recovered(batch.to_vec(), ticket));
    }

    fn undecryptable(&self, message: &UndecryptableMessage) {
        let info = &message.info;
        self.arrivals.committed(info);
        let unwanted = info.source.chat.is_status_broadcast() && !self.inbound.wants_stories();
        if unwanted || message.decrypt_fail_mode == DecryptFailMode::Hide {
            return;
        }
        self.tell(Fact::Undecryptable(Box::new(unread(message))));
    }

    fn final_fact(&self, fact: Fact, end: LinkEnd) {
        self.lost();
        self.tell(fact);
        self.note_end(end);
    }
}

/// A message that could not be read, as it is told.
fn unread(message: &UndecryptableMessage) -> UndecryptablePayload {
    let info = &message.info;
    let source = &info.source;
    let chat = WaAddress::from(&source.chat);
    let sender = WaAddress::from(&source.sender);
    let alt = source.sender_alt.as_ref().map(WaAddress::from);
    let alt = alt.as_ref().map(WaAddress::as_str);
    let direct = !source.is_group && !source.is_from_me;
    let reason = if message.is_unavailable {
        message.unavailable_type.as_str()
    } else {
        "undecryptable"
    };
    UndecryptablePayload {
        wa_message_id: info.id.clone(),
        chat_jid: chat.to_string(),
        chat: Address::new(chat.as_str(), alt.filter(|_| direct)),
        sender_jid: sender.to_string(),
        sender: Address::new(sender.as_str(), alt),
        from_me: source.is_from_me,
        push_name: info.push_name.clone(),
        reason: reason.to_owned(),
        timestamp: info.timestamp.timestamp_millis(),
        offline: info.is_offline,
    }
}

/// What a receipt says of our message; nothing for those between our own devices and the server.
///
/// `inactive` comes from a device whose app is not in the foreground. It has the message, which
/// is what *delivered* promises.
fn receipt_status(kind: &ReceiptType) -> Option<ReceiptStatus> {
    match kind {
        ReceiptType::Delivered | ReceiptType::Inactive => Some(ReceiptStatus::Delivered),
        ReceiptType::Read => Some(ReceiptStatus::Read),
        ReceiptType::Played => Some(ReceiptStatus::Played),
        _ => None,
    }
}

fn logout_reason(reason: ConnectFailureReason) -> String {
    match reason {
        ConnectFailureReason::LoggedOut => "logged_out".into(),
        ConnectFailureReason::UnknownLogout => "unknown_logout".into(),
        other => format!("code_{}", other.code()),
    }
}

/// When WhatsApp says that it stops serving this version of the client, if the stanza says so. The
/// library has no event for it.
fn client_expiration(node: &NodeRef<'_>) -> Option<Millis> {
    if node.tag != "ib" {
        return None;
    }
    let expiration = node.get_optional_child("client_expiration")?;
    let seconds: Millis = expiration.get_attr("t")?.as_str().parse().ok()?;
    (seconds >= 0).then(|| seconds.saturating_mul(1_000))
}

impl EventHandler for Core {
    fn handle_event(&self, event: Arc<Event>) {
        match &*event {
            Event::ServerAck(ack) => self.acknowledged(ack),
            Event::Receipt(receipt) => self.receipt(receipt),
            Event::RawNode(node) => {
                self.arrivals
                    .arrived(node.get(), self.inbound.wants_stories());
                if let Some(at) = client_expiration(node.get()) {
                    self.tell(Fact::ClientExpires { at });
                }
            }
            // Channels, and messages that our phone decrypted for us, pass the hook by.
            Event::Messages(batch) if !batch.hook_committed => self.bypassed(&batch.messages),
            Event::UndecryptableMessage(message) => {
                self.undecryptable(message);
                let message = Undecrypted::from_library(message);
                self.tell(Fact::Undecrypted(Box::new(message)));
            }
            Event::IncomingCall(call) => {
                if let Some(call) = CallFact::of(call) {
                    self.tell(Fact::Call(Box::new(call)));
                }
            }
            Event::MissedCall(call) => self.tell(Fact::Call(Box::new(CallFact::missed(call)))),
            Event::CallEndedElsewhere(call) => {
                self.tell(Fact::Call(Box::new(CallFact::elsewhere(call))));
            }
            Event::Connected(_) => {
                let client = self.client();
                self.received();
                self.failed_dials.store(0, Ordering::Relaxed);
                self.connected.send_replace(true);
                self.commit_later(Late::Connected);
                self.restore_presence();
                self.tell(Fact::Connected {
                    jid: client
                        .as_ref()
                        .and_then(|client| client.pn())
                        .map(|jid| WaAddress::from(&jid)),
                    lid: client
                        .and_then(|client| client.lid())
                        .map(|jid| WaAddress::from(&jid)),
                });
            }
            Event::Disconnected(gone) => {
                self.lost();
                self.tell(Fact::Disconnected {
                    reason: gone.reason.to_string(),
                });
            }
            Event::PairingQrCode(qr) => self.tell(Fact::QrCode {
                code: qr.code.clone(),
                expires_at: self.after(qr.timeout),
            }),
            Event::PairingCode(pairing) => self.tell(Fact::PairingCode {
                code: pairing.code.clone(),
                expires_at: self.after(pairing.timeout),
            }),
            Event::PairingCodeRefresh(_) => self.tell(Fact::PairingCodeVoid { error: None }),
            Event::PairingCodeError(failed) => self.tell(Fact::PairingCodeVoid {
                error: Some(failed.error.clone()),
            }),
            Event::PairingQrCodesExhausted(used_up) => {
                if used_up.disconnected {
                    self.note_end(LinkEnd::QrExhausted);
                }
                self.tell(Fact::QrExhausted);
            }
            Event::PairSuccess(paired) => self.tell(Fact::Paired {
                jid: WaAddress::from(&paired.id),
                lid: WaAddress::from(&paired.lid),
            }),
            Event::PairError(failed) => self.tell(Fact::PairError {
                reason: failed.error.clone(),
            }),
            Event::LoggedOut(out) if out.reason == ConnectFailureReason::AccountLocked => {
                self.final_fact(Fact::AccountLocked, LinkEnd::Locked);
            }
            Event::LoggedOut(out) => self.final_fact(
                Fact::LoggedOut {
                    reason: logout_reason(out.reason),
                    on_connect: out.on_connect,
                },
                LinkEnd::LoggedOut,
            ),
            Event::StreamReplaced(_) => self.final_fact(Fact::Replaced, LinkEnd::Replaced),
            Event::TemporaryBan(ban) => self.final_fact(
                Fact::TemporaryBan {
                    code: ban.code.code(),
                    until: self
                        .clock
                        .now()
                        .saturating_add(ban.expire.num_milliseconds()),
                    reason: ban.code.to_string(),
                },
                LinkEnd::Banned,
            ),
            Event::ClientOutdated(_) => self.final_fact(Fact::ClientOutdated, LinkEnd::Outdated),
            Event::ConnectFailure(refused) => {
                let fact = Fact::ConnectFailure {
                    code: refused.reason.code(),
                    message: refused.message.clone(),
                };
                if refused.reason.should_reconnect() {
                    self.tell(fact);
                } else {
                    self.final_fact(fact, LinkEnd::Refused);
                }
            }
            Event::PairPasskeyRequest(asked) => self.tell(Fact::PasskeyRequest {
                options: asked.request_options_json.clone(),
            }),
            Event::PairPasskeyConfirmation(shown) => self.tell(Fact::PasskeyCode {
                code: shown.code.clone(),
                known: shown.skip_handoff_ux,
            }),
            Event::PairPasskeyError(failed) => self.tell(Fact::PasskeyFailed {
                reason: failed.error.clone(),
            }),
            Event::SelfPushNameUpdated(_) => self.restore_presence_after_it_is_shown(),
            // The library looks at notifications side by side: those that come together are told in
            // any order.
            Event::GroupUpdate(update) => {
                self.tell(Fact::Group(Box::new(GroupNotice::from_library(update))));
            }
            _ => {}
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[
            EventKind::ServerAck,
            EventKind::Receipt,
            EventKind::Messages,
            EventKind::Connected,
            EventKind::Disconnected,
            EventKind::PairingQrCode,
            EventKind::PairingCode,
            EventKind::PairingCodeRefresh,
            EventKind::PairingCodeError,
            EventKind::PairingQrCodesExhausted,
            EventKind::PairSuccess,
            EventKind::PairError,
            EventKind::LoggedOut,
            EventKind::StreamReplaced,
            EventKind::TemporaryBan,
            EventKind::ClientOutdated,
            EventKind::ConnectFailure,
            EventKind::GroupUpdate,
            EventKind::RawNode,
            EventKind::PairPasskeyRequest,
            EventKind::PairPasskeyConfirmation,
            EventKind::PairPasskeyError,
            EventKind::UndecryptableMessage,
            EventKind::IncomingCall,
            EventKind::MissedCall,
            EventKind::CallEndedElsewhere,
            EventKind::SelfPushNameUpdated,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::transport::DialObserver;
    use crate::link::{ChannelPlaces, InboundMessage, InboundRefused, InboundSink};
    use std::collections::HashMap;

    use async_trait::async_trait;
    use gateway_shared::clock::ManualClock;
    use tokio::sync::mpsc;

    fn core() -> (Core, mpsc::UnboundedReceiver<Fact>) {
        struct Nowhere;
        #[async_trait]
        impl InboundSink for Nowhere {
            async fn commit(&self, _batch: &[InboundMessage]) -> Result<(), InboundRefused> {
                Ok(())
            }
        }
        let (facts, emitted) = mpsc::unbounded_channel();
        #[async_trait]
        impl ChannelPlaces for Nowhere {
            async fn channels(&self) -> Option<HashMap<String, u64>> {
                None
            }
            async fn follow(&self, _channel: &str, _server_id: u64) {}
        }
        let clock = Arc::new(ManualClock::at(1_000));
        (
            Core::new(clock, facts, Arc::new(Nowhere), Arc::new(Nowhere), 2),
            emitted,
        )
    }

    fn ack(class: &str, id: &str, error: Option<&str>) -> Arc<Event> {
        Arc::new(Event::ServerAck(
            ServerAck::builder()
                .id(id.into())
                .class(class.into())
                .maybe_error(error.map(Into::into))
                .build(),
        ))
    }

    fn receipt(kind: ReceiptType, ids: &[&str]) -> Arc<Event> {
        let source = wacore::types::message::MessageSource {
            chat: "15550000002:3@s.whatsapp.net".parse().unwrap(),
            sender: "15550000002:3@s.whatsapp.net".parse().unwrap(),
            ..Default::default()
        };
        let at = wacore::time::from_secs(7).unwrap();
        Arc::new(Event::Receipt(
            Receipt::builder()
                .source(source)
                .message_ids(ids.iter().map(|id| (*id).into()).collect())
                .timestamp(at)
                .r#type(kind)
                .offline(false)
                .build(),
        ))
    }

    #[tokio::test]
    async fn only_acks_of_messages_answer() {
        let (core, _told) = core();
        let mut pending = core.acks.expect("A");
        core.handle_event(ack("receipt", "A", None));
        assert_eq!(core.acks.len(), 1);
        core.handle_event(ack("message", "A", Some("479")));
        assert_eq!(pending.answered().await, Answer::Nacked(479));
    }

    #[tokio::test]
    async fn a_receipt_is_an_acknowledgement_and_a_fact_without_devices() {
        let (core, mut emitted) = core();
        let mut pending = core.acks.expect("B");
        core.handle_event(receipt(ReceiptType::Inactive, &["A", "B"]));
        assert_eq!(pending.answered().await, Answer::Acked);
        let Some(Fact::Receipt(fact)) = emitted.recv().await else {
            panic!("no receipt");
        };
        assert_eq!(fact.status, ReceiptStatus::Delivered);
        assert_eq!(fact.at, 7_000);
        assert_eq!(fact.chat.as_str(), "15550000002@s.whatsapp.net");
        assert_eq!(fact.sender, fact.chat);
        assert_eq!(fact.message_ids, ["A", "B"]);
    }

    #[test]
    fn receipts_between_our_own_devices_are_nobody_s_business() {
        let (core, mut emitted) = core();
        for kind in [
            ReceiptType::Sender,
            ReceiptType::ReadSelf,
            ReceiptType::Sent,
            ReceiptType::PeerMsg,
        ] {
            core.handle_event(receipt(kind, &["A"]));
        }
        assert!(emitted.try_recv().is_err());
    }

    #[tokio::test]
    async fn enough_silence_means_a_dead_link() {
        let (core, _told) = core();
        core.connected.send_replace(true);
        core.unanswered();
        core.received();
        core.unanswered();
        let dead = core.dead.notified();
        tokio::pin!(dead);
        assert!(!dead.as_mut().enable(), "one in a row is not enough");
        core.unanswered();
        dead.await;
    }

    #[tokio::test]
    async fn a_lost_link_answers_its_waiters_after_it_counts_as_lost() {
        let (core, _told) = core();
        core.connected.send_replace(true);
        let mut pending = core.acks.expect("A");
        core.dialing();
        assert_eq!(pending.answered().await, Answer::LinkLost);
        assert!(!core.is_connected());
    }
}
