//! What these routes say of themselves.

use gateway_shared::apikey::{ApiKey, Capability};
use gateway_shared::domain::SessionId;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::MadeKey;
use super::input::{NAME, SESSIONS};
use crate::openapi::{Object, Operation, list as list_of, text, time};
use crate::page::Page;
use crate::request::TIME;

const TAG: &str = "API keys";

/// A key for the examples.
fn example() -> Value {
    json!({
        "id": "key_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "organization": "org_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "name": "Shop",
        "capabilities": ["send", "events"],
        "sessions": ["sess_01KAHX3N5RDGT0M7Y8Z9ABCDEF"],
        "createdAt": 1_763_700_000_000_i64,
    })
}

pub(crate) fn list() -> Operation {
    Operation::new(TAG, "listApiKeys", "List the API keys")
        .about(
            "Without their secrets, in one page. A key confined to sessions sees only such keys.",
        )
        .answer::<Page<ApiKey>>(
            200,
            "The keys.",
            json!({"data": [example()], "nextCursor": ""}),
        )
}

pub(crate) fn create() -> Operation {
    let capabilities: Vec<&str> = Capability::ALL
        .into_iter()
        .map(Capability::as_str)
        .collect();
    let mut made = example();
    made["key"] = "wa_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".into();
    let session: Value = SchemaGenerator::default()
        .subschema_for::<SessionId>()
        .into();
    Operation::new(TAG, "createApiKey", "Make an API key")
        .about(
            "The key is shown this once. It can be given no capability that its maker lacks, and the \
             keys of a maker who is confined to sessions are confined to these.",
        )
        .body(
            "NewApiKey",
            Object::new()
                .required(
                    "capabilities",
                    list_of(json!({"enum": capabilities}), 1..=4, "What it allows."),
                )
                .optional("name", text(NAME, "A name for people."))
                .optional(
                    "sessions",
                    list_of(session, 1..=SESSIONS, "The sessions it is confined to."),
                )
                .optional("expiresAt", time(TIME, "When it ends by itself: in the future, and no later than the key it is made with.")),
            [("For a shop", json!({"name": "Shop", "capabilities": ["send", "events"]}))],
        )
        .answer::<MadeKey>(201, "The key.", made)
}

pub(crate) fn revoke() -> Operation {
    Operation::new(TAG, "revokeApiKey", "Revoke an API key")
        .about("At once, on every API process; streams that were opened with it end.")
        .answer_empty(204, "It is refused from now on.")
}
