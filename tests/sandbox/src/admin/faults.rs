//! `/admin/faults`: what is to go wrong.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::AdminError;
use super::{Answer, Shared};
use crate::faults::{Action, Match};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFault {
    /// `"any"`, an object, or left out.
    #[serde(rename = "match")]
    condition: Option<Condition>,
    /// `"nack 479"`, or `"nack"` with `code`; `"delay 250"`, or `"delay"` with
    /// `ms`; or an object `{"nack": 479}`.
    action: Value,
    code: Option<u16>,
    ms: Option<u64>,
    /// How many messages it strikes: 1 when left out, 0 for no limit.
    count: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Condition {
    Word(String),
    Fields(Fields),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(alias = "sender")]
    from: Option<String>,
    #[serde(alias = "recipient", alias = "chat")]
    to: Option<String>,
    #[serde(alias = "messageId")]
    id: Option<String>,
}

/// Sets a fault.
pub(super) async fn create(State(world): Shared, Body(fault): Body<NewFault>) -> Answer {
    let condition = match fault.condition {
        None => Match::default(),
        Some(Condition::Word(word)) if word == "any" => Match::default(),
        Some(Condition::Word(word)) => {
            let message =
                format!("match is \"any\" or an object with from, to or id, not {word:?}");
            return Err(AdminError::BadRequest(message));
        }
        Some(Condition::Fields(Fields { from, to, id })) => {
            let phone = |phone: Option<String>| phone.map(|phone| normal_phone(&phone));
            Match {
                from: phone(from),
                to: phone(to),
                id,
            }
        }
    };
    let text = match (&fault.action, fault.code, fault.ms) {
        (Value::String(name), Some(code), _) if name == "nack" => format!("nack {code}"),
        (Value::String(name), _, Some(ms)) if name == "delay" => format!("delay {ms}"),
        (Value::String(text), _, _) => text.clone(),
        (Value::Object(object), _, _) if object.len() == 1 => object
            .iter()
            .map(|(name, argument)| format!("{name} {argument}"))
            .collect(),
        (other, _, _) => {
            let message = format!("action is a string such as \"nack 479\", not {other}");
            return Err(AdminError::BadRequest(message));
        }
    };
    let action: Action = text.parse().map_err(AdminError::BadRequest)?;
    let count = match fault.count {
        None => Some(1),
        Some(0) => None,
        Some(count) => Some(count),
    };
    Ok(Json(json!(world.faults.add(condition, action, count))))
}

/// A phone number without its plus and without the server of its JID.
fn normal_phone(phone: &str) -> String {
    let phone = phone.trim_start_matches('+');
    phone
        .strip_suffix("@s.whatsapp.net")
        .unwrap_or(phone)
        .to_owned()
}

/// Every fault, with how often it struck.
pub(super) async fn list(State(world): Shared) -> Answer {
    Ok(Json(json!({ "data": world.faults.all() })))
}

/// Removes all faults.
pub(super) async fn clear(State(world): Shared) -> Answer {
    Ok(Json(json!({ "removed": world.faults.clear() })))
}
