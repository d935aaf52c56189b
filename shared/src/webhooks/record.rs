//! A webhook as its organization sees it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::domain::{OrganizationId, SessionId, WebhookId};
use crate::events::{Event, GAP_KIND};

/// Most headers of one's own.
pub const MAX_HEADERS: usize = 20;

/// Headers of one's own: names in lower case.
pub type CustomHeaders = BTreeMap<String, String>;

/// Whether a header is the gateway's or the connection's own, and so can not be set.
#[must_use]
pub fn reserved_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("webhook-")
        || name.starts_with("x-webhook-")
        || matches!(
            name.as_str(),
            "host"
                | "content-type"
                | "content-length"
                | "content-encoding"
                | "transfer-encoding"
                | "connection"
                | "keep-alive"
                | "upgrade"
                | "te"
                | "trailer"
                | "expect"
                | "proxy-authorization"
                | "proxy-connection"
                | "user-agent"
        )
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Where events are posted.
    pub url: String,
    /// The kinds of events that it wants; `["*"]` = all.
    pub events: EventFilter,
    /// Only events of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The form of what is posted.
    pub format: Format,
    /// Whether the files of messages are fetched at once, and their signed addresses posted.
    pub auto_download: bool,
    /// Headers of one's own, sent with every delivery.
    pub custom_headers: CustomHeaders,
    /// When a refused event is tried again; absent = the gateway's own schedule, up to 72 hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// Whether events are posted.
    pub active: bool,
    /// How its endpoint is doing.
    pub health: Health,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

/// The kinds of events that a webhook wants: exact names, or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EventFilter(pub Vec<String>);

impl EventFilter {
    /// Whether a kind passes.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.0.iter().any(|one| one == "*" || one == kind)
    }
}

impl Webhook {
    /// Whether an event is to be delivered. A gap concerns everybody.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        if event.kind == GAP_KIND {
            return true;
        }
        self.events.wants(&event.kind)
            && self
                .session_id
                .as_ref()
                .is_none_or(|session| session.as_str() == event.session)
    }
}

/// The form of what is posted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The envelope of `/events`.
    #[default]
    Gateway,
    /// `messages`, `statuses`, `messages_updates`, `messages_removed`, as whapi.cloud posts them.
    Whapi,
}

/// When a refused event is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryPolicy {
    /// How pauses grow.
    pub policy: RetryKind,
    /// The first pause, in seconds: 1 to 3,600.
    pub delay_seconds: u32,
    /// Attempts as a whole: 1 to 100.
    pub attempts: u32,
}

/// How the pauses of a retry policy grow. None is longer than an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RetryKind {
    /// Not at all.
    Constant,
    /// By the first pause each time.
    Linear,
    /// Twofold each time.
    Exponential,
}

/// How an endpoint is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// In a word.
    pub state: HealthState,
    /// Since when it has done nothing but fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Millis>,
    /// Failures in a row.
    pub failures: u32,
    /// What the last failure was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Millis>,
    /// Why it is not active: `by_request`, `gone` (it answered 410) or `failing` (for five days).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// Events delivered since it was made.
    pub delivered: u64,
    /// Dead letters since it was made.
    pub dead: u64,
    /// Chats that wait behind a refused event.
    pub held: u64,
}

/// How an endpoint is doing, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// Its last answer was a success, or there was none yet.
    Ok,
    /// It fails.
    Failing,
    /// It counts as down: everything waits, one delivery at a time tries it.
    Down,
    /// It gets nothing.
    Disabled,
}
