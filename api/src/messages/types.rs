//! The types of a message.

use std::fmt;
use std::str::FromStr;

use gateway_shared::domain::FileKind;

/// The `type` of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Poll,
    Location,
    Contact,
    Image,
    Video,
    Audio,
    Voice,
    Document,
    Sticker,
    Ptv,
    Gif,
    Album,
}

impl Type {
    const ALL: [Self; 13] = [
        Self::Text,
        Self::Poll,
        Self::Location,
        Self::Contact,
        Self::Image,
        Self::Video,
        Self::Audio,
        Self::Voice,
        Self::Document,
        Self::Sticker,
        Self::Ptv,
        Self::Gif,
        Self::Album,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Poll => "poll",
            Self::Location => "location",
            Self::Contact => "contact",
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Document => "document",
            Self::Sticker => "sticker",
            Self::Ptv => "ptv",
            Self::Gif => "gif",
            Self::Album => "album",
        }
    }

    /// Whether its content is a file, or several.
    pub(super) fn is_media(self) -> bool {
        self == Self::Album || self.media_kind().is_some()
    }

    /// What its file is sent as.
    pub(super) fn media_kind(self) -> Option<FileKind> {
        self.as_str().parse().ok()
    }
}

/// Whether a text names a type whose content is a file.
pub(super) fn is_media(kind: &str) -> bool {
    kind.parse().is_ok_and(Type::is_media)
}

/// A text that names no type.
#[derive(Debug)]
pub(super) struct UnknownType;

impl fmt::Display for UnknownType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be one of ")?;
        for (index, kind) in Type::ALL.into_iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(kind.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for Type {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<Self, UnknownType> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownType)
    }
}
