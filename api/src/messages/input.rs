//! The body of a send.

use std::collections::HashSet;

use gateway_shared::domain::{AlbumItem, Content, Jid, MessageContext, PersonJid};
use gateway_shared::lane::Mode;
use serde_json::{Map, Value};

use super::submit::Times;
use super::types::Type;
use super::{album, contact, location, media, poll, text};
use crate::media::Wanted;
use crate::request::{Fields, Problems, TIME};

/// Every field a send can have; which of them a type carries is said by its reader.
const FIELDS: &[&str] = &[
    "text",
    "name",
    "options",
    "selectableCount",
    "latitude",
    "longitude",
    "address",
    "contact",
    "media",
    "items",
    "replyTo",
    "mentions",
    "sendAt",
    "expiresAt",
];
/// Characters of a poll's question, of one of its options, and of the name of a place or person.
pub(super) const NAME: std::ops::RangeInclusive<usize> = 1..=1_024;
/// Characters of a message id; WhatsApp's own have 16 to 32.
pub(super) const MESSAGE_ID: std::ops::RangeInclusive<usize> = 1..=128;
/// Most people mentioned; a group has at most 1,024.
pub(super) const MENTIONS: usize = 1_024;

/// The content of a send that has been validated.
#[derive(Debug)]
pub(super) enum Built {
    /// It can be sent.
    Ready(Content),
    /// A file has to be made ready first.
    File(Wanted, MessageContext),
    /// Several files have to be made ready first, which are one album.
    Album(Vec<Wanted>, MessageContext),
}

impl Built {
    /// What the request says, for the fingerprint of an idempotency key.
    pub(super) fn as_asked(&self) -> Content {
        match self {
            Self::Ready(content) => content.clone(),
            Self::File(wanted, context) => Content::Media {
                media: Box::new(wanted.as_asked()),
                context: context.clone(),
            },
            Self::Album(items, context) => Content::Album {
                items: items
                    .iter()
                    .map(|wanted| AlbumItem {
                        id: String::new(),
                        media: wanted.as_asked(),
                    })
                    .collect(),
                context: context.clone(),
            },
        }
    }
}

/// What was read of a body. It is complete when no problems were found.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) is_media: bool,
    to: Option<Jid>,
    content: Option<Built>,
    times: Times,
}

impl Body {
    /// Reads a body and tells of every problem in it.
    pub(super) fn read(map: Map<String, Value>, mode: Mode, problems: &mut Problems) -> Self {
        let mut fields = Fields::of_body(map);
        fields.require(problems, "type");
        fields.require(problems, "to");
        let kind = fields.parsed::<Type>(problems, "type");
        let to = fields.parsed::<Jid>(problems, "to");
        let context = context(&mut fields, problems);
        let times = times(&mut fields, mode, problems);
        let content = kind.and_then(|kind| content(kind, &mut fields, context, problems));
        match kind {
            // Of a type that is not known, no field can be said to be misplaced.
            None => {
                for name in FIELDS {
                    fields.ignore(name);
                }
                fields.finish(problems, &[], "");
            }
            Some(kind) => {
                // The one field that other types ignore rather than refuse.
                fields.ignore("text");
                let why = format!("is no field of type {}", kind.as_str());
                fields.finish(problems, FIELDS, &why);
            }
        }
        Self {
            is_media: kind.is_some_and(Type::is_media),
            to,
            content,
            times,
        }
    }

    /// The parts of a body without problems.
    pub(super) fn complete(self) -> Option<(Jid, Built, Times)> {
        Some((self.to?, self.content?, self.times))
    }
}

fn context(fields: &mut Fields, problems: &mut Problems) -> MessageContext {
    let reply_to = fields.text_of(problems, "replyTo", MESSAGE_ID);
    if let Some(id) = &reply_to
        && !id.bytes().all(|byte| byte.is_ascii_graphic())
    {
        problems.add("replyTo", "must be a message id: visible ASCII characters");
    }
    MessageContext {
        reply_to,
        mentions: mentions(fields, problems),
        ..MessageContext::default()
    }
}

/// The people mentioned, each once, in the order in which they are named first.
pub(super) fn mentions(fields: &mut Fields, problems: &mut Problems) -> Vec<Jid> {
    let listed = fields.list::<PersonJid>(problems, "mentions", MENTIONS);
    let people = listed.into_iter().flat_map(|list| list.items);
    let mut seen = HashSet::new();
    people
        .map(|(_, person)| person.into_jid())
        .filter(|jid| seen.insert(jid.clone()))
        .collect()
}

fn times(fields: &mut Fields, mode: Mode, problems: &mut Problems) -> Times {
    let send_at = fields.integer(problems, "sendAt", TIME);
    let expires_at = fields.integer(problems, "expiresAt", TIME);
    if send_at.is_some() && mode == Mode::Sync {
        problems.add("sendAt", "needs ?async=true: a synchronous send goes now");
    }
    if let (Some(send_at), Some(expires_at)) = (send_at, expires_at)
        && expires_at <= send_at
    {
        problems.add("expiresAt", "must be after sendAt");
    }
    Times {
        send_at: send_at.unwrap_or(0),
        expires_at,
    }
}

fn content(
    kind: Type,
    fields: &mut Fields,
    context: MessageContext,
    problems: &mut Problems,
) -> Option<Built> {
    let content = match kind {
        Type::Text => text::read(fields, problems).map(|text| Content::Text { text, context }),
        Type::Poll => poll::read(fields, problems).map(|poll| Content::Poll { poll, context }),
        Type::Location => location::read(fields, context, problems),
        Type::Contact => contact::read(fields, context, problems),
        Type::Album => {
            let items = album::read(fields, problems)?;
            return Some(Built::Album(items, context));
        }
        Type::Image
        | Type::Video
        | Type::Audio
        | Type::Voice
        | Type::Document
        | Type::Sticker
        | Type::Ptv
        | Type::Gif => {
            let wanted = media::read(kind.media_kind()?, fields, problems)?;
            return Some(Built::File(wanted, context));
        }
    };
    content.map(Built::Ready)
}
