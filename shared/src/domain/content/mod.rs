//! What is sent: the body of an accepted send, as the outbox keeps it and the worker reads it.

mod album;
mod context;
mod media;
mod operation;
mod poll;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Amendment, Jid, KnownMessage};
use crate::clock::Millis;

pub use album::AlbumItem;
pub use context::MessageContext;
pub use media::{FileFacts, FileKind, HexBytes, Media};
pub use operation::{PollKey, Target};
pub use poll::{Poll, PollSecret};

/// A contact card of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactCard {
    /// How the card is labelled.
    pub name: String,
    /// The card: vCard 3.0 or later.
    pub vcard: String,
}

/// The content of an accepted send or message operation. It has been validated; its wire name is
/// its `type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum Content {
    /// A text message.
    Text {
        /// 1 to 65,536 characters.
        text: String,
        /// What it quotes and whom it mentions.
        #[serde(flatten)]
        context: MessageContext,
    },
    /// A question with options.
    Poll {
        /// The question, its options, and the secret that its votes are encrypted with.
        #[serde(flatten)]
        poll: Poll,
        /// What it quotes and whom it mentions.
        #[serde(flatten)]
        context: MessageContext,
    },
    /// A place.
    Location {
        /// Degrees north, -90 to 90.
        latitude: f64,
        /// Degrees east, -180 to 180.
        longitude: f64,
        /// What the place is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Where it is, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// What it quotes and whom it mentions.
        #[serde(flatten)]
        context: MessageContext,
    },
    /// A contact card.
    Contact {
        /// How the card is labelled.
        name: String,
        /// The card: vCard 3.0 or later.
        vcard: String,
        /// What it quotes and whom it mentions.
        #[serde(flatten)]
        context: MessageContext,
    },
    /// A file.
    Media {
        /// Which, and what is said of it.
        media: Box<Media>,
        /// What it quotes and whom it mentions.
        #[serde(flatten)]
        context: MessageContext,
    },
    /// Pictures and films that are shown together: one send of several messages.
    Album {
        /// Which, in their order.
        items: Vec<AlbumItem>,
        /// What it quotes and whom its captions mention.
        #[serde(flatten)]
        context: MessageContext,
    },
    /// Several contact cards in one message.
    Contacts {
        /// How the message is labelled.
        name: String,
        /// The cards, two at least.
        cards: Vec<ContactCard>,
        /// What it quotes and whom it mentions.
        #[serde(flatten)]
        context: MessageContext,
    },
    /// A reaction to a message; it takes the place of an earlier one.
    Reaction {
        /// What it is about.
        target: Target,
        /// One emoji; empty takes the reaction back.
        emoji: String,
    },
    /// A vote in a poll; it takes the place of an earlier one.
    Vote {
        /// The poll.
        target: Target,
        /// What a vote is encrypted with.
        key: PollKey,
        /// The texts of all options voted for; none takes the vote back.
        options: Vec<String>,
    },
    /// A new text for an own message.
    Edit {
        /// The message.
        target: Target,
        /// 1 to 65,536 characters.
        text: String,
        /// Whom the new text mentions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<Jid>,
    },
    /// A message is taken back for everyone.
    Revoke {
        /// The message.
        target: Target,
    },
}

