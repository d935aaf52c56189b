//! The version of WhatsApp Web that the client says it is.

mod fetch;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use fetch::{FetchError, SERVICE_WORKER};

/// A version of WhatsApp Web, written `2.3000.1042742319`. A link always states one: left open,
/// the library would fetch the newest from web.whatsapp.com before every first connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientVersion(pub u32, pub u32, pub u32);

impl ClientVersion {
    /// The version that whatsapp-rust 0.7.0 was written against.
    pub const LIBRARY: Self = Self(2, 3000, 1_042_742_319);
}

impl Default for ClientVersion {
    fn default() -> Self {
        Self::LIBRARY
    }
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be three numbers with dots between them, such as 2.3000.1042742319")]
pub struct InvalidVersion;

impl FromStr for ClientVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let mut parts = text.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(build)), None) => {
                Ok(Self(major, minor, build))
            }
            _ => Err(InvalidVersion),
        }
    }
}

impl TryFrom<String> for ClientVersion {
    type Error = InvalidVersion;

    fn try_from(text: String) -> Result<Self, InvalidVersion> {
        text.parse()
    }
}

impl From<ClientVersion> for String {
    fn from(version: ClientVersion) -> String {
        version.to_string()
    }
}

impl fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_library_s() {
        let device = wacore::store::Device::new();
        assert_eq!(
            ClientVersion::default(),
            ClientVersion(
                device.app_version_primary,
                device.app_version_secondary,
                device.app_version_tertiary
            )
        );
    }

    #[test]
    fn versions_are_read_and_written() {
        assert_eq!("2.3000.7".parse(), Ok(ClientVersion(2, 3000, 7)));
        assert_eq!(ClientVersion(2, 3000, 7).to_string(), "2.3000.7");
        for text in ["", "2", "2.3", "2.3.x", "2.3.4.5", "-1.2.3"] {
            assert_eq!(text.parse::<ClientVersion>(), Err(InvalidVersion), "{text}");
        }
    }
}
