//! Messages with buttons and lists: templates, interactive messages, buttons, lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A message with something to choose. `text` is its body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundInteractive")]
pub struct Interactive {
    /// What stands above the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What stands below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// The buttons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// What the button that opens a list says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_button: Option<String>,
    /// The parts of a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<ListSection>,
    /// The id of the template it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// The cards of a carousel: the text of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<String>,
}

/// A button.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MessageButton")]
pub struct Button {
    /// `quick_reply`, `url`, `call`, or WhatsApp's own word for a native flow.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says.
    pub text: String,
    /// What an answer names it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it leads, of a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whom it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The parameters of a native flow, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundListSection")]
pub struct ListSection {
    /// What it is called.
    pub title: String,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A row of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ListRow")]
pub struct Row {
    /// What an answer names it by.
    pub id: String,
    /// What it says.
    pub title: String,
    /// What it says below that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
