//! Errors as the document shows them: one schema and one response for each code.

use serde_json::{Map, Value, json};

use crate::error::Code;

/// The name of a code on the wire.
pub(super) fn name(code: Code) -> String {
    json!(code).as_str().unwrap_or_default().to_owned()
}

/// What a code means wherever it comes.
fn meaning(code: Code) -> &'static str {
    match code {
        Code::ValidationError => "The request is not valid; every problem is listed.",
        Code::Unauthorized => "No token, or one that is unknown, expired or revoked.",
        Code::Forbidden => {
            "The caller lacks `details.requiredCapability`, or the account the rank in the group \
             (`details.reason`)."
        }
        Code::NotFound => "There is no such thing in the caller's organization.",
        Code::MethodNotAllowed => "The path exists, the method does not.",
        Code::Conflict => "The request contradicts the present state; `details.reason` says how.",
        Code::PayloadTooLarge => "The body is too large.",
        Code::UnsupportedMediaType => "The body is not `application/json`.",
        Code::RateLimited => "Too much at the moment.",
        Code::Internal => "A mistake of the gateway's; its log has it under the request id.",
        Code::Gone => "It is not there any more; `details.reason` says what.",
        Code::Unprocessable => "Sound, and not possible here; `details.reason` says why.",
        Code::NotImplemented => "Not possible; `details.reason` says why.",
        Code::SendFailed => "The send failed for good.",
        Code::GatewayUnavailable => {
            "Something behind the API is not there at the moment (`redis_unreachable`, \
             `shutting_down`); try again after `Retry-After`."
        }
    }
}

/// What `details` may hold.
fn details(code: Code) -> Value {
    let reason = json!({"type": "string", "description": "A stable word for why."});
    let millis = json!({"type": "integer", "minimum": 0});
    match code {
        Code::ValidationError => json!({
            "type": "object",
            "required": ["errors"],
            "properties": {"errors": {
                "type": "array",
                "minItems": 1,
                "maxItems": 100,
                "items": {
                    "type": "object",
                    "required": ["field", "message"],
                    "properties": {
                        "field": {
                            "type": "string",
                            "description": "A path into the body (`options[2]`), or the name of a \
                                            parameter or header.",
                        },
                        "message": {"type": "string"},
                    },
                },
            }, "omitted": {
                "type": "integer",
                "description": "How many more there are, where it is more than 100.",
            }, "reason": reason},
        }),
        Code::Forbidden => json!({
            "type": "object",
            "properties": {
                "requiredCapability": {"type": "string"},
                "reason": reason,
                "outboxId": {"type": "string"},
                "waMessageId": {"type": "string"},
                "replayed": {"type": "boolean"},
            },
        }),
        Code::Conflict
        | Code::Gone
        | Code::Unprocessable
        | Code::NotImplemented
        | Code::GatewayUnavailable => json!({
            "type": "object",
            "required": ["reason"],
            "properties": {"reason": reason},
            "additionalProperties": true,
        }),
        Code::RateLimited => json!({
            "type": "object",
            "required": ["retryAfterMs", "window"],
            "properties": {
                "retryAfterMs": millis,
                "window": {
                    "enum": ["minute", "hour", "requests", "bytes", "waiting"],
                    "description": "The session's rate limit (`minute`, `hour`), or the organization's \
                                    quota.",
                },
                "limit": {"type": "integer", "description": "Of `waiting`: how many may."},
            },
        }),
        Code::SendFailed => json!({
            "type": "object",
            "required": ["reason", "outboxId"],
            "properties": {
                "reason": reason,
                "outboxId": {"type": "string"},
                "waMessageId": {"type": "string"},
                "waCode": {"type": "integer"},
                "replayed": {"type": "boolean"},
            },
        }),
        _ => json!({"type": "object", "additionalProperties": true}),
    }
}

