//! International phone numbers, as people write them.

use std::ops::RangeInclusive;

/// Fewest and most digits of an international number (E.164 has at most 15).
const DIGITS: RangeInclusive<usize> = 5..=15;

/// What people put between the digits of a number: blanks of any kind, dashes of any kind, dots,
/// slashes and brackets.
fn separates(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}' | '\u{2212}'
        )
}

/// Whether a character is invisible: phone books put direction marks around numbers that are
/// copied out of them.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// A text without the blanks and direction marks at its ends.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || is_mark(character))
}

/// Whether a text is an international number of digits and nothing else.
pub(super) fn is_number(digits: &str) -> bool {
    DIGITS.contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

/// The digits of an international number: `+1 (555) 010-0011` and `0015550100011` are
/// `15550100011`. `None` for anything else, and for a number that holds its national form beside
/// the international one (`+49 (0)30 …`): which of the two is meant differs by country.
pub(super) fn digits_of(text: &str) -> Option<String> {
    let text = trimmed(text);
    let rest = text.strip_prefix('(').unwrap_or(text);
    let rest = rest
        .strip_prefix('+')
        .or_else(|| rest.strip_prefix("00"))
        .unwrap_or(text);
    let mut digits = String::with_capacity(*DIGITS.end());
    let mut bracket = false;
    for character in rest.chars() {
        if character.is_ascii_digit() {
            if (bracket && character == '0') || digits.len() == *DIGITS.end() {
                return None;
            }
            bracket = false;
            digits.push(character);
        } else if separates(character) {
            bracket |= character == '(';
        } else {
            return None;
        }
    }
    is_number(&digits).then_some(digits)
}
