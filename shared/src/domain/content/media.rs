//! Files in messages.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a file is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A film without sound that is played again and again.
    Gif,
    /// A short round film.
    Ptv,
    /// A piece of audio.
    Audio,
    /// A voice message.
    Voice,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

impl FileKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Image,
        Self::Video,
        Self::Gif,
        Self::Ptv,
        Self::Audio,
        Self::Voice,
        Self::Document,
        Self::Sticker,
    ];

    /// The stable wire name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Gif => "gif",
            Self::Ptv => "ptv",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }

    /// Whether WhatsApp shows words below it.
    #[must_use]
    pub fn has_caption(self) -> bool {
        matches!(self, Self::Image | Self::Video | Self::Gif | Self::Document)
    }

    /// Whether it can be sent to be looked at once.
    #[must_use]
    pub fn may_be_view_once(self) -> bool {
        matches!(self, Self::Image | Self::Video | Self::Voice)
    }
}

impl FromStr for FileKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(())
    }
}

/// What was found in a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileFacts {
    /// Its type, from its first bytes.
    pub mimetype: String,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// How loud it is along its length: 64 values of 0 to 100, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waveform: Option<HexBytes>,
    /// Pages of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_count: Option<u32>,
    /// A small picture of it (JPEG).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<HexBytes>,
    /// Whether every phone plays it as it is: a film of H.264 and AAC, a mono recording of Opus.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plays: bool,
    /// Whether it is a picture that moves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub animated: bool,
}

/// Bytes, written as hex.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HexBytes(pub Vec<u8>);

impl TryFrom<String> for HexBytes {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        hex::decode(text).map(Self)
    }
}

impl From<HexBytes> for String {
    fn from(bytes: HexBytes) -> String {
        hex::encode(bytes.0)
    }
}

impl fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A file that is to be sent, and what is said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Media {
    /// What it is sent as.
    pub kind: FileKind,
    /// SHA-256 of its content, as hex: its name in the store.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// What the message says that it is.
    pub mimetype: String,
    /// What is written below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Whether it may be looked at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub view_once: bool,
    /// What was found in it.
    pub facts: FileFacts,
    /// Where it is at WhatsApp already, sealed: a file that is forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<HexBytes>,
}
