//! Edits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The target says something else now: `text` is its new text or caption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundEdit")]
pub struct Edit {
    /// The type of what it is now: `text`, `image` and so on.
    pub edited_type: String,
}
