//! Events in the shapes of the Whapi webhook format (`format: "whapi"`), for receivers that were
//! written for it.
//!
//! Pure functions: an event of this gateway goes in, the body of a request comes out. The schema of
//! all bodies is `docs/whapi.schema.json`.
//!
//! | event | body |
//! |---|---|
//! | `message`, `message.from_me`, `status.post` | `messages` |
//! | `message.reaction`, `message.edited`, `poll.vote` | `messages_updates` with the message before and after; where that message is not known here, `messages` with an `action` |
//! | `message.revoked` | `messages_removed` |
//! | `message.status` | `statuses` |
//! | `call.…` | `messages` of type `call` |
//! | anything else | nothing |

mod action;
mod call;
mod content;
mod context;
mod message;
mod names;
mod status;
mod update;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Event;
use super::inbound::{CallPayload, MessagePayload};

/// The part of an envelope that holds what happened.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// The body for an event; `None` where the format has no shape for it.
#[must_use]
pub fn render(event: &Event) -> Option<Value> {
    let envelope: Envelope<'_> = serde_json::from_str(&event.json).ok()?;
    let payload = envelope.payload.get();
    let channel = event.session.as_str();
    match event.kind.as_str() {
        "message" | "message.from_me" => posted(&payload_of(payload)?, channel, false),
        "status.post" => posted(&payload_of(payload)?, channel, true),
        "message.reaction" | "message.edited" | "poll.vote" => {
            let message = payload_of(payload)?;
            match update::of(&message) {
                Some(update) => Some(body(
                    "messages_updates",
                    "messages",
                    "patch",
                    update,
                    channel,
                )),
                None => posted(&message, channel, false),
            }
        }
        "message.revoked" => {
            let removed = payload_of(payload)?.target_message_id?;
            let removed = json!(removed);
            Some(body(
                "messages_removed",
                "messages",
                "delete",
                removed,
                channel,
            ))
        }
        "message.status" => {
            let status = status::of(&serde_json::from_str(payload).ok()?)?;
            Some(body("statuses", "statuses", "post", status, channel))
        }
        kind if kind.starts_with("call.") => {
            let call: CallPayload = serde_json::from_str(payload).ok()?;
            let message = call::of(kind, &call);
            Some(body("messages", "messages", "post", message, channel))
        }
        _ => None,
    }
}

fn payload_of(json: &str) -> Option<MessagePayload> {
    serde_json::from_str(json).ok()
}

fn posted(message: &MessagePayload, channel: &str, story: bool) -> Option<Value> {
    let message = message::of(message, story);
    Some(body("messages", "messages", "post", message, channel))
}

/// A body with one entry. The format allows several; one event is one body here, so that a repeat
/// of a delivery is the repeat of one event.
fn body(list: &str, kind: &str, event: &str, entry: Value, channel: &str) -> Value {
    json!({
        list: [entry],
        "event": {"type": kind, "event": event},
        "channel_id": channel,
    })
}
