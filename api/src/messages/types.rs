//! The types of a message.

use std::fmt;
use std::str::FromStr;

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
    Document,
    Sticker,
}

impl Type {
    const ALL: [Self; 9] = [
        Self::Text,
        Self::Poll,
        Self::Location,
        Self::Contact,
        Self::Image,
        Self::Video,
        Self::Audio,
        Self::Document,
        Self::Sticker,
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
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }

    /// Whether its content is a file.
    pub(super) fn is_media(self) -> bool {
        matches!(
            self,
            Self::Image | Self::Video | Self::Audio | Self::Document | Self::Sticker
        )
    }
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
