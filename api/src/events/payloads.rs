//! The schemas of events: one for each kind of envelope, and one for each type of message, so that a
//! generated client can switch on `event` and on `type`.

use gateway_shared::events::KINDS;
use gateway_shared::events::inbound::{
    CallPayload, MessagePayload, UndecryptablePayload, kind_schemas,
};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The kinds whose payload is a message.
const MESSAGES: [&str; 7] = [
    "message",
    "message.from_me",
    "message.reaction",
    "message.edited",
    "message.revoked",
    "poll.vote",
    "status.post",
];

/// The schemas by name, for the document's components.
pub(crate) fn schemas(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut schemas = Map::new();
    let mut mapping = Map::new();
    let base: Value = MessagePayload::json_schema(generator).into();
    for (kind, adds) in kind_schemas(generator) {
        let name = format!("{}MessagePayload", pascal(kind));
        mapping.insert(kind.to_owned(), reference(&name)["$ref"].clone());
        schemas.insert(name, merged(&base, &adds));
    }
    schemas.insert(
        "MessageEventPayload".to_owned(),
        json!({
            "description": "A message: `type` says of which kind, and what it holds besides its text \
                stands under that name.",
            "oneOf": mapping.values().map(|name| json!({"$ref": name})).collect::<Vec<_>>(),
            "discriminator": {"propertyName": "type", "mapping": mapping},
        }),
    );
    let call: Value = generator.subschema_for::<CallPayload>().into();
    let undecryptable: Value = generator.subschema_for::<UndecryptablePayload>().into();
    let mut mapping = Map::new();
    for kind in KINDS {
        let payload = if MESSAGES.contains(&kind) {
            reference("MessageEventPayload")
        } else if kind.starts_with("call.") {
            call.clone()
        } else if kind == "message.undecryptable" {
            undecryptable.clone()
        } else {
            json!({"type": "object", "additionalProperties": true})
        };
        let name = format!("{}Event", pascal(kind));
        mapping.insert(kind.to_owned(), reference(&name)["$ref"].clone());
        schemas.insert(name, envelope(kind, &payload));
    }
    schemas.insert(
        "Event".to_owned(),
        json!({
            "description": "An event, as `/events` tells it and webhooks deliver it.",
            "oneOf": mapping.values().map(|name| json!({"$ref": name})).collect::<Vec<_>>(),
            "discriminator": {"propertyName": "event", "mapping": mapping},
        }),
    );
    schemas
}

fn envelope(kind: &str, payload: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "schema": {"type": "string", "const": "v1"},
            "id": {"type": "string", "description": "What to resume from."},
            "event": {"type": "string", "const": kind},
            "session": {"type": "string", "description": "The session it is about, if it is about one."},
            "organization": {"type": "string"},
            "timestamp": {"type": "integer", "format": "int64", "description": "When it was written (ms)."},
            "payload": payload,
        },
        "required": ["schema", "id", "event", "organization", "timestamp", "payload"],
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What all messages have, and what a kind adds: its `type` is a constant.
fn merged(base: &Value, adds: &Value) -> Value {
    let mut merged = base.clone();
    merged["description"] = adds["description"].clone();
    if let (Some(all), Some(own)) = (
        merged["properties"].as_object_mut(),
        adds["properties"].as_object(),
    ) {
        all.extend(own.clone());
    }
    let mut required: Vec<Value> = base["required"].as_array().cloned().unwrap_or_default();
    for name in adds["required"].as_array().into_iter().flatten() {
        if !required.contains(name) {
            required.push(name.clone());
        }
    }
    merged["required"] = required.into();
    merged
}

/// `live_location` and `call.incoming` as a type is called: `LiveLocation`, `CallIncoming`.
fn pascal(name: &str) -> String {
    name.split(['_', '.'])
        .map(|part| {
            let mut letters = part.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}
