//! Files: pictures, videos, recordings, documents, stickers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of a file before it is fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MediaFile")]
pub struct File {
    /// The gateway's id of it, once it is stored here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where the gateway serves it to whoever has this address, without a key, for as long as
    /// `media.link_lifetime_ms` says; only with `autoDownload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether it is larger than what is fetched by itself (`media.auto_download_bytes`), so that
    /// `autoDownload` left it where it is; it can be fetched all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub too_large: bool,
    /// As its sender declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mimetype: Option<String>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of its content, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// A small picture of it (JPEG, base64), where its sender made one of at most 32 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
}

/// A picture. `text` is its caption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundImage")]
pub struct Image {
    /// The file.
    #[serde(flatten)]
    pub file: File,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// A video, a GIF (which is a video without sound) or a short round one. `text` is its caption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundVideo")]
pub struct Video {
    /// The file.
    #[serde(flatten)]
    pub file: File,
    /// How long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// A piece of audio, or a voice message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundAudio")]
pub struct Audio {
    /// The file.
    #[serde(flatten)]
    pub file: File,
    /// How long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// How loud it is along its length: up to 64 values of 0 to 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waveform: Vec<u8>,
}

/// A document. `text` is its caption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundDocument")]
pub struct Document {
    /// The file.
    #[serde(flatten)]
    pub file: File,
    /// Its name, as its sender gave it. Not safe as a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_count: Option<u32>,
}

/// A sticker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundSticker")]
pub struct Sticker {
    /// The file.
    #[serde(flatten)]
    pub file: File,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Whether it moves.
    pub animated: bool,
    /// Whether it is a Lottie animation rather than WebP.
    pub lottie: bool,
    /// The emojis that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emojis: Option<String>,
}

/// A pack of stickers: the file is a ZIP archive. `text` is its caption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundStickerPack")]
pub struct StickerPack {
    /// The file.
    #[serde(flatten)]
    pub file: File,
    /// WhatsApp's id of the pack.
    pub pack_id: String,
    /// What it is called.
    pub name: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// How many stickers are in it.
    pub stickers: usize,
}
