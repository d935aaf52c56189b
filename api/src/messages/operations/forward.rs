//! Forwarding a message to another chat.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use gateway_shared::domain::{ContactCard, Content, Jid, KnownMessage, MessageContext, Poll};
use gateway_shared::messages::{Found, Whole};
use serde::Deserialize;
use serde_json::json;

use super::super::types::Type;
use super::media;
use super::request::{Asked, Plan};
use crate::error::ApiError;
use crate::request::Problems;
use crate::state::App;

/// `POST /sessions/{session}/messages/{mid}/forward`: the same content as a message of its own to
/// `to`, marked as forwarded. `chat` and `sender` locate the message.
pub(crate) async fn forward(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut asked = Asked::read(&app, request).await?;
    asked.read_sender();
    asked.fields.require(&mut asked.problems, "to");
    let to = asked.fields.parsed::<Jid>(&mut asked.problems, "to");
    let order = asked.finish("forward", &json!(to))?;
    let file = media::forwarded(&app, &order.from, &order.mid, order.chat.as_ref()).await?;
    order
        .carry_out(&app, true, |_, found, problems| {
            let content = match file {
                Some(file) => Some(file),
                None => forwarded(found, problems)?,
            };
            Ok(content.map(|content| Plan {
                content,
                to,
                expires_at: None,
            }))
        })
        .await
}

/// What is forwarded of a message.
fn forwarded(found: &Found, problems: &mut Problems) -> Result<Option<Content>, ApiError> {
    let message = &found.message;
    let kind = message.kind.parse::<Type>().ok();
    // Its pictures and films are messages that can be.
    let kind = kind.filter(|kind| *kind != Type::Album);
    // Ours, and those of others.
    let several_cards = matches!(message.kind.as_str(), "contacts" | "contact_list");
    if kind.is_none() && !several_cards {
        problems.add(
            "mid",
            format!("is of type {}, which can not be forwarded", message.kind),
        );
        return Ok(None);
    }
    let kept = match &found.content {
        Some(Whole::Sent(body)) => serde_json::from_str(body).ok().and_then(anew),
        Some(Whole::Emitted(payload)) => serde_json::from_str(payload).ok().and_then(emitted),
        None => remembered(message),
    };
    let Some(content) = kept else {
        return Err(ApiError::conflict(
            "content_not_kept",
            "the content of the message is no longer kept",
        ));
    };
    Ok(Some(content))
}

/// Our own content, to be sent once more: without what it quoted and whom it mentioned. Of a text
/// that was edited it is the edit.
fn anew(mut content: Content) -> Option<Content> {
    // Whom the edit mentions stays behind, as what the original quoted does.
    if let Content::Edit { text, .. } = content {
        let context = again(0);
        return Some(Content::Text { text, context });
    }
    let context = content.context_mut()?;
    *context = again(context.forwarded);
    if let Content::Poll { poll, .. } = &mut content {
        // Its votes are its own.
        poll.secret = None;
    }
    Some(content)
}

pub(super) fn again(times: u32) -> MessageContext {
    MessageContext {
        forwarded: times.saturating_add(1),
        ..MessageContext::default()
    }
}

/// What the event that told a message says of its content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    #[serde(default, rename = "forwardingScore")]
    forwarded: u32,
    poll: Option<Poll>,
    location: Option<Place>,
    contact: Option<ContactCard>,
    #[serde(rename = "contact_list")]
    contact_list: Option<Cards>,
}

#[derive(Deserialize)]
struct Cards {
    contacts: Vec<ContactCard>,
}

#[derive(Deserialize)]
struct Place {
    latitude: f64,
    longitude: f64,
    name: Option<String>,
    address: Option<String>,
}

fn emitted(payload: Payload) -> Option<Content> {
    let context = again(payload.forwarded);
    match payload.kind.as_str() {
        "text" | "edit" => payload.text.map(|text| Content::Text { text, context }),
        "poll" => payload.poll.map(|poll| Content::Poll { poll, context }),
        "location" => payload.location.map(|place| Content::Location {
            latitude: place.latitude,
            longitude: place.longitude,
            name: place.name,
            address: place.address,
            context,
        }),
        "contact_list" => payload.contact_list.map(|list| Content::Contacts {
            name: payload.text.unwrap_or_default(),
            cards: list.contacts,
            context,
        }),
        "contact" => payload.contact.map(|card| Content::Contact {
            name: card.name,
            vcard: card.vcard,
            context,
        }),
        _ => None,
    }
}

/// A text that the index has whole.
fn remembered(message: &KnownMessage) -> Option<Content> {
    let whole = message.kind == "text" && !message.cut;
    whole.then(|| Content::Text {
        text: message.excerpt.clone(),
        context: again(0),
    })
}
