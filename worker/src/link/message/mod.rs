//! From the content of a send to the protobuf that travels.
//!
//! The same entry always becomes the same bytes, whoever builds them and whenever: a repeat on
//! the wire is the same message in every respect.

mod album;
mod context;
mod media;
mod own;
mod poll;
mod target;

#[cfg(test)]
mod tests;

use buffa::MessageField;
use gateway_shared::clock::Millis;
use gateway_shared::domain::{Content, Jid};
use gateway_shared::media::Uploaded;
use wacore::proto_helpers::MessageExt as _;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::message::{
    ContactMessage, ContactsArrayMessage, ExtendedTextMessage, LocationMessage, ProtocolMessage,
    ReactionMessage,
};

pub use album::part;
pub use own::Own;

/// What a message depends on besides its content.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The chat it is sent to.
    pub chat: &'a Jid,
    /// Its pinned id.
    pub id: &'a str,
    /// When it was accepted.
    pub at: Millis,
    /// Who sends it.
    pub own: &'a Own,
    /// What WhatsApp has of its files, in their order.
    pub uploads: &'a [Uploaded],
}

/// Nothing can be built from what is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message can not be built: {0}")]
pub struct Unbuildable(pub String);

/// The protobuf of `content`.
///
/// # Errors
/// Where a vote can not be encrypted: the poll's secret is none, or the account has no name yet. And
/// where a file was not uploaded before.
pub fn build(content: &Content, frame: Frame<'_>) -> Result<wa::Message, Unbuildable> {
    Ok(match content {
        Content::Text { text, context } => self::text(text, context::of(context, frame)),
        Content::Poll { poll, context } => poll::created(poll, context::of(context, frame)),
        Content::Location {
            latitude,
            longitude,
            name,
            address,
            context,
        } => wa::Message {
            location_message: MessageField::some(LocationMessage {
                degrees_latitude: Some(*latitude),
                degrees_longitude: Some(*longitude),
                name: name.clone(),
                address: address.clone(),
                context_info: context::of(context, frame),
                ..Default::default()
            }),
            ..Default::default()
        },
        Content::Contacts {
            name,
            cards,
            context,
        } => wa::Message {
            contacts_array_message: MessageField::some(ContactsArrayMessage {
                display_name: Some(name.clone()),
                contacts: cards
                    .iter()
                    .map(|card| ContactMessage {
                        display_name: Some(card.name.clone()),
                        vcard: Some(card.vcard.clone()),
                        ..Default::default()
                    })
                    .collect(),
                context_info: context::of(context, frame),
            }),
            ..Default::default()
        },
        Content::Contact {
            name,
            vcard,
            context,
        } => wa::Message {
            contact_message: MessageField::some(ContactMessage {
                display_name: Some(name.clone()),
                vcard: Some(vcard.clone()),
                context_info: context::of(context, frame),
                ..Default::default()
            }),
            ..Default::default()
        },
        Content::Media { media, context } => {
            let uploaded = frame.uploads.first();
            let uploaded =
                uploaded.ok_or_else(|| Unbuildable("its file was not uploaded".into()))?;
            media::about(media, uploaded, context::of(context, frame))
        }
        Content::Album { items, context } => album::beginning(items, context::of(context, frame)),
        Content::Reaction { target, emoji } => wa::Message {
            reaction_message: MessageField::some(ReactionMessage {
                key: MessageField::some(target::key(target, frame)),
                text: Some(emoji.clone()),
                sender_timestamp_ms: Some(frame.at),
                ..Default::default()
            }),
            ..Default::default()
        },
        Content::Vote {
            target,
            key,
            options,
        } => poll::vote(target, key, options, frame)?,
        Content::Edit {
            target,
            text,
            mentions,
        } => protocol(ProtocolMessage {
            key: MessageField::some(target::key_with_author(target, frame)),
            r#type: Some(ProtocolType::MessageEdit),
            edited_message: MessageField::some(self::text(text, context::of_mentions(mentions))),
            timestamp_ms: Some(frame.at),
            ..Default::default()
        }),
        Content::Revoke { target } => protocol(ProtocolMessage {
            key: MessageField::some(target::key(target, frame)),
            r#type: Some(ProtocolType::Revoke),
            ..Default::default()
        }),
    })
}

/// Says in a message after how many seconds it disappears; 0 = it stays.
pub fn disappear_after(message: &mut wa::Message, seconds: u32) {
    if seconds == 0 {
        return;
    }
    let wrapper = message.document_with_caption_message.as_option_mut();
    if let Some(inner) = wrapper.and_then(|wrapper| wrapper.message.as_option_mut()) {
        inner.set_ephemeral_expiration(seconds);
        return;
    }
    message.set_ephemeral_expiration(seconds);
}

/// Whether the message names its own sender, so that it must be known how the chat names them.
#[must_use]
pub fn names_its_sender(content: &Content) -> bool {
    match content {
        Content::Vote { target, .. } => target.is_own(),
        Content::Edit { .. } => true,
        _ => content
            .context()
            .and_then(|context| context.quoted.as_ref())
            .is_some_and(|quoted| quoted.is_own()),
    }
}

/// A text without context is a plain `conversation`, as the official clients make it.
fn text(text: &str, context: MessageField<wa::ContextInfo>) -> wa::Message {
    if context.is_unset() {
        return wa::Message {
            conversation: Some(text.to_owned()),
            ..Default::default()
        };
    }
    wa::Message {
        extended_text_message: MessageField::some(ExtendedTextMessage {
            text: Some(text.to_owned()),
            context_info: context,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn protocol(message: ProtocolMessage) -> wa::Message {
    wa::Message {
        protocol_message: MessageField::some(message),
        ..Default::default()
    }
}
