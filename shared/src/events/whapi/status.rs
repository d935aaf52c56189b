//! `statuses`: what became of a message that this session sent.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::inbound::Address;
use super::names;
use crate::clock::Millis;

/// The part of a `message.status` payload that the format has a place for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusPayload {
    wa_message_id: String,
    chat_jid: String,
    #[serde(default)]
    chat_pn: Option<String>,
    status: String,
    timestamp: Millis,
}

/// The entry; `None` for steps that the format does not tell.
pub(super) fn of(payload: &StatusPayload) -> Option<Value> {
    let (code, status) = match payload.status.as_str() {
        "failed" | "cancelled" => (0, "failed"),
        "scheduled" | "queued" => (1, "pending"),
        "sent" => (2, "sent"),
        "delivered" => (3, "delivered"),
        "read" => (4, "read"),
        "played" => (5, "played"),
        // Still pending.
        _ => return None,
    };
    let chat = Address::new(&payload.chat_jid, payload.chat_pn.as_deref());
    Some(json!({
        "id": payload.wa_message_id,
        "code": code,
        "status": status,
        "recipient_id": names::chat(&chat),
        // A text, in this list alone.
        "timestamp": (payload.timestamp / 1_000).to_string(),
    }))
}
