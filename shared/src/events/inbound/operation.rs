//! What messages do to other messages, their targets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// A reaction to the target: the only one of its sender.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundReaction")]
pub struct Reaction {
    /// The emoji; empty = the reaction is taken back; null = it could not be decrypted.
    pub emoji: Option<String>,
}

/// The target is pinned to the top of the chat, or no longer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundPin")]
pub struct Pin {
    /// Whether it is pinned.
    pub pinned: bool,
    /// For how long, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// The target is kept although its chat's messages disappear, or no longer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundKeep")]
pub struct Keep {
    /// Whether it is kept.
    pub kept: bool,
}

/// How long messages of the chat are kept from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundTimer")]
pub struct Timer {
    /// Seconds until a message disappears; 0 = never.
    pub seconds: u32,
}

/// A comment on the target, a post. `text` is what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundComment")]
pub struct Comment {
    /// The type of what it says: `text`, `image` and so on; null = it could not be decrypted.
    pub comment_type: Option<String>,
    /// When it was written, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Millis>,
}
