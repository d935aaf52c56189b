//! A contact card: one that is given, or one made of a name and a number.

use gateway_shared::domain::{Content, Jid, MessageContext};

use super::input::named;
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
    let card = contact.has("vcard");
    if card && (contact.has("name") || contact.has("phone")) {
        problems.add("contact", "must have either vcard, or name and phone");
    }
    if !card {
        contact.require(problems, "name");
        contact.require(problems, "phone");
    }
    let vcard = contact.text_of(problems, "vcard", VCARD);
    let vcard = vcard.filter(|text| {
        let begins = begins_as_card(text);
        if !begins {
            problems.add(
                "contact.vcard",
                "must be a vCard, beginning with BEGIN:VCARD",
            );
        }
        begins
    });
    let name = named(&mut contact, problems, "name");
    let phone = contact.text(problems, "phone").and_then(|phone| {
        let jid = Some(&phone).filter(|phone| !phone.contains('@'));
        let jid = jid.and_then(|phone| phone.parse::<Jid>().ok());
        if jid.is_none() {
            problems.add(
                "contact.phone",
                "must be an international number of 5 to 15 digits",
            );
        }
        jid
    });
    contact.finish(problems, &[], "");
    if card {
        let vcard = vcard?;
        return Some(Content::Contact {
            name: full_name(&vcard).unwrap_or_default(),
            vcard,
            context,
        });
    }
    let (name, phone) = (name?, phone?);
    Some(Content::Contact {
        vcard: card_of(&name, phone.user()),
        name,
        context,
    })
}

fn begins_as_card(text: &str) -> bool {
    let text = text.trim_start();
    let begin = text.get(.."BEGIN:VCARD".len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case("BEGIN:VCARD"))
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

/// The name a card is shown by: the value of its first `FN`.
fn full_name(vcard: &str) -> Option<String> {
    let value = vcard.lines().find_map(|line| {
        let (property, value) = line.split_once(':')?;
        let name = property.split(';').next()?;
        // A group may come first: `item1.FN`.
        let name = name.rsplit('.').next()?;
        name.trim().eq_ignore_ascii_case("FN").then_some(value)
    })?;
    let mut name = String::with_capacity(value.len());
    let mut characters = value.trim().chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => name.push(' '),
                Some(other) => name.push(other),
                None => {}
            },
            other => name.push(other),
        }
    }
    Some(name)
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
        assert_eq!(full_name(&card).unwrap(), "Doe, Jane; \\o/ x");
    }

    #[test]
    fn the_name_of_a_card_is_found() {
        for (card, name) in [
            ("BEGIN:VCARD\r\nFN:Jane\r\nEND:VCARD", Some("Jane")),
            (
                "BEGIN:VCARD\nitem1.fn;CHARSET=UTF-8: Zoë \nEND:VCARD",
                Some("Zoë"),
            ),
            ("BEGIN:VCARD\nN:Doe;Jane\nEND:VCARD", None),
            ("BEGIN:VCARD", None),
        ] {
            assert_eq!(full_name(card).as_deref(), name, "{card}");
        }
        assert!(begins_as_card("  begin:vcard\n"));
        assert!(!begins_as_card("BEGIN"));
        assert!(!begins_as_card("BEGIN:VCAR€"));
    }
}
