//! Calls: as they ring, as they end, and the messages that tell of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Address;
use crate::clock::Millis;

/// The payload of `call.incoming`, `call.missed` and `call.ended_elsewhere`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundCallPayload")]
pub struct CallPayload {
    /// WhatsApp's id of the call: the same in all events of it.
    pub call_id: String,
    /// Who calls.
    pub from: Address,
    /// The group that is called, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_jid: Option<String>,
    /// Whether it is a video call; absent where WhatsApp did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<bool>,
    /// How the caller calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_name: Option<String>,
    /// How it ended, of a call that does not ring any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<CallEnd>,
    /// When, by WhatsApp's clock.
    pub timestamp: Millis,
    /// Whether it was told late: it waited for the session on WhatsApp's server.
    pub offline: bool,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InboundCallEnd")]
pub enum CallEnd {
    /// The session was not connected when it rang.
    Offline,
    /// The caller gave up, or nobody answered in time.
    Unanswered,
    /// Another device of the account took it.
    AcceptedElsewhere,
    /// Another device of the account declined it.
    RejectedElsewhere,
}

/// A message in the chat that tells of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundCallLog")]
pub struct CallLog {
    /// Whether it was a video call.
    pub video: bool,
    /// WhatsApp's word for how it ended: `CONNECTED`, `MISSED`, `REJECTED`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// How long it lasted, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// The JIDs of those who took part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<String>,
}

/// A call that is planned, or is called off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundScheduledCall")]
pub struct ScheduledCall {
    /// Whether it is called off; the message that planned it is then the target.
    pub cancelled: bool,
    /// Whether it is a video call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<bool>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Millis>,
}
