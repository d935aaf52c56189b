//! How the format names people and chats.

use super::super::inbound::Address;

/// A chat: by number where it is known, else as WhatsApp named it.
pub(super) fn chat(address: &Address) -> &str {
    address.pn.as_deref().unwrap_or(&address.jid)
}

/// A person: the digits of the number where it is known, else the LID with its `@lid`, so that it
/// is not taken for a number.
pub(super) fn person(address: &Address) -> &str {
    match &address.pn {
        Some(number) => digits(number),
        None => digits(&address.jid),
    }
}

/// The digits of a JID by number; any other JID as it is.
pub(super) fn digits(jid: &str) -> &str {
    jid.strip_suffix("@s.whatsapp.net").unwrap_or(jid)
}
