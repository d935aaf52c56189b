//! The document as a whole.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::{Answer, ContentSchema, Operation};
use super::schema::with_nulls;
use super::{components, errors, parameters};
use crate::access::Requirement;
use crate::error::Code;
use crate::routes::Line;

/// What stands at the top of the document.
const ABOUT: &str = "\
An HTTP API for sending WhatsApp messages from linked devices: what was accepted is sent, once, in \
order, and its outcome is emitted.

Every answer carries `X-Request-Id`. All times are epoch milliseconds. Everything that is not 2xx \
is `{\"error\": {\"code\", \"message\", \"details\"}}`; the codes are stable. What belongs to another \
organization is not found.

Callers send `Authorization: Bearer <token>` or `x-api-key`: an API key (`wa_…`), or a login token \
(JWT) of the frontend that this installation trusts. An operator (`super_admin`) acts in the \
organization of the session in the path, or else in the one that `X-Organization-Id` or the token names.";

/// The chapters, in the order they are shown.
const TAGS: [(&str, &str); 11] = [
    ("Messages", "Sending, and acting on messages."),
    ("Outbox", "What became of the sends."),
    (
        "Sessions",
        "WhatsApp numbers: making, pairing, steering them.",
    ),
    ("Link page", "A page on which somebody links a phone."),
    ("Media", "Files to send, and files that were received."),
    ("Groups", "Groups and their members."),
    ("Events", "What happens, as it happens."),
    ("Webhooks", "Events posted to your own addresses."),
    ("API keys", "Tokens for scripts and services."),
    (
        "Administration",
        "For the operators of the installation (`super_admin`).",
    ),
    ("Service", "This process and its documentation."),
];

/// The OpenAPI document, rendered. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(super) json: Bytes,
}

impl Document {
    /// The document of these routes.
    pub(crate) fn of(table: &[Line]) -> Self {
        let mut json = format!("{:#}", value(table));
        json.push('\n');
        Self { json: json.into() }
    }
}

fn value(table: &[Line]) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .for_serialize()
        .into_generator();
    let mut schemas = errors::schemas();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for line in table {
        let operation = (line.operation)();
        if let Some((name, schema)) = operation.body_schema() {
            let mut parts = Map::new();
            let schema = components::named(schema, &mut parts);
            parts.insert(name.to_owned(), schema);
            let shown = parts.into_iter();
            schemas.extend(shown.map(|(name, schema)| (name, with_nulls(schema))));
        }
        let method = line.method.as_str().to_lowercase();
        let shown = shown(line, &operation, &mut generator);
        paths.entry(&line.path).or_default().insert(method, shown);
    }
    schemas.extend(crate::events::schemas(&mut generator));
    schemas.extend(generator.take_definitions(true));
    let paths = json!(paths);
    let mut responses = errors::responses();
    keep_used(&mut responses, &paths);
    // Events are described for who listens, though no route answers one as a whole.
    let event = json!({"$ref": "#/components/schemas/Event"});
    components::drop_unused(&mut schemas, &[&paths, &json!(responses), &event]);
    let tags: Vec<Value> = TAGS
        .iter()
        .map(|(name, about)| json!({"name": name, "description": about}))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "WhatsApp Gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, or a login token (JWT).",
                },
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "responses": responses,
            "schemas": schemas,
        },
    })
}

/// Drops the responses that no operation refers to.
fn keep_used(responses: &mut Map<String, Value>, paths: &Value) {
    let paths = paths.to_string();
    responses.retain(|name, _| paths.contains(&format!("#/components/responses/{name}\"")));
}

fn shown(line: &Line, operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut about = operation.about.clone();
    let names = line.need.names();
    if !names.is_empty() {
        if !about.is_empty() {
            about.push_str("\n\n");
        }
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        about.push_str(&format!("**Needs** {}.", names.join(" or ")));
    }
    let mut shown = json!({
        "tags": [operation.tag],
        "operationId": operation.id,
        "summary": operation.summary,
        "description": about,
        "responses": responses(line, operation, generator),
        "security": match line.need {
            Requirement::Nothing => json!([]),
            _ => json!([{"bearer": []}, {"apiKey": []}]),
        },
        // One of these is needed. (Scopes of the security schemes would mean all of them.)
        "x-capabilities": line.need.names(),
    });
    let mut listed = parameters::of(&line.path, generator);
    listed.extend(operation.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": parameter.place,
            "description": parameter.about,
            "schema": parameter.schema,
        })
    }));
    if !listed.is_empty() {
        shown["parameters"] = listed.into();
    }
    if let Some(body) = &operation.body {
        let examples: Map<String, Value> = body
            .examples
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({"value": value})))
            .collect();
        shown["requestBody"] = json!({
            "required": body.required,
            "content": {"application/json": {
                "schema": {"$ref": format!("#/components/schemas/{}", body.name)},
                "examples": examples,
            }},
        });
    }
    if operation.takes_file {
        let file = json!({"type": "string", "format": "binary"});
        shown["requestBody"] = json!({
            "required": true,
            "content": {
                "application/octet-stream": {"schema": file},
                "multipart/form-data": {"schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": file},
                }},
            },
        });
    }
    shown
}

