//! Addresses as WhatsApp tells them, without their device.

use std::fmt;

use gateway_shared::domain::hint_at;
use serde::Serialize;
use wacore_binary::Jid;

/// The address of a person or a chat of any kind (also broadcasts and channels), never of a
/// single device: `6281234567890@s.whatsapp.net`, `123456789@lid`, `120363…@g.us`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct WaAddress(String);

impl WaAddress {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a JID as the library writes it, with its device or without.
    #[must_use]
    pub fn parse(jid: &str) -> Option<Self> {
        jid.parse::<Jid>().ok().map(|jid| Self::from(&jid))
    }

    /// Whether this is a group.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.0.ends_with("@g.us")
    }

    /// Whether this is a broadcast list, stories among them.
    #[must_use]
    pub fn is_broadcast(&self) -> bool {
        self.0.ends_with("@broadcast")
    }

    /// Whether this is a person by LID, behind whom a number may hide.
    #[must_use]
    pub fn is_lid(&self) -> bool {
        self.0.ends_with("@lid")
    }
}

/// Strips the device (and the agent, which no address of a person has).
impl From<&Jid> for WaAddress {
    fn from(jid: &Jid) -> Self {
        Self(jid.to_non_ad_string())
    }
}

impl From<WaAddress> for String {
    fn from(address: WaAddress) -> String {
        address.0
    }
}

impl fmt::Display for WaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hint_at(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> WaAddress {
        WaAddress::from(&text.parse::<Jid>().unwrap())
    }

    #[test]
    fn the_device_is_stripped() {
        for (from, to) in [
            ("15550000002:1@s.whatsapp.net", "15550000002@s.whatsapp.net"),
            ("15550000002@s.whatsapp.net", "15550000002@s.whatsapp.net"),
            ("100000012345:7@lid", "100000012345@lid"),
            ("120363021234567890@g.us", "120363021234567890@g.us"),
            ("status@broadcast", "status@broadcast"),
        ] {
            assert_eq!(address(from).as_str(), to);
        }
    }

    #[test]
    fn a_log_line_hides_the_number() {
        assert_eq!(
            format!("{:?}", address("15550000002:1@s.whatsapp.net")),
            "…02@s.whatsapp.net"
        );
    }
}
