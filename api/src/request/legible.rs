//! Whether a text shows anything.

/// Whether nothing of a text can be seen: it is empty, or made of white space, control characters
/// and characters that Unicode lists as ignorable (zero width spaces and joiners, direction marks,
/// variation selectors, fillers), in any mix. WhatsApp delivers such a text, and its recipient gets
/// an empty bubble.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|character| {
        character.is_whitespace() || character.is_control() || is_ignorable(character)
    })
}

/// `Default_Ignorable_Code_Point` of Unicode 16 (DerivedCoreProperties.txt), and the braille pattern
/// without dots, which is a blank as well.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_blank() {
        for text in [
            "",
            " \t\r\n",
            "\u{a0}\u{2003}\u{3000}",
            "\u{200b}",
            "\u{200b} \u{feff}",
            "\u{200d}\u{2060}\u{fe0f}",
            "\u{2800}\u{3164}",
            "\u{0}\u{1b}",
            "\u{202e}\u{2066}",
            "\u{e0020}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn one_visible_character_is_enough() {
        for text in ["a", " . ", "\u{200b}é", "👍\u{fe0f}", "0", "\u{302}", "។"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
