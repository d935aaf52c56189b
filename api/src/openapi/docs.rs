//! What these routes say of themselves.

use serde_json::{Value, json};

use super::Operation;

pub(crate) fn serve() -> Operation {
    Operation::new("Service", "getOpenApi", "This document").answer_as(
        200,
        "OpenAPI 3.1.",
        "application/json",
        json!({"type": "object", "required": ["openapi", "info", "paths"],
                "properties": {
                    "openapi": {"type": "string"},
                    "info": {"type": "object"},
                    "paths": {"type": "object"},
                }, "additionalProperties": true}),
        json!({"openapi": "3.1.0", "info": {}, "paths": {}}),
    )
}

pub(crate) fn page() -> Operation {
    Operation::new("Service", "getDocs", "This document as a page").answer_as(
        200,
        "HTML, without anything from elsewhere.",
        "text/html",
        json!({"type": "string"}),
        Value::Null,
    )
}
