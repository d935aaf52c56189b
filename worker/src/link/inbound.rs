//! What arrives: committed to a sink before WhatsApp is told that we have it (law 7).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_shared::clock::Millis;
use serde::Serialize;
use wacore::types::events::InboundMessage as LibraryMessage;
use wacore::types::message::EditAttribute;
use waproto::whatsapp as wa;
use whatsapp_rust::{Client, InboundDurabilityHook};

use super::content::{self, InboundContent};
use super::kind::read;
use super::state::Core;
use super::vote::SealedVote;
use super::{MessageKind, WaAddress};

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
}

/// A sink could not commit.
#[derive(Debug, thiserror::Error)]
#[error("inbound messages could not be committed: {0}")]
pub struct InboundRefused(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A message that arrived: from somebody else, or from another device of our own account.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundMessage {
    /// WhatsApp's id of it, unique per chat and sender.
    pub id: String,
    /// The chat, in the name space that WhatsApp used.
    pub chat: WaAddress,
    /// A direct chat in the other name space (number or LID), where WhatsApp told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_alt: Option<WaAddress>,
    /// Who wrote it.
    pub sender: WaAddress,
    /// The same person in the other name space, where WhatsApp told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_alt: Option<WaAddress>,
    /// Whether another device of our own account wrote it.
    pub from_me: bool,
    /// How the sender calls itself; empty where WhatsApp did not tell.
    pub push_name: String,
    /// When WhatsApp took it, to the second.
    pub timestamp: Millis,
    /// What it is.
    #[serde(flatten)]
    pub kind: MessageKind,
    /// Its text, caption, emoji, question or name of a place, whichever its kind has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The id of the message it quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Who wrote the message it quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted_sender: Option<String>,
    /// The people it mentions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// How often it was forwarded; 0 = it is none that was.
    pub forwarded: u32,
    /// What it holds besides its text.
    #[serde(skip)]
    pub content: Option<InboundContent>,
    /// The vote, if it is one.
    #[serde(skip)]
    pub vote: Option<SealedVote>,
    /// Whether an admin of a group says it, of somebody else's message; WhatsApp's server lets
    /// nobody else say so.
    #[serde(skip)]
    pub as_admin: bool,
    /// Whether it waited for us on WhatsApp's server.
    pub offline: bool,
    /// The whole of it.
    #[serde(skip)]
    pub raw: Arc<wa::Message>,
}

/// Bodies and people do not show in logs.
impl fmt::Debug for InboundMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundMessage")
            .field("id", &self.id)
            .field("chat", &self.chat)
            .field("kind", &self.kind.as_str())
            .field("from_me", &self.from_me)
            .finish_non_exhaustive()
    }
}

impl InboundMessage {
    /// The message as we tell it; nothing where it is only for the machinery (keys, settings).
    fn from_library(message: &LibraryMessage) -> Option<Self> {
        let (kind, text) = read(&message.message)?;
        let info = &message.info;
        let source = &info.source;
        let context = content::context(&message.message);
        let sender_alt = source.sender_alt.as_ref().map(WaAddress::from);
        let chat_alt = if source.is_group {
            None
        } else if source.is_from_me {
            source.recipient_alt.as_ref().map(WaAddress::from)
        } else {
            sender_alt.clone()
        };
        Some(Self {
            id: info.id.clone(),
            chat: WaAddress::from(&source.chat),
            chat_alt,
            sender: WaAddress::from(&source.sender),
            sender_alt,
            from_me: source.is_from_me,
            push_name: info.push_name.clone(),
            timestamp: info.timestamp.timestamp_millis(),
            kind,
            text,
            reply_to: context.reply_to,
            quoted_sender: context.quoted_sender,
            mentions: context.mentions,
            forwarded: context.forwarded,
            content: content::content(&message.message),
            vote: content::vote(&message.message),
            as_admin: source.is_group && info.edit == EditAttribute::AdminRevoke,
            offline: info.is_offline,
            raw: Arc::clone(&message.message),
        })
    }
}

/// The library's hook: it acknowledges only what this has committed.
pub(super) struct CommitHook {
    pub(super) core: Arc<Core>,
}

/// Commits what the library tells without asking for a commit first. WhatsApp has its ack already,
/// so all that can be done about a failure is to say so.
pub(super) fn commit_late(sink: &Arc<dyn InboundSink>, batch: &[LibraryMessage]) {
    let batch = emitted(batch);
    if batch.is_empty() {
        return;
    }
    let sink = Arc::clone(sink);
    tokio::spawn(async move {
        if let Err(error) = sink.commit(&batch).await {
            tracing::error!(%error, ids = ?ids(&batch), "inbound messages are lost");
        }
    });
}

fn emitted(batch: &[LibraryMessage]) -> Vec<InboundMessage> {
    batch
        .iter()
        .filter_map(InboundMessage::from_library)
        .collect()
}

fn ids(batch: &[InboundMessage]) -> Vec<&str> {
    batch.iter().map(|message| &*message.id).collect()
}

