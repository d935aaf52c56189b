//! Addresses of WhatsApp: who or what a message goes to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Fewest and most digits of an international number (E.164 has at most 15).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 5..=15;
/// Most characters of a group's id; the longest seen is `creator-timestamp`, 31.
const GROUP_ID_LENGTH: usize = 40;
/// Most digits of a LID; the longest seen has 15.
const LID_DIGITS: std::ops::RangeInclusive<usize> = 1..=20;

/// The address of a chat or of a person: a user (`…@s.whatsapp.net`), a user by LID (`…@lid`) or
/// a group (`…@g.us`). Never of a single device.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Jid(String);

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a user JID (6281234567890@s.whatsapp.net), a LID (123456789@lid), a group JID \
     (120363021234567890@g.us) or an international number of 5 to 15 digits"
)]
pub struct InvalidJid;

impl Jid {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a group.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.0.ends_with("@g.us")
    }

    /// The part before the `@`.
    #[must_use]
    pub fn user(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }
}

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl FromStr for Jid {
    type Err = InvalidJid;

    fn from_str(text: &str) -> Result<Self, InvalidJid> {
        let Some((user, server)) = text.split_once('@') else {
            let number = text.strip_prefix('+').unwrap_or(text);
            return if digits(number, PHONE_DIGITS) && !number.starts_with('0') {
                Ok(Self(format!("{number}@s.whatsapp.net")))
            } else {
                Err(InvalidJid)
            };
        };
        let valid = match server {
            "s.whatsapp.net" => digits(user, PHONE_DIGITS),
            "lid" => digits(user, LID_DIGITS),
            "g.us" => {
                (1..=GROUP_ID_LENGTH).contains(&user.len())
                    && user
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || byte == b'-')
                    && !user.starts_with('-')
            }
            _ => false,
        };
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidJid)
        }
    }
}

impl TryFrom<String> for Jid {
    type Error = InvalidJid;

    fn try_from(text: String) -> Result<Self, InvalidJid> {
        text.parse()
    }
}

impl From<Jid> for String {
    fn from(jid: Jid) -> String {
        jid.0
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hint_at(&self.0, f)
    }
}

/// Writes an address as logs may show it: its kind and its last two characters, since addresses are
/// personal data.
///
/// # Errors
/// Those of the formatter.
pub fn hint_at(address: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (user, server) = address.split_once('@').unwrap_or((address, ""));
    let tail = user.get(user.len().saturating_sub(2)..).unwrap_or_default();
    write!(f, "…{tail}@{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_user_jids() {
        for text in [
            "6281234567890",
            "+6281234567890",
            "6281234567890@s.whatsapp.net",
        ] {
            assert_eq!(
                text.parse::<Jid>().unwrap().as_str(),
                "6281234567890@s.whatsapp.net"
            );
        }
    }

    #[test]
    fn other_kinds_are_kept() {
        for text in [
            "123456789012345@lid",
            "120363021234567890@g.us",
            "491511234567-1400000000@g.us",
        ] {
            assert_eq!(text.parse::<Jid>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "@",
            "hello",
            "0123456789",
            "12",
            "1234567890123456",
            "1@s.whatsapp.net",
            "1234567:2@s.whatsapp.net",
            "1234567@example.com",
            "a@g.us",
            "@g.us",
            "１２３４５６",
            "123456 ",
            "status@broadcast",
        ] {
            assert_eq!(text.parse::<Jid>(), Err(InvalidJid), "{text}");
        }
    }
}
