//! Where a message was written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The device that a message was written on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MessageSource")]
pub struct Source {
    /// Its number in the account: 0 is the phone.
    pub device: u16,
    /// What it runs, as far as the form of its message ids tells.
    pub platform: Platform,
}

/// What a device runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InboundPlatform")]
pub enum Platform {
    /// Android.
    Android,
    /// An iPhone.
    Ios,
    /// WhatsApp Web, or a program that speaks as it does.
    Web,
    /// WhatsApp for Windows or macOS.
    Desktop,
    /// The Cloud API of businesses.
    BusinessApi,
    /// It can not be told.
    #[default]
    Unknown,
}

impl Platform {
    /// Official clients make message ids of different forms. A client may choose any: a hint, no
    /// proof.
    #[must_use]
    pub fn of_message_id(id: &str) -> Self {
        let hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (id.len(), id.get(..2)) {
            _ if id.starts_with("wamid.") => Self::BusinessApi,
            (20 | 22, Some("3A")) if hex => Self::Ios,
            (22, Some("3E")) if hex => Self::Web,
            (_, Some("3F")) if hex => Self::Desktop,
            (18, _) if hex => Self::Desktop,
            (21 | 32, _) if hex => Self::Android,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn official_clients_are_told_apart_by_their_ids() {
        for (id, platform) in [
            ("3A5F0C1D2E3F4A5B6C7D", Platform::Ios),
            ("3EB0C431C26A1916E07A55", Platform::Web),
            ("AC5F0C1D2E3F4A5B6C7D8E9FA0B1C2D3", Platform::Android),
            ("3F5F0C1D2E3F4A5B6C", Platform::Desktop),
            ("wamid.HBgL", Platform::BusinessApi),
            ("mine", Platform::Unknown),
        ] {
            assert_eq!(Platform::of_message_id(id), platform, "{id}");
        }
    }
}
