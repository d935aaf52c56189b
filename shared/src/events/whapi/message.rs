//! `messages`: a message that arrived.

use serde_json::{Map, Value};

use super::super::inbound::{Flag, MessagePayload, Platform};
use super::{action, content, context, names};

/// A message; `story` = it was posted to the sender's status.
pub(super) fn of(message: &MessagePayload, story: bool) -> Value {
    let mut entry = head(message);
    if let Some(action) = action::of(message) {
        entry.insert("type".into(), "action".into());
        entry.insert("action".into(), action);
    } else if story {
        entry.insert("type".into(), "story".into());
        entry.insert("subtype".into(), content::whapi_type(&message.kind).into());
        let (name, shown) = content::of(message);
        entry.extend(shown.map(|shown| (name.to_owned(), shown)));
    } else {
        let (name, shown) = content::of(message);
        entry.insert("type".into(), name.into());
        if name != message.kind && matches!(name, "system" | "unknown") {
            entry.insert("subtype".into(), message.kind.as_str().into());
        }
        entry.extend(shown.map(|shown| (name.to_owned(), shown)));
    }
    if let Some(context) = context::of(message) {
        entry.insert("context".into(), context);
    }
    if message.view_once {
        entry.insert("view_once".into(), true.into());
    }
    Value::Object(entry)
}

/// What all messages have but their type.
pub(super) fn head(message: &MessagePayload) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("id".into(), message.wa_message_id.as_str().into());
    head.insert("from_me".into(), message.from_me.into());
    head.insert("chat_id".into(), names::chat(&message.chat).into());
    head.insert("timestamp".into(), (message.timestamp / 1_000).into());
    head.insert("source".into(), source(message).into());
    if message.source.device > 0 {
        head.insert("device_id".into(), message.source.device.into());
    }
    if message.from_me {
        // It came from WhatsApp's server, so that has it.
        head.insert("status".into(), "sent".into());
    }
    head.insert("from".into(), names::person(&message.sender).into());
    if !message.push_name.is_empty() {
        head.insert("from_name".into(), message.push_name.as_str().into());
    } else if let Some(name) = &message.verified_name {
        head.insert("from_name".into(), name.as_str().into());
    }
    head
}

fn source(message: &MessagePayload) -> &'static str {
    if message.flags.contains(&Flag::Bot) {
        return "system";
    }
    match message.source.platform {
        Platform::Web | Platform::Desktop => "web",
        Platform::BusinessApi => "business_api",
        Platform::Unknown if message.source.device > 0 => "api",
        _ => "mobile",
    }
}
