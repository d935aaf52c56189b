//! What a vCard says of itself. (RFC 2426, RFC 6350; vCard 2.1 is what older phones write.)

use calcard::vcard::{VCard, VCardProperty, VCardValue};
use calcard::{Entry, Parser};

use crate::request::is_blank;

/// Why a text can not be sent as a contact card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidCard {
    #[error("must be a vCard, beginning with BEGIN:VCARD and ending with END:VCARD")]
    NoCard,
    #[error("must be one vCard: send several as a message each")]
    Several,
    #[error("must say whose card it is: FN, N, NICKNAME or ORG")]
    Nameless,
}

/// The name that a card is shown by: its `FN`, or what comes nearest to it.
///
/// # Errors
/// For anything but exactly one whole card with a name.
pub(super) fn label_of(text: &str) -> Result<String, InvalidCard> {
    // The old Mac's line ends are those of one of the phones that still write 2.1.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    // vCard 2.1 lets a parameter be its value alone; the parser wants it by name.
    let text = text.replace(";QUOTED-PRINTABLE", ";ENCODING=QUOTED-PRINTABLE");
    let text = text.trim();
    let last = text.rsplit('\n').next().unwrap_or_default();
    if !last.trim().eq_ignore_ascii_case("END:VCARD") {
        return Err(InvalidCard::NoCard);
    }
    let mut parser = Parser::new(text);
    let mut cards = Vec::new();
    loop {
        match parser.entry() {
            Entry::VCard(card) => cards.push(card),
            Entry::Eof => break,
            _ => return Err(InvalidCard::NoCard),
        }
    }
    match cards.as_slice() {
        [card] => label(card).ok_or(InvalidCard::Nameless),
        [] => Err(InvalidCard::NoCard),
        _ => Err(InvalidCard::Several),
    }
}

fn label(card: &VCard) -> Option<String> {
    let first = |property: VCardProperty, read: fn(&[VCardValue]) -> String| {
        card.entries
            .iter()
            .filter(|entry| entry.name == property)
            .map(|entry| read(&entry.values))
            .find(|name| !is_blank(name))
    };
    first(VCardProperty::Fn, |values| parts(values).join(""))
        .or_else(|| first(VCardProperty::N, person))
        .or_else(|| first(VCardProperty::Nickname, |values| parts(values).join(", ")))
        .or_else(|| first(VCardProperty::Org, |values| parts(values).join(", ")))
}

/// The parts of a value that say something, each on one line.
fn parts(values: &[VCardValue]) -> Vec<String> {
    let texts = values.iter().flat_map(|value| match value {
        VCardValue::Text(text) => std::slice::from_ref(text),
        VCardValue::Component(texts) => texts.as_slice(),
        _ => &[],
    });
    texts
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|text| !text.is_empty())
        .collect()
}

/// `N` is family; given; additional; prefix; suffix.
fn person(values: &[VCardValue]) -> String {
    let part = |index: usize| parts(values.get(index..=index).unwrap_or_default());
    [3, 1, 2, 0, 4]
        .into_iter()
        .flat_map(part)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(lines: &str) -> String {
        format!("BEGIN:VCARD\nVERSION:3.0\n{lines}\nEND:VCARD")
    }

    #[test]
    fn the_name_of_a_card_is_found_however_it_is_written() {
        for (lines, name) in [
            ("FN:Jane", "Jane"),
            ("item1.fn;CHARSET=UTF-8: Zoë ", "Zoë"),
            (
                "FN:A very long name that is folded in the mid\n dle of a word",
                "A very long name that is folded in the middle of a word",
            ),
            ("FN;LANGUAGE=\"a:b\":Jane", "Jane"),
            ("FN;X=\"a;b\";LANGUAGE=en:Jane", "Jane"),
            ("NOTE:a folded line\n FN:Mallory\nFN:Jane", "Jane"),
            (
                "FN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:J=C3=BCrgen",
                "Jürgen",
            ),
            (
                "FN;QUOTED-PRINTABLE;CHARSET=UTF-8:=E5=BC=A0=\n=E4=B8=89",
                "张三",
            ),
            ("FN:Doe\\, Jane\\; x\\ny", "Doe, Jane; x y"),
            ("N:Doe;Jane;Q.;Dr.;jr.", "Dr. Jane Q. Doe jr."),
            ("N:Doe;Jane", "Jane Doe"),
            ("N:;;;;\nORG:Acme;Sales", "Acme, Sales"),
            ("FN:\nN:Doe", "Doe"),
            ("NICKNAME:Jay", "Jay"),
            ("ORG:Acme;", "Acme"),
            (
                "TEL:+15550100011\nFN:Jane\nPHOTO;ENCODING=b:AAAA\n AAAA",
                "Jane",
            ),
        ] {
            for ends in ["\n", "\r\n", "\r"] {
                let card = card(lines).replace('\n', ends);
                assert_eq!(label_of(&card).as_deref(), Ok(name), "{card:?}");
            }
        }
        assert_eq!(
            label_of(" begin:vcard\nfn:Jane\nend:vcard \n\n").as_deref(),
            Ok("Jane")
        );
    }

    #[test]
    fn what_is_not_one_card_with_a_name_is_refused() {
        let one = card("FN:Jane");
        for (text, problem) in [
            (String::new(), InvalidCard::NoCard),
            ("BEGIN".into(), InvalidCard::NoCard),
            ("BEGIN:VCARD".into(), InvalidCard::NoCard),
            ("BEGIN:VCARD\nFN:Jane".into(), InvalidCard::NoCard),
            ("BEGIN:VCAR€\nFN:x\nEND:VCARD".into(), InvalidCard::NoCard),
            ("BEGIN:VCALENDAR\nEND:VCALENDAR".into(), InvalidCard::NoCard),
            (format!("hello\n{one}"), InvalidCard::NoCard),
            (format!("{one}\nhello"), InvalidCard::NoCard),
            (format!("{one}\n{one}"), InvalidCard::Several),
            (format!("{one}\n\n{one}\n"), InvalidCard::Several),
            (card("TEL:+15550100011"), InvalidCard::Nameless),
            (card("FN: \nN:;;;;"), InvalidCard::Nameless),
        ] {
            assert_eq!(label_of(&text), Err(problem), "{text:?}");
        }
    }
}
