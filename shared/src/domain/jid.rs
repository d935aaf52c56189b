//! Addresses of WhatsApp: who or what a message goes to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::phone::{digits_of, is_number, trimmed};

/// Most characters of a group's id; the longest seen is `creator-timestamp`, 31.
const GROUP_ID_LENGTH: usize = 40;
/// Most digits of a LID; the longest seen has 15.
const LID_DIGITS: std::ops::RangeInclusive<usize> = 1..=20;
/// Digits of the number of a device.
const DEVICE_DIGITS: std::ops::RangeInclusive<usize> = 1..=5;

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

/// The address of a person: by number or by LID.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PersonJid(Jid);

/// Why a text is no address of a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPerson {
    /// It is no address at all.
    #[error(transparent)]
    NoAddress(#[from] InvalidJid),
    /// It is the address of a group.
    #[error("must be the JID of a person, not of a group")]
    Group,
}

/// An international number, given as people write it or as the JID of a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(Jid);

/// Why a text is no phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an international number of 5 to 15 digits")]
pub struct InvalidPhone;

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

/// The one rule for every place where a caller names somebody. Accepted and normalised: blanks at
/// the ends, numbers as people write them, domains in any case, the old domain `c.us`, and the
/// device of a user (`…:12@s.whatsapp.net`), which is dropped.
impl FromStr for Jid {
    type Err = InvalidJid;

    fn from_str(text: &str) -> Result<Self, InvalidJid> {
        let text = trimmed(text);
        let Some((user, server)) = text.split_once('@') else {
            let number = digits_of(text).ok_or(InvalidJid)?;
            return Ok(Self(format!("{number}@s.whatsapp.net")));
        };
        let server = server.to_ascii_lowercase();
        let (user, server) = match server.as_str() {
            "s.whatsapp.net" | "c.us" => {
                let user = without_device(user).filter(|user| is_number(user));
                (user, "s.whatsapp.net")
            }
            "lid" => {
                let user = without_device(user).filter(|user| digits(user, LID_DIGITS));
                (user, "lid")
            }
            "g.us" => (Some(user).filter(|user| is_group_id(user)), "g.us"),
            _ => return Err(InvalidJid),
        };
        user.map(|user| Self(format!("{user}@{server}")))
            .ok_or(InvalidJid)
    }
}

/// The user of an address without the device behind it; `None` where that is no device.
fn without_device(user: &str) -> Option<&str> {
    match user.split_once(':') {
        None => Some(user),
        Some((user, device)) => digits(device, DEVICE_DIGITS).then_some(user),
    }
}

fn is_group_id(user: &str) -> bool {
    (1..=GROUP_ID_LENGTH).contains(&user.len())
        && user.starts_with(|first: char| first.is_ascii_digit())
        && user
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
}

impl PersonJid {
    /// The address as that of a chat.
    #[must_use]
    pub fn into_jid(self) -> Jid {
        self.0
    }
}

impl FromStr for PersonJid {
    type Err = InvalidPerson;

    fn from_str(text: &str) -> Result<Self, InvalidPerson> {
        let jid: Jid = text.parse()?;
        if jid.is_group() {
            return Err(InvalidPerson::Group);
        }
        Ok(Self(jid))
    }
}

impl PhoneNumber {
    /// Its digits, the country's code first, without `+`.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.user()
    }
}

impl FromStr for PhoneNumber {
    type Err = InvalidPhone;

    fn from_str(text: &str) -> Result<Self, InvalidPhone> {
        let jid = text.parse::<Jid>().ok();
        jid.filter(|jid| jid.0.ends_with("@s.whatsapp.net"))
            .map(Self)
            .ok_or(InvalidPhone)
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
    fn one_person_has_one_spelling() {
        for text in [
            "15550100011",
            "+15550100011",
            "+1 555 010 0011",
            "+1 (555) 010-0011",
            "(+1) 555.010/0011",
            "1-555-010-0011",
            "0015550100011",
            "00 1 555 010 0011",
            " 15550100011\n",
            "\u{202a}+1\u{a0}555\u{2011}010\u{2013}0011\u{202c}",
            "15550100011@s.whatsapp.net",
            "15550100011@S.WhatsApp.NET",
            "15550100011@c.us",
            "15550100011:12@s.whatsapp.net",
            " 15550100011@C.US ",
        ] {
            let jid: Jid = text.parse().unwrap_or_else(|_| panic!("{text:?}"));
            assert_eq!(jid.as_str(), "15550100011@s.whatsapp.net", "{text:?}");
            let phone: PhoneNumber = text.parse().unwrap();
            assert_eq!(phone.digits(), "15550100011");
            assert_eq!(text.parse::<PersonJid>().unwrap().into_jid(), jid);
            assert_eq!(
                jid.as_str().parse(),
                Ok(jid.clone()),
                "it is its own spelling"
            );
        }
    }

    #[test]
    fn other_kinds_have_one_spelling_as_well() {
        for (text, kept) in [
            ("123456789012345@lid", "123456789012345@lid"),
            ("123456789012345:3@LID ", "123456789012345@lid"),
            ("120363021234567890@g.us", "120363021234567890@g.us"),
            (" 120363021234567890@G.us", "120363021234567890@g.us"),
            (
                "491511234567-1400000000@g.us",
                "491511234567-1400000000@g.us",
            ),
        ] {
            assert_eq!(text.parse::<Jid>().unwrap().as_str(), kept);
            assert_eq!(text.parse::<PhoneNumber>(), Err(InvalidPhone), "{text}");
            let person = text.parse::<PersonJid>();
            assert_eq!(person.is_ok(), kept.ends_with("@lid"), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "@",
            "+",
            "00",
            "()",
            "hello",
            "0123456789",
            "0001234567",
            "+0123456789",
            "+49 (0)30 123456",
            "+00 1555",
            "++15550100011",
            "1555+0100011",
            "+1 555 010 0011 ext 5",
            "15550100011,15550100012",
            "15550100011\u{200b}15550100012",
            "12",
            "1234567890123456",
            "1@s.whatsapp.net",
            "0123456789@s.whatsapp.net",
            "+15550100011@s.whatsapp.net",
            "1 555 010 0011@s.whatsapp.net",
            "15550100011@s.whatsapp.net.",
            "15550100011:@s.whatsapp.net",
            "15550100011:x@s.whatsapp.net",
            "15550100011.0:1@s.whatsapp.net",
            "120363021234567890:1@g.us",
            "1234567@example.com",
            "1234567@g.us@s.whatsapp.net",
            "a@g.us",
            "@g.us",
            "１２３４５６",
            "status@broadcast",
            "120363@newsletter",
        ] {
            assert_eq!(text.parse::<Jid>(), Err(InvalidJid), "{text:?}");
            assert!(text.parse::<PersonJid>().is_err(), "{text:?}");
            assert!(text.parse::<PhoneNumber>().is_err(), "{text:?}");
        }
    }
}
