//! What a message answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Button};

/// The message that a message answers, as its sender quotes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QuotedMessage")]
pub struct Quoted {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    #[serde(default)]
    pub author: Option<Address>,
    /// Its type: `text`, `image` and so on.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// Its text, caption, question or name.
    #[serde(default)]
    pub text: Option<String>,
    /// What stood above its text, if it had buttons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What stood below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// The buttons it had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}
