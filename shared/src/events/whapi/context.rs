//! `context`: what a message answers, whom it mentions, whether it was forwarded.

use serde_json::{Map, Value, json};

use super::super::inbound::{Button, MessagePayload, Quoted};
use super::content::whapi_type;
use super::names;

/// The context; `None` where there is nothing to tell.
pub(super) fn of(message: &MessagePayload) -> Option<Value> {
    let mut context = Map::new();
    if message.forwarded {
        context.insert("forwarded".into(), true.into());
        let score = message.forwarding_score;
        context.insert("forwarding_score".into(), score.into());
    }
    if !message.mentions.is_empty() {
        let people = message.mentions.iter().map(names::person);
        context.insert("mentions".into(), people.collect());
    }
    if let Some(quoted) = &message.quoted {
        context.extend(quote(quoted));
    }
    if let Some(seconds) = message.ephemeral_seconds.filter(|seconds| *seconds > 0) {
        context.insert("ephemeral".into(), seconds.into());
    }
    (!context.is_empty()).then_some(Value::Object(context))
}

fn quote(quoted: &Quoted) -> Map<String, Value> {
    let mut context = Map::new();
    context.insert("quoted_id".into(), quoted.id.as_str().into());
    if let Some(author) = &quoted.author {
        context.insert("quoted_author".into(), names::person(author).into());
    }
    if let Some(kind) = &quoted.kind {
        context.insert("quoted_type".into(), whapi_type(kind).into());
    }
    let mut content = Map::new();
    let parts = [
        ("header", &quoted.header),
        ("body", &quoted.text),
        ("footer", &quoted.footer),
    ];
    for (name, part) in parts {
        if let Some(part) = part {
            content.insert(name.into(), part.as_str().into());
        }
    }
    if !quoted.buttons.is_empty() {
        content.insert("buttons".into(), buttons(&quoted.buttons));
    }
    if !content.is_empty() {
        context.insert("quoted_content".into(), content.into());
    }
    context
}

/// Buttons as the format has them.
pub(super) fn buttons(buttons: &[Button]) -> Value {
    let shown = buttons.iter().map(|button| {
        let mut shown = json!({"type": button.kind, "text": button.text});
        let more = [
            ("id", &button.id),
            ("url", &button.url),
            ("phone_number", &button.phone),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                shown[name] = value.as_str().into();
            }
        }
        shown
    });
    shown.collect()
}
