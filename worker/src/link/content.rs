//! What an inbound message holds besides its text: a poll, places, contacts, and its context.

use std::fmt;

use gateway_shared::domain::{Poll, PollSecret};
use serde::Serialize;
use wacore::proto_helpers::MessageExt;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::{ContactMessage, PollCreationMessage};

use super::vote::SealedVote;

/// What a message holds besides its text. People's data: it does not show in logs.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum InboundContent {
    /// A question with options. Its secret is not told to anybody.
    Poll(Poll),
    /// A place.
    Location(Place),
    /// Contact cards, one at least.
    Contacts(Vec<Card>),
}

/// A place.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether it moves: the sender shares where they are.
    pub live: bool,
}

/// A contact card.
#[derive(Clone, PartialEq, Serialize)]
pub struct Card {
    /// How it is labelled.
    pub name: String,
    /// The card.
    pub vcard: String,
}

/// People and places do not show in logs.
impl fmt::Debug for InboundContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poll(_) => "Poll(…)",
            Self::Location(_) => "Location(…)",
            Self::Contacts(_) => "Contacts(…)",
        })
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card").finish_non_exhaustive()
    }
}

/// What a message says about other messages and people.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Context {
    pub(super) reply_to: Option<String>,
    pub(super) quoted_sender: Option<String>,
    pub(super) mentions: Vec<String>,
    pub(super) forwarded: u32,
}

/// What a message holds besides its text.
pub(super) fn content(message: &wa::Message) -> Option<InboundContent> {
    let base = message.get_base_message();
    if let Some(poll) = poll(base) {
        return Some(InboundContent::Poll(Poll {
            name: poll.name.clone().unwrap_or_default(),
            options: poll
                .options
                .iter()
                .filter_map(|option| option.option_name.clone())
                .collect(),
            selectable_count: poll.selectable_options_count.unwrap_or(0),
            secret: secret(message).or_else(|| secret(base)),
        }));
    }
    if let Some(place) = base.location_message.as_option() {
        return Some(InboundContent::Location(Place {
            latitude: place.degrees_latitude.unwrap_or_default(),
            longitude: place.degrees_longitude.unwrap_or_default(),
            name: place.name.clone(),
            address: place.address.clone(),
            live: place.is_live.unwrap_or_default(),
        }));
    }
    if let Some(place) = base.live_location_message.as_option() {
        return Some(InboundContent::Location(Place {
            latitude: place.degrees_latitude.unwrap_or_default(),
            longitude: place.degrees_longitude.unwrap_or_default(),
            name: place.caption.clone(),
            address: None,
            live: true,
        }));
    }
    let cards: Vec<Card> = match base.contact_message.as_option() {
        Some(contact) => vec![card(contact)],
        None => {
            let several = base.contacts_array_message.as_option()?;
            several.contacts.iter().map(card).collect()
        }
    };
    (!cards.is_empty()).then_some(InboundContent::Contacts(cards))
}

fn card(contact: &ContactMessage) -> Card {
    Card {
        name: contact.display_name.clone().unwrap_or_default(),
        vcard: contact.vcard.clone().unwrap_or_default(),
    }
}

/// The poll that a message is, of whichever version.
pub(super) fn poll(base: &wa::Message) -> Option<&PollCreationMessage> {
    [
        &base.poll_creation_message,
        &base.poll_creation_message_v2,
        &base.poll_creation_message_v3,
    ]
    .into_iter()
    .find_map(|poll| poll.as_option())
}

fn secret(message: &wa::Message) -> Option<PollSecret> {
    let info = message.message_context_info.as_option()?;
    PollSecret::from_bytes(info.message_secret.as_deref()?)
}

/// The vote that a message is.
pub(super) fn vote(message: &wa::Message) -> Option<SealedVote> {
    let update = message.get_base_message().poll_update_message.as_option()?;
    let poll = update.poll_creation_message_key.as_option()?.id.clone()?;
    let vote = update.vote.as_option()?;
    Some(SealedVote::new(
        poll,
        vote.enc_payload.clone()?,
        vote.enc_iv.clone()?,
    ))
}

/// What a message says about other messages and people.
pub(super) fn context(message: &wa::Message) -> Context {
    let base = message.get_base_message();
    macro_rules! first {
        ($($field:ident),+) => {
            [$(base.$field.as_option().and_then(|part| part.context_info.as_option())),+]
                .into_iter()
                .flatten()
                .next()
        };
    }
    let info = first![
        extended_text_message,
        image_message,
        video_message,
        audio_message,
        document_message,
        sticker_message,
        location_message,
        live_location_message,
        contact_message,
        contacts_array_message,
        poll_creation_message,
        poll_creation_message_v2,
        poll_creation_message_v3
    ];
    info.map_or_else(Context::default, |info| Context {
        reply_to: info.stanza_id.clone(),
        quoted_sender: info
            .participant
            .clone()
            .filter(|_| info.stanza_id.is_some()),
        mentions: info.mentioned_jid.clone(),
        forwarded: match info.is_forwarded {
            Some(true) => info.forwarding_score.unwrap_or(0).max(1),
            _ => 0,
        },
    })
}
