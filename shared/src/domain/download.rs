//! What it takes to fetch the file of a message from WhatsApp.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of media that WhatsApp keeps apart: each has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// Pictures and stickers.
    Image,
    /// Videos, GIFs and short videos.
    Video,
    /// Music and voice.
    Audio,
    /// Documents.
    Document,
    /// A pack of stickers.
    StickerPack,
}

/// What it takes to fetch a file from WhatsApp and to decrypt it. Whoever has it can read the file:
/// it is in no event and in no log; the message index keeps it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// Which keys it is encrypted with.
    #[serde(rename = "k")]
    pub kind: MediaKind,
    /// Its path at WhatsApp's media hosts.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub direct_path: Option<String>,
    /// Where it is as it is, not encrypted: a channel's.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub static_url: Option<String>,
    /// 32 bytes, base64; absent where it is not encrypted.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub media_key: Option<String>,
    /// SHA-256 of its content, base64.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-256 of what the hosts keep, base64.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub enc_sha256: Option<String>,
    /// Bytes of its content.
    #[serde(rename = "l", default)]
    pub size: u64,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("kind", &self.kind)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
