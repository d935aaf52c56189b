//! One emoji.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// Exactly one emoji, as Unicode lists them: one grapheme cluster, with or without
/// variation selectors, also where it needs none. It is sent as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Emoji(String);

/// Asks for an emoji as a picture. Keyboards put it behind emoji that need none.
const SELECTOR: char = '\u{fe0f}';

/// Most bytes of an emoji: the longest has 35 without selectors.
const LONGEST: usize = 128;

/// Every emoji without its selectors.
static PLAIN: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let toned = emojis::iter().flat_map(|emoji| emoji.skin_tones().into_iter().flatten());
    emojis::iter()
        .chain(toned)
        .map(|emoji| without_selectors(emoji.as_str()))
        .collect()
});

fn without_selectors(text: &str) -> String {
    text.replace(SELECTOR, "")
}

/// A text that is not exactly one emoji.
#[derive(Debug)]
pub(super) struct NotAnEmoji;

impl fmt::Display for NotAnEmoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be exactly one emoji")
    }
}

impl FromStr for Emoji {
    type Err = NotAnEmoji;

    fn from_str(text: &str) -> Result<Self, NotAnEmoji> {
        if text.len() > LONGEST {
            return Err(NotAnEmoji);
        }
        let plain = without_selectors(text);
        // A digit with a selector is no emoji; it takes a keycap behind it.
        let known = !plain.is_ascii()
            && (emojis::get(text).is_some()
                || (plain.len() < text.len() && PLAIN.contains(&plain)));
        if known {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnEmoji)
        }
    }
}

impl From<Emoji> for String {
    fn from(emoji: Emoji) -> String {
        emoji.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_of_however_many_characters_is_taken_as_it_is() {
        for text in [
            "👍",
            "👍🏽",
            "❤",
            "❤️",
            "👨‍👩‍👧‍👦",
            "🏳️‍🌈",
            "🇮🇩",
            "1️⃣",
            "🧑🏻‍❤️‍💋‍🧑🏿",
            "©️",
            "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
            "👍\u{fe0f}",
            "👍🏽\u{fe0f}",
            "❤\u{fe0f}\u{fe0f}",
            "👨\u{fe0f}\u{200d}👩\u{200d}👧\u{200d}👦",
            "🏳\u{200d}🌈",
            "🇮🇩\u{fe0f}",
        ] {
            let emoji: Emoji = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(String::from(emoji), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            " ",
            "a",
            "1",
            "👍👍",
            "👍 ",
            " 👍",
            "ok👍",
            ":)",
            "🇮",
            "\u{fe0f}",
            "é",
            "1\u{fe0f}",
            "a\u{fe0f}",
            "👍\u{fe0f}👍",
            "👍\u{200b}",
        ] {
            assert!(text.parse::<Emoji>().is_err(), "{text:?}");
        }
    }
}
