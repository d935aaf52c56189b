//! Invitations to groups and channels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// An invitation to a group: a link in a text, or a card. `text` is what its sender says to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundGroupInvite")]
pub struct GroupInvite {
    /// What one joins with.
    pub code: String,
    /// The link.
    pub url: String,
    /// The group, where the invitation says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_jid: Option<String>,
    /// What the group is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// What the link says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Until when the card is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// The picture of the group (JPEG, base64).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// The gateway's id of the large picture, once it is stored here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_id: Option<String>,
    /// SHA-256 of the large picture, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_sha256: Option<String>,
}

/// An invitation to a channel: to follow it, or to be one of its admins. `text` is what its sender
/// says to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundChannelInvite")]
pub struct ChannelInvite {
    /// The channel.
    pub channel_jid: String,
    /// What it is called.
    pub channel_name: String,
    /// Until when it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
}