fn responses(line: &Line, operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut responses: BTreeMap<u16, Value> = operation
        .answers
        .iter()
        .map(|one| (one.status, answer(one, generator)))
        .collect();
    for code in Code::ALL {
        let notes: Vec<&str> = operation
            .errors
            .iter()
            .filter(|(known, _)| *known == code)
            .map(|(_, when)| when.as_str())
            .collect();
        if follows(code, line, operation) || !notes.is_empty() {
            responses.insert(code.status().as_u16(), errors::response_of(code, &notes));
        }
    }
    let responses: BTreeMap<String, Value> = responses
        .into_iter()
        .map(|(status, response)| (status.to_string(), response))
        .collect();
    json!(responses)
}

/// Whether every route of this shape can be answered with this error.
fn follows(code: Code, line: &Line, operation: &Operation) -> bool {
    let gated = line.need != Requirement::Nothing;
    match code {
        Code::Unauthorized | Code::Forbidden | Code::RateLimited | Code::GatewayUnavailable => {
            gated
        }
        Code::NotFound => gated && parameters::names(&line.path).next().is_some(),
        Code::ValidationError => !operation.parameters.is_empty() || operation.body.is_some(),
        Code::PayloadTooLarge | Code::UnsupportedMediaType => operation.body.is_some(),
        Code::Internal => true,
        _ => false,
    }
}

fn answer(answer: &Answer, generator: &mut SchemaGenerator) -> Value {
    let mut shown = json!({"description": answer.about});
    let content: Map<String, Value> = answer
        .content
        .iter()
        .map(|content| {
            let schema = match &content.schema {
                ContentSchema::Derived(derive) => derive(generator).into(),
                ContentSchema::Written(schema) => schema.clone(),
            };
            let mut form = json!({"schema": schema});
            if !content.example.is_null() {
                form["example"] = content.example.clone();
            }
            (content.mimetype.to_owned(), form)
        })
        .collect();
    if !content.is_empty() {
        shown["content"] = content.into();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::tests::table;

    /// The snapshot of the document; `UPDATE_OPENAPI=1` writes it anew.
    const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

    #[tokio::test]
    async fn the_snapshot_is_what_is_served() {
        let document = Document::of(&table().await);
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(SNAPSHOT, &document.json).unwrap();
        }
        let snapshot = std::fs::read(SNAPSHOT).unwrap_or_default();
        assert!(
            snapshot == document.json,
            "docs/openapi.json is not what is served: `make openapi` writes it anew"
        );
    }

    /// What the compiler can not ask of those who add a route.
    #[tokio::test]
    async fn every_route_says_what_it_does() {
        let mut ids = Vec::new();
        for line in table().await {
            let operation = (line.operation)();
            let name = format!("{} {}", line.method, line.path);
            assert!(!operation.summary.is_empty(), "{name} has no summary");
            assert!(!operation.summary.ends_with('.'), "{name}: no full stop");
            assert!(!operation.answers.is_empty(), "{name} has no answer");
            let known = TAGS.iter().any(|(tag, _)| *tag == operation.tag);
            assert!(known, "{name}: there is no chapter {}", operation.tag);
            if let Some(body) = &operation.body {
                assert!(!body.examples.is_empty(), "{name}: its body has no example");
            }
            for content in operation.answers.iter().flat_map(|one| &one.content) {
                let shown = content.mimetype != "application/json" || !content.example.is_null();
                assert!(shown, "{name}: an answer has no example");
            }
            let mut generator = SchemaGenerator::default();
            for parameter in parameters::of(&line.path, &mut generator) {
                assert!(
                    parameter["description"] != "",
                    "{name}: openapi/parameters.rs does not know {}",
                    parameter["name"]
                );
            }
            assert!(
                !ids.contains(&operation.id),
                "{name}: {} twice",
                operation.id
            );
            ids.push(operation.id);
        }
    }
}
