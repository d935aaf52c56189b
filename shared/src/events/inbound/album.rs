//! Albums: pictures and videos that belong together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The message that begins an album. Its pictures and videos follow as messages of their own, which
/// name it in `parent`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundAlbum")]
pub struct Album {
    /// How many pictures are to follow.
    pub images: u32,
    /// How many videos are to follow.
    pub videos: u32,
}

/// The message that a message belongs to: an album, or the picture whose better version it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ParentMessage")]
pub struct Parent {
    /// The id of that message.
    pub message_id: String,
    /// How they belong together, as WhatsApp names it: `MEDIA_ALBUM`, `HD_IMAGE_DUAL_UPLOAD`, ….
    pub association: String,
    /// The place in it, from 0, where WhatsApp says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<i32>,
}
