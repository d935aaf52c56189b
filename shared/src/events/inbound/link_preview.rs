//! Previews of links.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the sender's WhatsApp showed of a link in the text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundLinkPreview")]
pub struct LinkPreview {
    /// The link, as it stands in the text.
    pub url: String,
    /// The title of what it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What that says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A small picture (JPEG, base64), if it has at most 32 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// The gateway's id of the large picture, once it is stored here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_id: Option<String>,
    /// SHA-256 of the large picture, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_sha256: Option<String>,
}
