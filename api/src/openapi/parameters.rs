//! The parameters of paths.

use gateway_shared::domain::{
    ApiKeyId, DeliveryId, JobId, OrganizationId, OutboxId, SessionId, WebhookId, WorkerId,
};
use schemars::SchemaGenerator;
use serde_json::{Value, json};

/// The schema of a path parameter and what it names; `None` = nobody has said it yet.
fn described(name: &str, generator: &mut SchemaGenerator) -> Option<(Value, &'static str)> {
    let id = |schema: schemars::Schema| Value::from(schema);
    Some(match name {
        "session" => (
            id(generator.subschema_for::<SessionId>()),
            "A session: one attached WhatsApp number.",
        ),
        "outboxId" => (
            id(generator.subschema_for::<OutboxId>()),
            "An accepted send or message operation.",
        ),
        "keyId" => (
            id(generator.subschema_for::<ApiKeyId>()),
            "An API key, by its public id.",
        ),
        "webhookId" => (id(generator.subschema_for::<WebhookId>()), "A webhook."),
        "deliveryId" => (
            id(generator.subschema_for::<DeliveryId>()),
            "The delivery of one event to the webhook.",
        ),
        "workerId" => (id(generator.subschema_for::<WorkerId>()), "A worker."),
        "organizationId" => (
            id(generator.subschema_for::<OrganizationId>()),
            "An organization.",
        ),
        "jobId" => (
            id(generator.subschema_for::<JobId>()),
            "A job of an operator.",
        ),
        "mid" => (
            json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}),
            "A message, by its WhatsApp id.",
        ),
        "gid" => (
            json!({"type": "string", "pattern": "^[0-9][0-9-]{0,39}@g\\.us$"}),
            "A group, by its JID.",
        ),
        "token" => (
            json!({"type": "string", "pattern": "^[0-9a-f]{48}$"}),
            "A one-time token of a link page.",
        ),
        "mediaToken" => (
            json!({"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}),
            "The last part of a signed address, as an event has it.",
        ),
        _ => return None,
    })
}

/// The names in a path.
pub(super) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
}

/// The parameters of a path as the document lists them.
pub(super) fn of(path: &str, generator: &mut SchemaGenerator) -> Vec<Value> {
    names(path)
        .map(|name| {
            let (schema, about) = described(name, generator).unwrap_or_default();
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": about,
                "schema": schema,
            })
        })
        .collect()
}
