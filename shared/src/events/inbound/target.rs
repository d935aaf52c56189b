//! The message that another one is about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Poll};
use crate::clock::Millis;

/// The message that a reaction, a vote, an edit and so on is about, as this session knew it before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TargetMessage")]
pub struct Target {
    /// Its id.
    pub message_id: String,
    /// Whether this account wrote it; null where it is not known here.
    #[serde(default)]
    pub from_me: Option<bool>,
    /// Who wrote it; null where it is not known.
    #[serde(default)]
    pub sender: Option<Address>,
    /// Its type; null where it is not known here.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// When it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Millis>,
    /// Its text before, or the beginning of it (256 bytes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it is, if it is a poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
}