impl Content {
    /// The stable wire name of the kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Poll { .. } => "poll",
            Self::Location { .. } => "location",
            Self::Contact { .. } => "contact",
            Self::Media { media, .. } => media.kind.as_str(),
            Self::Album { .. } => "album",
            Self::Contacts { .. } => "contacts",
            Self::Reaction { .. } => "reaction",
            Self::Vote { .. } => "vote",
            Self::Edit { .. } => "edit",
            Self::Revoke { .. } => "revoke",
        }
    }

    /// What it quotes and whom it mentions; none of the operations does.
    #[must_use]
    pub fn context(&self) -> Option<&MessageContext> {
        match self {
            Self::Text { context, .. }
            | Self::Poll { context, .. }
            | Self::Location { context, .. }
            | Self::Contact { context, .. }
            | Self::Media { context, .. }
            | Self::Album { context, .. }
            | Self::Contacts { context, .. } => Some(context),
            Self::Reaction { .. } | Self::Vote { .. } | Self::Edit { .. } | Self::Revoke { .. } => {
                None
            }
        }
    }

    /// The files that it needs, in their order.
    #[must_use]
    pub fn files(&self) -> Vec<&Media> {
        match self {
            Self::Media { media, .. } => vec![media],
            Self::Album { items, .. } => items.iter().map(|item| &item.media).collect(),
            _ => Vec::new(),
        }
    }

    /// The messages that follow the first one of the send.
    #[must_use]
    pub fn parts(&self) -> &[AlbumItem] {
        match self {
            Self::Album { items, .. } => items,
            _ => &[],
        }
    }

    /// The file of the message with this id, and its place among [`files`](Self::files); what has
    /// no parts is one message, whatever its id.
    #[must_use]
    pub fn file_of(&self, message: &str) -> Option<(usize, &Media)> {
        match self {
            Self::Media { media, .. } => Some((0, media)),
            _ => {
                let place = self.parts().iter().position(|part| part.id == message)?;
                Some((place, &self.parts()[place].media))
            }
        }
    }

    /// About how many bytes it takes, for those who divide work into steps.
    #[must_use]
    pub fn size(&self) -> usize {
        // Addresses of people mentioned have about 30 bytes.
        let mentions = self.mentions().len() * 32;
        mentions
            + match self {
                Self::Text { text, .. } | Self::Edit { text, .. } => text.len(),
                Self::Poll { poll, .. } => {
                    poll.name.len() + poll.options.iter().map(String::len).sum::<usize>()
                }
                Self::Contact { vcard, .. } => vcard.len(),
                Self::Media { media, .. } => 512 + media.caption.as_ref().map_or(0, String::len),
                Self::Album { items, .. } => items
                    .iter()
                    .map(|item| 512 + item.media.caption.as_ref().map_or(0, String::len))
                    .sum(),
                Self::Contacts { cards, .. } => cards.iter().map(|card| card.vcard.len()).sum(),
                Self::Location { .. }
                | Self::Reaction { .. }
                | Self::Vote { .. }
                | Self::Revoke { .. } => 256,
            }
    }

    /// Whom it mentions.
    #[must_use]
    pub fn mentions(&self) -> &[Jid] {
        match self {
            Self::Edit { mentions, .. } => mentions,
            _ => self.context().map_or(&[], |context| &context.mentions),
        }
    }

    /// The same, to change it.
    pub fn context_mut(&mut self) -> Option<&mut MessageContext> {
        match self {
            Self::Text { context, .. }
            | Self::Poll { context, .. }
            | Self::Location { context, .. }
            | Self::Contact { context, .. }
            | Self::Media { context, .. }
            | Self::Album { context, .. }
            | Self::Contacts { context, .. } => Some(context),
            Self::Reaction { .. } | Self::Vote { .. } | Self::Edit { .. } | Self::Revoke { .. } => {
                None
            }
        }
    }

    /// The content as the outbox keeps it: a poll that has no secret yet gets one. From here on
    /// the same entry always becomes the same message.
    #[must_use]
    pub fn sealed(&self) -> Cow<'_, Self> {
        match self {
            Self::Poll { poll, context } if poll.secret.is_none() => Cow::Owned(Self::Poll {
                poll: Poll {
                    secret: Some(PollSecret::random()),
                    ..poll.clone()
                },
                context: context.clone(),
            }),
            _ => Cow::Borrowed(self),
        }
    }

    /// What the message index keeps of it; nothing of an operation, which is about another
    /// message.
    #[must_use]
    pub fn known(&self, chat: &Jid, now: Millis) -> Option<KnownMessage> {
        let (said, poll) = match self {
            Self::Text { text, .. } => (Some(text.as_str()), None),
            Self::Poll { poll, .. } => (Some(poll.name.as_str()), Some(poll)),
            Self::Location { name, .. } => (name.as_deref(), None),
            Self::Contact { name, .. } | Self::Contacts { name, .. } => (Some(name.as_str()), None),
            Self::Media { media, .. } => (media.caption.as_deref(), None),
            Self::Album { .. } => (None, None),
            Self::Reaction { .. } | Self::Vote { .. } | Self::Edit { .. } | Self::Revoke { .. } => {
                return None;
            }
        };
        let mut known = KnownMessage::new(chat.as_str(), self.kind(), now, said.unwrap_or(""));
        known.poll = poll.and_then(PollKey::of);
        Some(known)
    }

    /// The id of the message of this account's own that it is about, if it is about one: that goes
    /// first.
    #[must_use]
    pub fn own_target(&self) -> Option<&str> {
        match self {
            Self::Reaction { target, .. }
            | Self::Vote { target, .. }
            | Self::Edit { target, .. }
            | Self::Revoke { target } => target.is_own().then_some(target.id.as_str()),
            _ => None,
        }
    }

    /// What it changes about another message of the index, once WhatsApp has it.
    #[must_use]
    pub fn amendment(&self, chat: &Jid) -> Option<Amendment> {
        let chats = vec![chat.to_string()];
        let authors = |target: &Target| target.sender.clone().into_iter().collect();
        match self {
            Self::Edit { target, text, .. } => {
                let authors = authors(target);
                Some(Amendment::edit(&target.id, chats, authors, text))
            }
            Self::Revoke { target } => Some(Amendment::revoke(&target.id, chats, authors(target))),
            _ => None,
        }
    }
}

