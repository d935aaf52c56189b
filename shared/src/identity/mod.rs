//! One identity per person.
//!
//! WhatsApp names a person by number (`…@s.whatsapp.net`) and by LID (`…@lid`), and which of the two
//! is used changes with the chat, the recipient's settings and time. Callers may use either. Each
//! session therefore keeps which number and which LID are one person, as the library learns it
//! ([`Lanes::learn`](crate::lane::Lanes::learn)), and everything that is kept by chat (the lane and
//! its order, chats written to, the message index, filters) goes by one key: the LID where it is
//! known, otherwise the name that was used. `lua/names.lua` is that rule for scripts.
//!
//! Where a mapping is learnt while sends wait under both names, they become one chat in the order of
//! their acceptance; where WhatsApp gives a number or a LID to somebody else, each send that waits
//! goes where its own name belongs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::Jid;

/// The rule for scripts.
pub(crate) const NAMES: &str = include_str!("lua/names.lua");

/// Both names of a person, as far as they are known; neither for a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Names {
    /// By number: `6281234567890@s.whatsapp.net`. Not everybody has one that others may know.
    pub pn: Option<String>,
    /// By LID: `123456789012345@lid`.
    pub lid: Option<String>,
}

impl Names {
    /// The names of the person who is called `name`, and `other` as well where that is known.
    #[must_use]
    pub fn of(name: &str, other: Option<String>) -> Self {
        let name = Some(name.to_owned());
        if name.as_deref().is_some_and(|name| name.ends_with("@lid")) {
            return Self {
                pn: other,
                lid: name,
            };
        }
        if name.as_deref().is_some_and(is_number) {
            return Self {
                pn: name,
                lid: other,
            };
        }
        Self::default()
    }
}

/// That a number and a LID are one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    number: Jid,
    lid: Jid,
}

impl Mapping {
    /// From the digits of both; `None` where either is no address.
    #[must_use]
    pub fn from_users(number: &str, lid: &str) -> Option<Self> {
        Some(Self {
            number: format!("{number}@s.whatsapp.net").parse().ok()?,
            lid: format!("{lid}@lid").parse().ok()?,
        })
    }

    /// The person by number.
    #[must_use]
    pub fn number(&self) -> &Jid {
        &self.number
    }

    /// The person by LID.
    #[must_use]
    pub fn lid(&self) -> &Jid {
        &self.lid
    }
}

fn is_number(name: &str) -> bool {
    name.ends_with("@s.whatsapp.net")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_of_the_two_it_is() {
        let number = "15550000001@s.whatsapp.net";
        let both = Names {
            pn: Some(number.to_owned()),
            lid: Some("7@lid".to_owned()),
        };
        assert_eq!(Names::of(number, Some("7@lid".to_owned())), both);
        assert_eq!(Names::of("7@lid", Some(number.to_owned())), both);
        assert_eq!(Names::of("7@lid", None).pn, None);
        assert_eq!(Names::of("120363021234567890@g.us", None), Names::default());
        let json = serde_json::to_value(Names::of("7@lid", None)).unwrap();
        assert_eq!(json, serde_json::json!({ "pn": null, "lid": "7@lid" }));
    }

    #[test]
    fn a_mapping_is_of_two_addresses() {
        let mapping = Mapping::from_users("15550000001", "7").unwrap();
        assert_eq!(mapping.number().as_str(), "15550000001@s.whatsapp.net");
        assert_eq!(mapping.lid().as_str(), "7@lid");
        assert_eq!(Mapping::from_users("", "7"), None);
        assert_eq!(Mapping::from_users("15550000001", "x"), None);
    }
}
