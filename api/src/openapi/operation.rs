//! What a route says of itself.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::error::Code;

/// What a route says of itself. Path, method and capabilities are the table's business, and the
/// errors that every route of its shape has are added by themselves: 401 and 403 where a token is
/// needed, 404 where the path has a parameter, 400 where there is something to validate, 413 and
/// 415 where there is a body, 500 and 503 everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(super) tag: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) about: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    /// Whether the body is a file.
    pub(super) takes_file: bool,
    pub(super) answers: Vec<Answer>,
    pub(super) errors: Vec<(Code, String)>,
}

/// What an `Idempotency-Key` may be.
fn idempotency_key() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"})
}

/// A query parameter or a header.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) place: &'static str,
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) about: &'static str,
}

/// A JSON body.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) required: bool,
    pub(super) examples: Vec<(&'static str, Value)>,
}

/// An answer that is no error.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) about: &'static str,
    pub(super) content: Vec<Content>,
}

/// One form of an answer.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) mimetype: &'static str,
    pub(super) schema: ContentSchema,
    pub(super) example: Value,
}

/// Where the schema of an answer comes from.
#[derive(Debug, Clone)]
pub(super) enum ContentSchema {
    /// The type that is serialized.
    Derived(fn(&mut SchemaGenerator) -> Schema),
    /// Written down.
    Written(Value),
}

impl Operation {
    /// An operation. `tag` is the chapter it stands in, `id` its name in generated clients, and
    /// `summary` a short sentence without a full stop.
    pub(crate) fn new(tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            tag,
            id,
            summary,
            about: String::new(),
            parameters: Vec::new(),
            body: None,
            takes_file: false,
            answers: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// More than fits into the summary.
    pub(crate) fn about(mut self, text: &str) -> Self {
        text.clone_into(&mut self.about);
        self
    }

    /// A query parameter, which may be left out.
    pub(crate) fn query(mut self, name: &'static str, schema: Value, about: &'static str) -> Self {
        self.parameters.push(Parameter {
            place: "query",
            name,
            schema,
            about,
        });
        self
    }

    /// A header, which may be left out.
    pub(crate) fn header(mut self, name: &'static str, schema: Value, about: &'static str) -> Self {
        self.parameters.push(Parameter {
            place: "header",
            name,
            schema,
            about,
        });
        self
    }

    /// `limit` and `cursor` of a list.
    pub(crate) fn paged(self) -> Self {
        self.query(
            "limit",
            json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
            "Entries a page.",
        )
        .query(
            "cursor",
            json!({"type": "string"}),
            "`nextCursor` of the page before.",
        )
    }

    /// It takes an `Idempotency-Key`.
    pub(crate) fn idempotent(self) -> Self {
        self.idempotent_items().error(
            Code::Conflict,
            "`idempotency_key_reused`: the key was used before with another request",
        )
    }

    /// It takes an `Idempotency-Key`, and its answer is kept for the repeat.
    pub(crate) fn once(mut self) -> Self {
        self.parameters.push(Parameter {
            place: "header",
            name: "Idempotency-Key",
            schema: idempotency_key(),
            about: "Makes a repeat safe: the same key with the same request is answered as the first \
                    one was, with the header `Idempotency-Replayed: true`. Kept 24 hours, scoped to \
                    the organization (for a key that is confined to sessions: to those).",
        });
        self.error(
            Code::Conflict,
            "`idempotency_key_reused`: the key was used before with another request; \
             `idempotency_key_in_use`: the same request is under way",
        )
    }

    /// It takes an `Idempotency-Key` for what is in it; a conflict of one is none of the whole.
    pub(crate) fn idempotent_items(self) -> Self {
        self.header(
            "Idempotency-Key",
            idempotency_key(),
            "Makes a repeat safe: the same key with the same request is the same send, whose present \
             result is answered with `replayed: true`. Kept 24 hours, scoped to the organization (for a key \
             that is confined to sessions: to those).",
        )
    }

    /// A JSON body. `name` is that of its schema.
    pub(crate) fn body(
        mut self,
        name: &'static str,
        schema: impl Into<Value>,
        examples: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Self {
        self.body = Some(Body {
            name,
            schema: schema.into(),
            required: true,
            examples: examples.into_iter().collect(),
        });
        self
    }

    /// The body is a file: as it is, or in a form as `file`.
    pub(crate) fn file_body(mut self) -> Self {
        self.takes_file = true;
        self
    }

    /// A JSON body that may be left out.
    pub(crate) fn optional_body(
        self,
        name: &'static str,
        schema: impl Into<Value>,
        examples: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Self {
        let mut operation = self.body(name, schema, examples);
        if let Some(body) = &mut operation.body {
            body.required = false;
        }
        operation
    }

    /// A JSON answer of this type.
    pub(crate) fn answer<T: JsonSchema>(
        self,
        status: u16,
        about: &'static str,
        example: Value,
    ) -> Self {
        let schema = ContentSchema::Derived(|generator| generator.subschema_for::<T>());
        self.content(status, about, "application/json", schema, example)
    }

    /// An answer of another form.
    pub(crate) fn answer_as(
        self,
        status: u16,
        about: &'static str,
        mimetype: &'static str,
        schema: Value,
        example: Value,
    ) -> Self {
        let schema = ContentSchema::Written(schema);
        self.content(status, about, mimetype, schema, example)
    }

    /// An answer without a body.
    pub(crate) fn answer_empty(mut self, status: u16, about: &'static str) -> Self {
        self.answers.push(Answer {
            status,
            about,
            content: Vec::new(),
        });
        self
    }

    fn content(
        mut self,
        status: u16,
        about: &'static str,
        mimetype: &'static str,
        schema: ContentSchema,
        example: Value,
    ) -> Self {
        let content = Content {
            mimetype,
            schema,
            example,
        };
        match self.answers.iter_mut().find(|one| one.status == status) {
            Some(answer) => answer.content.push(content),
            None => self.answers.push(Answer {
                status,
                about,
                content: vec![content],
            }),
        }
        self
    }

    /// An error beyond those that follow from the route's shape, or when one of those comes: a
    /// `details.reason` in backquotes, and what it means.
    pub(crate) fn error(mut self, code: Code, when: &str) -> Self {
        self.errors.push((code, when.to_owned()));
        self
    }

    /// What every synchronous send and message operation can be refused with.
    pub(crate) fn sends(self) -> Self {
        self.error(
            Code::RateLimited,
            "over the session's rate limit; `details.window` and `details.retryAfterMs` say more",
        )
        .error(
            Code::Conflict,
            "`cancelled`: the original send under this key was cancelled; `logged_out`: no number is \
             paired, so an asynchronous send could belong to none",
        )
        .error(
            Code::SendFailed,
            "the send failed for good; `details.reason` and, where WhatsApp refused it, \
             `details.waCode` say why",
        )
        .error(
            Code::GatewayUnavailable,
            "`session_not_connected`, `no_worker`, `lane_full`, `lane_paused`, `lane_resting`, \
             `new_chats_held`",
        )
    }

    /// The body's schema, and its name.
    pub(super) fn body_schema(&self) -> Option<(&'static str, Value)> {
        let body = self.body.as_ref()?;
        Some((body.name, body.schema.clone()))
    }
}
