//! A send as a caller writes it.

use serde_json::{Value, json};

/// The statuses of a send, in the order in which they may follow each other.
pub const STATUSES: [&str; 9] = [
    "scheduled",
    "queued",
    "sending",
    "sent",
    "delivered",
    "read",
    "played",
    "failed",
    "cancelled",
];

/// `POST …/messages` and its options.
#[derive(Debug, Clone)]
pub struct SendRequest {
    pub(super) body: Value,
    pub(super) asynchronous: Option<bool>,
    pub(super) key: Option<String>,
    pub(super) request_id: Option<String>,
}

impl SendRequest {
    /// A text to a number or JID, sent synchronously.
    #[must_use]
    pub fn text(to: &str, text: &str) -> Self {
        Self::body(json!({ "type": "text", "to": to, "text": text }))
    }

    /// Any body, sent synchronously.
    #[must_use]
    pub fn body(body: Value) -> Self {
        Self {
            body,
            asynchronous: None,
            key: None,
            request_id: None,
        }
    }

    /// With `?async=true`.
    #[must_use]
    pub fn asynchronous(mut self) -> Self {
        self.asynchronous = Some(true);
        self
    }

    /// With `?async=true`, and a `sendAt` so many milliseconds from now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a caller names a moment by the clock on its wall"
    )]
    pub fn in_millis(self, millis: u64) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        self.asynchronous()
            .with("sendAt", now.saturating_add(millis))
    }

    /// With an `Idempotency-Key`.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// With an `X-Request-Id`.
    #[must_use]
    pub fn request_id(mut self, id: &str) -> Self {
        self.request_id = Some(id.to_owned());
        self
    }

    /// With one more field in its body.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.body[field] = value.into();
        self
    }
}
