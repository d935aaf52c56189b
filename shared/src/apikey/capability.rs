//! What a caller may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One thing a caller may do; the router's table says which route needs which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Look things up.
    Read,
    /// Send messages and steer the outbox.
    Send,
    /// Manage sessions, webhooks and keys.
    Manage,
    /// Listen to events.
    Events,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Send, Self::Manage, Self::Events];

    /// The name on the wire and in Redis.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Send => "send",
            Self::Manage => "manage",
            Self::Events => "events",
        }
    }
}

/// A text that names no capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of read, send, manage, events")]
pub struct UnknownCapability;

impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.as_str() == text)
            .ok_or(UnknownCapability)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of capabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// All there are.
    #[must_use]
    pub fn all() -> Self {
        Capability::ALL.into_iter().collect()
    }

    /// Whether one is in the set.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0 & Self::bit(capability) != 0
    }

    /// Those in the set, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL
            .into_iter()
            .filter(move |capability| self.has(*capability))
    }

    fn bit(capability: Capability) -> u8 {
        1 << capability as u8
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(items: I) -> Self {
        Self(items.into_iter().fold(0, |set, one| set | Self::bit(one)))
    }
}

impl FromStr for Capabilities {
    type Err = UnknownCapability;

    /// Reads names with commas between them.
    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        text.split(',').map(|name| name.trim().parse()).collect()
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, capability) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(capability.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for Capabilities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// On the wire a set is a list of names.
impl schemars::JsonSchema for Capabilities {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Capabilities".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Vec<Capability>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_and_told_by_its_names() {
        let set: Capabilities = "send, read".parse().unwrap();
        assert!(set.has(Capability::Send) && !set.has(Capability::Manage));
        assert_eq!(set.to_string(), "read,send");
        assert_eq!("send,fly".parse::<Capabilities>(), Err(UnknownCapability));
        assert_eq!(Capabilities::all().to_string(), "read,send,manage,events");
    }
}
