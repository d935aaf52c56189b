//! A contact card: one that is given, or one made of a name and a number.

use gateway_shared::domain::{Content, MessageContext, PhoneNumber};

use super::input::NAME;
use super::vcard;
use crate::request::{Fields, Problems};

/// Characters of a vCard.
pub(super) const VCARD: std::ops::RangeInclusive<usize> = 1..=65_536;

/// Reads `contact` and tells of every problem in it.
pub(super) fn read(
    fields: &mut Fields,
    context: MessageContext,
    problems: &mut Problems,
) -> Option<Content> {
    fields.require(problems, "contact");
    let mut contact = fields.object(problems, "contact")?;
    let given = contact.has("vcard");
    if given && (contact.has("name") || contact.has("phone")) {
        problems.add("contact", "must have either vcard, or name and phone");
    }
    if !given {
        contact.require(problems, "name");
        contact.require(problems, "phone");
    }
    let card = contact.text_of(problems, "vcard", VCARD);
    let card = card.and_then(|card| match vcard::label_of(&card) {
        Ok(name) => Some((name, card)),
        Err(problem) => {
            problems.add("contact.vcard", problem.to_string());
            None
        }
    });
    let name = contact.legible(problems, "name", NAME);
    let phone = contact.parsed::<PhoneNumber>(problems, "phone");
    contact.finish(problems, &[], "");
    let (name, vcard) = if given {
        card?
    } else {
        let (name, phone) = (name?, phone?);
        let card = card_of(&name, phone.digits());
        (name, card)
    };
    Some(Content::Contact {
        name,
        vcard,
        context,
    })
}

/// A card of a name and a number, as the phones write it: `waid` makes the number one to chat
/// with.
fn card_of(name: &str, digits: &str) -> String {
    let name = escape(name);
    format!(
        "BEGIN:VCARD\nVERSION:3.0\nN:;{name};;;\nFN:{name}\n\
         TEL;type=CELL;type=VOICE;waid={digits}:+{digits}\nEND:VCARD"
    )
}

/// A text as the value of a vCard's property (RFC 2426, section 5).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ',' | ';' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            '\r' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_made_of_a_name_and_a_number() {
        let card = card_of("Doe, Jane; \\o/\nx", "6281234567890");
        assert_eq!(
            card,
            "BEGIN:VCARD\nVERSION:3.0\nN:;Doe\\, Jane\\; \\\\o/\\nx;;;\n\
             FN:Doe\\, Jane\\; \\\\o/\\nx\n\
             TEL;type=CELL;type=VOICE;waid=6281234567890:+6281234567890\nEND:VCARD"
        );
        assert_eq!(vcard::label_of(&card).unwrap(), "Doe, Jane; \\o/ x");
    }
}
