//! How far a send is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The status of an outbox entry. It only ever moves forward:
///
/// ```text
/// scheduled ─▶ queued ─▶ sending ─▶ sent ─▶ delivered ─▶ read ─▶ played
///      │          │         │
///      └──────────┴─────────┴─▶ failed | cancelled
/// ```
///
/// A failed entry that its owner retries begins a new try, at `queued`; forward is meant within a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SendStatus {
    /// Waits for its `sendAt`.
    Scheduled,
    /// Waits in its lane.
    Queued,
    /// Was attempted, or is being attempted.
    Sending,
    /// WhatsApp's server has acknowledged it.
    Sent,
    /// A device of the recipient has it.
    Delivered,
    /// The recipient has read it.
    Read,
    /// The recipient has played it (voice and video).
    Played,
    /// It will not be sent; the error says why.
    Failed,
    /// It was cancelled before it was attempted.
    Cancelled,
}

impl SendStatus {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Scheduled,
        Self::Queued,
        Self::Sending,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Played,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name on the wire and in Redis.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a synchronous request has its answer: WhatsApp took the send, or never will.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Scheduled | Self::Queued | Self::Sending)
    }
}

/// A text that names no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be one of scheduled, queued, sending, sent, delivered, read, played, failed, cancelled"
)]
pub struct UnknownStatus;

impl FromStr for SendStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownStatus)
    }
}

impl fmt::Display for SendStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