fn example(code: Code) -> Value {
    let (message, details) = match code {
        Code::ValidationError => (
            "the request is not valid",
            json!({"errors": [{"field": "to", "message": "is required"}]}),
        ),
        Code::Unauthorized => ("the token is unknown, expired or revoked", json!({})),
        Code::Forbidden => (
            "this needs the capability send",
            json!({"requiredCapability": "send"}),
        ),
        Code::NotFound => ("session not found", json!({})),
        Code::MethodNotAllowed => ("PUT is not a method of this path", json!({})),
        Code::Conflict => (
            "the Idempotency-Key was used before with another request",
            json!({"reason": "idempotency_key_reused"}),
        ),
        Code::PayloadTooLarge => (
            "the body may have at most 1048576 bytes",
            json!({"limitBytes": 1_048_576}),
        ),
        Code::UnsupportedMediaType => (
            "the body must be JSON: Content-Type: application/json",
            json!({}),
        ),
        Code::RateLimited => (
            "over the session's rate limit (per minute)",
            json!({"retryAfterMs": 2_500, "window": "minute"}),
        ),
        Code::Internal => ("internal error", json!({})),
        Code::NotImplemented => (
            "WhatsApp's library can not send files to channels",
            json!({"reason": "channel_media"}),
        ),
        Code::Gone => (
            "the file is not in the store any more",
            json!({"reason": "media_gone"}),
        ),
        Code::Unprocessable => (
            "audio/mpeg would have to be converted, and ffmpeg is not installed",
            json!({"reason": "conversion_unavailable"}),
        ),
        Code::SendFailed => (
            "WhatsApp refused the message with code 403",
            json!({
                "reason": "refused",
                "waCode": 403,
                "outboxId": "out_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
                "waMessageId": "3EB0C431C26A1916E07A55",
                "replayed": false,
            }),
        ),
        Code::GatewayUnavailable => (
            "the session is not connected; an async send would wait for it",
            json!({"reason": "session_not_connected"}),
        ),
    };
    json!({"error": {"code": code, "message": message, "details": details}})
}

/// The name of a code's schema.
fn schema_name(code: Code) -> String {
    let words = name(code);
    let camel: String = words
        .split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        })
        .collect();
    camel
        + if words.ends_with("error") {
            ""
        } else {
            "Error"
        }
}

/// The schemas of all codes.
pub(super) fn schemas() -> Map<String, Value> {
    let schema = |code: Code| {
        json!({
            "type": "object",
            "required": ["error"],
            "properties": {"error": {
                "type": "object",
                "required": ["code", "message", "details"],
                "properties": {
                    "code": {"const": name(code)},
                    "message": {"type": "string", "description": "For people."},
                    "details": details(code),
                },
            }},
        })
    };
    Code::ALL
        .into_iter()
        .map(|code| (schema_name(code), schema(code)))
        .collect()
}

/// The responses of all codes, as components.
pub(super) fn responses() -> Map<String, Value> {
    Code::ALL
        .into_iter()
        .map(|code| (schema_name(code), response(code, &[])))
        .collect()
}

/// The response of a code where `notes` say when it comes: a reference where there are none.
pub(super) fn response_of(code: Code, notes: &[&str]) -> Value {
    if notes.is_empty() {
        return json!({"$ref": format!("#/components/responses/{}", schema_name(code))});
    }
    response(code, notes)
}

fn response(code: Code, notes: &[&str]) -> Value {
    let mut about = meaning(code).to_owned();
    for note in notes {
        about.push_str("\n- ");
        about.push_str(note);
    }
    let mut response = json!({
        "description": about,
        "content": {"application/json": {
            "schema": {"$ref": format!("#/components/schemas/{}", schema_name(code))},
            "example": example(code),
        }},
    });
    let header = |about: &str, kind: &str| json!({"description": about, "schema": {"type": kind}});
    match code {
        Code::Unauthorized => {
            response["headers"] =
                json!({"WWW-Authenticate": header("The scheme that is asked for.", "string")});
        }
        Code::RateLimited | Code::GatewayUnavailable => {
            response["headers"] =
                json!({"Retry-After": header("Seconds until another try makes sense.", "integer")});
        }
        _ => {}
    }
    response
}
