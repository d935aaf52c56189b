//! What kind of message an inbound protobuf is, and what it says.

use serde::Serialize;
use wacore::proto_helpers::MessageExt;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;

use super::content::poll;

/// What kind of message it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MessageKind {
    /// Text, with or without a preview.
    Text,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A recording or a piece of music.
    Audio,
    /// A file.
    Document,
    /// A sticker.
    Sticker,
    /// A place.
    Location,
    /// One or more contacts.
    Contact,
    /// A question with options.
    Poll,
    /// An answer to the target, which is a poll.
    PollVote {
        /// The poll.
        target: String,
    },
    /// A reaction to the target; an empty text takes it back.
    Reaction {
        /// The message reacted to.
        target: String,
    },
    /// A new text for the target.
    Edit {
        /// The message that changed.
        target: String,
    },
    /// The target was deleted for everyone.
    Revoke {
        /// The message that is gone.
        target: String,
    },
    /// Anything else.
    Other,
}

impl MessageKind {
    /// The stable wire name of the kind.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
            Self::Location => "location",
            Self::Contact => "contact",
            Self::Poll => "poll",
            Self::PollVote { .. } => "poll_vote",
            Self::Reaction { .. } => "reaction",
            Self::Edit { .. } => "edit",
            Self::Revoke { .. } => "revoke",
            Self::Other => "other",
        }
    }
}

/// Kind and text of a message.
pub(super) fn read(message: &wa::Message) -> Option<(MessageKind, Option<String>)> {
    let base = message.get_base_message();
    if let Some(protocol) = base.protocol_message.as_option() {
        let target = protocol.key.as_option().and_then(|key| key.id.clone())?;
        return match protocol.r#type? {
            ProtocolType::Revoke => Some((MessageKind::Revoke { target }, None)),
            ProtocolType::MessageEdit => {
                let edited = protocol.edited_message.as_option();
                let text = edited.and_then(|edited| text_of(edited.get_base_message()));
                Some((MessageKind::Edit { target }, text))
            }
            _ => None,
        };
    }
    if let Some(reaction) = base.reaction_message.as_option() {
        let target = reaction.key.as_option().and_then(|key| key.id.clone())?;
        return Some((MessageKind::Reaction { target }, reaction.text.clone()));
    }
    if let Some(update) = base.poll_update_message.as_option() {
        let key = update.poll_creation_message_key.as_option();
        let target = key.and_then(|key| key.id.clone())?;
        return Some((MessageKind::PollVote { target }, None));
    }
    let kind = kind_of(base);
    if kind == MessageKind::Other && base.sender_key_distribution_message.is_set() {
        // A group's key that travels alone.
        return None;
    }
    Some((kind, text_of(base)))
}

fn kind_of(base: &wa::Message) -> MessageKind {
    if base.conversation.is_some() || base.extended_text_message.is_set() {
        MessageKind::Text
    } else if base.image_message.is_set() {
        MessageKind::Image
    } else if base.video_message.is_set() || base.ptv_message.is_set() {
        MessageKind::Video
    } else if base.audio_message.is_set() {
        MessageKind::Audio
    } else if base.document_message.is_set() {
        MessageKind::Document
    } else if base.sticker_message.is_set() {
        MessageKind::Sticker
    } else if base.location_message.is_set() || base.live_location_message.is_set() {
        MessageKind::Location
    } else if base.contact_message.is_set() || base.contacts_array_message.is_set() {
        MessageKind::Contact
    } else if poll(base).is_some() {
        MessageKind::Poll
    } else {
        MessageKind::Other
    }
}

fn text_of(base: &wa::Message) -> Option<String> {
    base.text_content()
        .or_else(|| base.get_caption())
        .or_else(|| poll_name(base))
        .or_else(|| base.location_message.as_option()?.name.as_deref())
        .or_else(|| base.live_location_message.as_option()?.caption.as_deref())
        .or_else(|| base.contact_message.as_option()?.display_name.as_deref())
        .or_else(|| {
            base.contacts_array_message
                .as_option()?
                .display_name
                .as_deref()
        })
        .map(str::to_owned)
}

fn poll_name(base: &wa::Message) -> Option<&str> {
    poll(base).and_then(|poll| poll.name.as_deref())
}