/// A new WhatsApp message id of the form that WhatsApp Web makes: `3EB0` and 18 hexadecimal digits
/// (from 9 random bytes).
#[must_use]
pub fn new_message_id() -> String {
    // A ULID holds 80 random bits in its low bytes; 72 are needed.
    let random = ulid::Ulid::new().random().to_be_bytes();
    format!("3EB0{}", hex::encode_upper(&random[7..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(content: &Content) -> String {
        let json = serde_json::to_string(content).unwrap();
        assert_eq!(&serde_json::from_str::<Content>(&json).unwrap(), content);
        json
    }

    #[test]
    fn a_text_is_kept_as_the_contract_names_it() {
        let content = Content::Text {
            text: "hi".into(),
            context: MessageContext {
                reply_to: Some("3EB0".into()),
                ..MessageContext::default()
            },
        };
        assert_eq!(
            read_back(&content),
            r#"{"type":"text","text":"hi","replyTo":"3EB0"}"#
        );
    }

    #[test]
    fn every_content_can_be_read_back() {
        let target = || Target {
            id: "3EB0".into(),
            sender: Some("15550000002@s.whatsapp.net".into()),
        };
        let context = MessageContext {
            reply_to: Some("3EB1".into()),
            mentions: vec!["15550000003".parse().unwrap()],
            forwarded: 1,
            quoted: Some(Box::new(KnownMessage::new("1@lid", "text", 7, "so"))),
        };
        let poll = Poll {
            name: "?".into(),
            options: vec!["a".into(), "b".into()],
            selectable_count: 1,
            secret: None,
        };
        let poll = Content::Poll {
            poll,
            context: context.clone(),
        };
        let sealed = poll.sealed().into_owned();
        let Content::Poll { poll: inner, .. } = &sealed else {
            panic!("a poll stays one");
        };
        let key = PollKey::of(inner).unwrap();
        assert_eq!(sealed.sealed().as_ref(), &sealed, "a secret stays the same");
        for content in [
            poll,
            sealed,
            Content::Location {
                latitude: -6.2,
                longitude: 106.816_666_000_000_01,
                name: None,
                address: Some("Jalan Merdeka 1".into()),
                context: context.clone(),
            },
            Content::Contacts {
                name: "Two".into(),
                cards: vec![ContactCard {
                    name: "Bob".into(),
                    vcard: "BEGIN:VCARD".into(),
                }],
                context: context.clone(),
            },
            Content::Contact {
                name: "Bob".into(),
                vcard: "BEGIN:VCARD".into(),
                context,
            },
            Content::Reaction {
                target: target(),
                emoji: "👍".into(),
            },
            Content::Vote {
                target: target(),
                key,
                options: vec![],
            },
            Content::Edit {
                target: target(),
                text: "x".into(),
                mentions: vec!["15550000003".parse().unwrap()],
            },
            Content::Revoke { target: target() },
        ] {
            let json = read_back(&content);
            assert!(json.starts_with(&format!("{{\"type\":\"{}\"", content.kind())));
        }
    }

    #[test]
    fn message_ids_have_the_form_of_whatsapp_web() {
        let id = new_message_id();
        assert_eq!(id.len(), 22);
        assert!(id.starts_with("3EB0"));
        assert_ne!(id, new_message_id());
    }
}