#[async_trait]
impl InboundDurabilityHook for CommitHook {
    async fn on_messages(
        &self,
        _client: Arc<Client>,
        batch: &[LibraryMessage],
    ) -> Result<(), anyhow::Error> {
        let batch = emitted(batch);
        if batch.is_empty() {
            return Ok(());
        }
        let committed = self.core.inbound.commit(&batch).await;
        if let Err(error) = &committed {
            tracing::warn!(%error, ids = ?ids(&batch), "inbound messages wait to be sent again");
            // WhatsApp sends again what it has no ack for, but only on a new connection.
            self.core.uncommitted.notify_one();
        }
        Ok(committed?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use buffa::MessageField;
    use wacore::types::message::{MessageInfo, MessageSource};
    use waproto::whatsapp::message::protocol_message::Type as ProtocolType;

    fn jid(text: &str) -> wacore_binary::Jid {
        text.parse().unwrap()
    }

    fn inbound(message: wa::Message, source: MessageSource) -> Option<InboundMessage> {
        let info = MessageInfo {
            id: "A".into(),
            source,
            push_name: "Bob".into(),
            timestamp: wacore::time::from_secs(7).unwrap(),
            ..Default::default()
        };
        InboundMessage::from_library(
            &LibraryMessage::builder()
                .message(Arc::new(message))
                .info(Arc::new(info))
                .build(),
        )
    }

    fn from_bob() -> MessageSource {
        MessageSource {
            chat: jid("100000012345@lid"),
            sender: jid("100000012345:3@lid"),
            sender_alt: Some(jid("15550000002@s.whatsapp.net")),
            ..Default::default()
        }
    }

    fn plain(text: &str) -> wa::Message {
        wa::Message {
            conversation: Some(text.into()),
            ..Default::default()
        }
    }

    #[test]
    fn a_text_from_a_person() {
        let message = inbound(plain("hi"), from_bob()).unwrap();
        assert_eq!(message.kind, MessageKind::Text);
        assert_eq!(message.text.as_deref(), Some("hi"));
        assert_eq!(message.chat.as_str(), "100000012345@lid");
        assert_eq!(message.sender.as_str(), "100000012345@lid");
        let number = "15550000002@s.whatsapp.net";
        for alt in [&message.chat_alt, &message.sender_alt] {
            assert_eq!(alt.as_ref().unwrap().as_str(), number);
        }
        assert_eq!(message.timestamp, 7_000);
        assert_eq!(message.push_name, "Bob");
        let json = serde_json::to_value(&message).unwrap();
        assert_eq!(json["type"], "text");
        assert_eq!(json["chatAlt"], number);
        assert_eq!(json.get("raw"), None);
    }

    #[test]
    fn a_reply_in_a_group() {
        let text = wa::message::ExtendedTextMessage {
            text: Some("yes".into()),
            context_info: MessageField::some(wa::ContextInfo {
                stanza_id: Some("Q".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let message = wa::Message {
            extended_text_message: MessageField::some(text),
            ..Default::default()
        };
        let source = MessageSource {
            chat: jid("120363021234567890@g.us"),
            is_group: true,
            ..from_bob()
        };
        let message = inbound(message, source).unwrap();
        assert_eq!(message.kind, MessageKind::Text);
        assert_eq!(message.text.as_deref(), Some("yes"));
        assert_eq!(message.reply_to.as_deref(), Some("Q"));
        assert!(message.chat.is_group());
        assert_eq!(message.chat_alt, None);
    }

    #[test]
    fn operations_name_their_target() {
        let key = || {
            MessageField::some(wa::MessageKey {
                id: Some("T".into()),
                ..Default::default()
            })
        };
        let protocol = |kind, edited: Option<wa::Message>| wa::Message {
            protocol_message: MessageField::some(wa::message::ProtocolMessage {
                key: key(),
                r#type: Some(kind),
                edited_message: edited.map(MessageField::some).unwrap_or_default(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let target = || "T".to_owned();
        let edit = inbound(
            protocol(ProtocolType::MessageEdit, Some(plain("new"))),
            from_bob(),
        )
        .unwrap();
        assert_eq!(edit.kind, MessageKind::Edit { target: target() });
        assert_eq!(edit.text.as_deref(), Some("new"));
        let revoke = inbound(protocol(ProtocolType::Revoke, None), from_bob()).unwrap();
        assert_eq!(revoke.kind, MessageKind::Revoke { target: target() });
        let reaction = wa::Message {
            reaction_message: MessageField::some(wa::message::ReactionMessage {
                key: key(),
                text: Some("👍".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let reaction = inbound(reaction, from_bob()).unwrap();
        assert_eq!(reaction.kind, MessageKind::Reaction { target: target() });
        assert_eq!(reaction.text.as_deref(), Some("👍"));
    }

    #[test]
    fn what_only_the_machinery_needs_is_not_told() {
        let keys = wa::Message {
            protocol_message: MessageField::some(wa::message::ProtocolMessage {
                r#type: Some(ProtocolType::AppStateSyncKeyShare),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert!(inbound(keys, from_bob()).is_none());
        let group_key = wa::Message {
            sender_key_distribution_message: MessageField::some(Default::default()),
            ..Default::default()
        };
        assert!(inbound(group_key, from_bob()).is_none());
    }

    #[test]
    fn a_log_line_shows_neither_body_nor_people() {
        let line = format!("{:?}", inbound(plain("secret"), from_bob()).unwrap());
        assert!(!line.contains("secret") && !line.contains("Bob") && !line.contains("12345"));
    }
}
