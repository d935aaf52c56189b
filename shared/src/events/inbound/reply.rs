//! Answers to buttons and lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Somebody pressed a button or chose a row; `quoted` is the message that offered it, and `text`
/// what the button or row says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundReply")]
pub struct Reply {
    /// Of what: `buttons`, `list`, `template` or `interactive`.
    pub to: String,
    /// The id of the button or row.
    pub id: String,
    /// What it says.
    pub title: String,
    /// What it says below that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The answer of a native flow, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
}
