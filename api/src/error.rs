//! The error envelope: `{"error": {"code", "message", "details"}}`, and the one table from code
//! to status.

use std::borrow::Cow;
use std::error::Error;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use gateway_shared::answers::AnswerError;
use gateway_shared::domain::OutboxId;
use gateway_shared::installation::Foreign;
use gateway_shared::redis::RedisFailure;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::request::Problems;

/// A stable error code. [`Code::status`] is the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request is malformed; `details.errors` lists every problem.
    ValidationError,
    /// No token, or one that is unknown, expired or revoked.
    Unauthorized,
    /// The caller lacks `details.requiredCapability`.
    Forbidden,
    /// There is no such thing, or it is another organization's.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The request contradicts the present state; `details.reason`.
    Conflict,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// The session's rate limit; `details.retryAfterMs`, `details.window`.
    RateLimited,
    /// A mistake of ours; the log has it under the request id.
    Internal,
    /// It was there and is not any more; `details.reason`.
    Gone,
    /// The request is sound, and can not be done here; `details.reason`.
    Unprocessable,
    /// Not built (yet); `details.reason`.
    NotImplemented,
    /// The send failed for good; `details.reason`, `details.waCode`, `details.outboxId`.
    SendFailed,
    /// Something behind this process is not there at the moment; `details.reason`.
    GatewayUnavailable,
}

impl Code {
    /// All of them, in the order of their statuses.
    pub const ALL: [Self; 15] = [
        Self::ValidationError,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::Gone,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Unprocessable,
        Self::RateLimited,
        Self::Internal,
        Self::NotImplemented,
        Self::SendFailed,
        Self::GatewayUnavailable,
    ];

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::ValidationError => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Gone => StatusCode::GONE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::SendFailed => StatusCode::BAD_GATEWAY,
            Self::GatewayUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// How long a caller should wait before it tries again after a passing fault, in milliseconds.
const RETRY_SOON_MS: u64 = 1_000;

/// An error as the envelope shows it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ErrorBody {
    /// What it is.
    code: Code,
    /// For people.
    message: Cow<'static, str>,
    /// What there is to know of it.
    details: Map<String, Value>,
}

/// An answer that is not 2xx.
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    details: Map<String, Value>,
    retry_after_ms: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error without details.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            details: Map::new(),
            retry_after_ms: None,
            source: None,
        }))
    }

    /// There is no such thing, as far as this caller can know.
    #[must_use]
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, format!("{what} not found"))
    }

    /// The request contradicts the present state.
    #[must_use]
    pub fn conflict(reason: &str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Conflict, message).with("reason", reason)
    }

    /// Something behind this process is not there at the moment.
    #[must_use]
    pub fn unavailable(reason: &str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::GatewayUnavailable, message)
            .with("reason", reason)
            .retry_after(RETRY_SOON_MS)
    }

    /// All problems of a request at once.
    #[must_use]
    pub fn validation(problems: &Problems) -> Self {
        let answer = Self::new(Code::ValidationError, "the request is not valid")
            .with("errors", json!(problems.list()));
        match problems.omitted() {
            0 => answer,
            omitted => answer.with("omitted", omitted),
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// Says when to try again; the header rounds up to seconds.
    #[must_use]
    pub fn retry_after(mut self, millis: u64) -> Self {
        self.0.retry_after_ms = Some(millis);
        self
    }

    /// Keeps what caused it, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// The send it is about, where its details name one.
    pub(crate) fn outbox_id(&self) -> Option<OutboxId> {
        self.0.details.get("outboxId")?.as_str()?.parse().ok()
    }

    /// What the envelope holds; what caused it is lost.
    pub(crate) fn into_body(self) -> ErrorBody {
        let Inner {
            code,
            message,
            details,
            ..
        } = *self.0;
        ErrorBody {
            code,
            message,
            details,
        }
    }

    /// What it says to people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }
}

impl From<RedisFailure> for ApiError {
    fn from(failure: RedisFailure) -> Self {
        if is_bug(&failure) {
            return Self::new(Code::Internal, "internal error").caused_by(failure);
        }
        Self::unavailable(failure.reason(), failure.explanation()).caused_by(failure)
    }
}

impl From<AnswerError> for ApiError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Redis(failure) => failure.into(),
            other => Self::new(Code::Internal, "internal error").caused_by(other),
        }
    }
}

impl From<Foreign> for ApiError {
    fn from(foreign: Foreign) -> Self {
        let message = match foreign {
            Foreign::Lost { .. } => "the gateway's store has come back empty and is not served",
            Foreign::Replaced { .. } => "the gateway's store is another one and is not served",
            Foreign::Newer { .. } => "the gateway's store is of a newer version than this process",
            Foreign::KeyMissing { .. } | Foreign::KeyWrong { .. } => {
                "this process does not have the keys of the gateway's store"
            }
        };
        Self::unavailable(foreign.reason(), message)
    }
}

/// Whether Redis answered and the answer shows a mistake of ours, as opposed to not answering.
fn is_bug(failure: &RedisFailure) -> bool {
    use redis::{ErrorKind, ServerErrorKind};
    matches!(
        failure.0.kind(),
        ErrorKind::UnexpectedReturnType
            | ErrorKind::InvalidClientConfig
            | ErrorKind::Server(ServerErrorKind::ResponseError)
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Inner {
            code,
            message,
            details,
            retry_after_ms,
            source,
        } = *self.0;
        let status = code.status();
        let mut response = (
            status,
            Json(json!({"error": ErrorBody { code, message, details }})),
        )
            .into_response();
        let headers = response.headers_mut();
        if code == Code::Unauthorized {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"whatsapp-gateway\""),
            );
        }
        if let Some(millis) = retry_after_ms {
            headers.insert(
                RETRY_AFTER,
                HeaderValue::from(millis.div_ceil(1_000).max(1)),
            );
        }
        if let Some(source) = source {
            response.extensions_mut().insert(Cause(source.into()));
        }
        response
    }
}

/// What caused an error response; the outermost layer logs it with the request id.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) std::sync::Arc<dyn Error + Send + Sync>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_codes() {
        let table: Vec<String> = Code::ALL
            .into_iter()
            .map(|code| {
                format!(
                    "{} {}",
                    code.status().as_u16(),
                    json!(code).as_str().unwrap()
                )
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
