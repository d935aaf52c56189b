//! Chats and people, by both of their names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A chat or a person. A person has a number, a LID, or both; people with a username may have no
/// number. A group or a channel has neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundAddress")]
pub struct Address {
    /// The JID that WhatsApp used.
    pub jid: String,
    /// The JID by phone number (`…@s.whatsapp.net`), where it is known.
    #[serde(default)]
    pub pn: Option<String>,
    /// The JID by LID (`…@lid`), where it is known.
    #[serde(default)]
    pub lid: Option<String>,
}

impl Address {
    /// What goes by `jid`, and by `alt` where that is known.
    #[must_use]
    pub fn new(jid: &str, alt: Option<&str>) -> Self {
        let ends = |end: &str| {
            [Some(jid), alt]
                .into_iter()
                .flatten()
                .find(|name| name.ends_with(end))
                .map(str::to_owned)
        };
        Self {
            pn: ends("@s.whatsapp.net"),
            lid: ends("@lid"),
            jid: jid.to_owned(),
        }
    }

    /// The name that stays the same whichever of the two WhatsApp used: the LID where it is known.
    #[must_use]
    pub fn key(&self) -> &str {
        self.lid.as_deref().unwrap_or(&self.jid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_two_names_and_a_group_neither() {
        let person = Address::new("1@lid", Some("155512345@s.whatsapp.net"));
        assert_eq!(person.pn.as_deref(), Some("155512345@s.whatsapp.net"));
        assert_eq!(person.lid.as_deref(), Some("1@lid"));
        assert_eq!(person.key(), "1@lid");
        let group = Address::new("120363021234567890@g.us", None);
        assert_eq!((group.pn, group.lid), (None, None));
    }
}
