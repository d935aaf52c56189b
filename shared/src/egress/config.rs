//! `[egress]` of the configuration.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::address::refused;

/// `[egress]`: requests to addresses that tenants name. The comments of `default.toml` say what
/// each setting is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressConfig {
    /// Networks that are permitted although they are special.
    #[serde(deserialize_with = "networks")]
    pub allow: Vec<IpNet>,
    /// Whether only https:// is permitted.
    pub require_https: bool,
    /// How long a connection may take (look-up, TCP, TLS), in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long the first byte of an answer may take, in milliseconds.
    pub first_byte_timeout_ms: u64,
    /// How long a request may take as a whole, in milliseconds.
    pub total_timeout_ms: u64,
}

impl EgressConfig {
    pub(super) fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// Whether what a tenant named may lead to this address.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        refused(&self.allow, address).is_none()
    }

    /// How long the first byte of an answer may take.
    #[must_use]
    pub fn first_byte(&self) -> Duration {
        Duration::from_millis(self.first_byte_timeout_ms)
    }

    /// How long a request may take as a whole.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_millis(self.total_timeout_ms)
    }
}

/// Reads a list of networks, or one text with commas between them (as the environment gives it).
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    let texts = match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(text) => text.split(',').map(str::to_owned).collect(),
        OneOrMore::More(texts) => texts,
    };
    texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .map(|text| {
            text.parse().map_err(|_| {
                let problem = format!("{text:?} is no network such as 10.0.0.0/8 or fd00::/8");
                de::Error::custom(problem)
            })
        })
        .collect()
}
