//! Calls, as messages of type `call`.

use serde_json::{Value, json};

use super::super::inbound::CallPayload;
use super::names;

/// A call as a message.
pub(super) fn of(event: &str, call: &CallPayload) -> Value {
    let mut message = json!({
        "id": call.call_id,
        "from_me": false,
        "type": "call",
        "subtype": event.strip_prefix("call.").unwrap_or(event),
        "chat_id": call.group_jid.as_deref().unwrap_or_else(|| names::chat(&call.from)),
        "timestamp": call.timestamp / 1_000,
        "source": "mobile",
        "from": names::person(&call.from),
    });
    if let Some(name) = &call.push_name {
        message["from_name"] = name.as_str().into();
    }
    message
}
