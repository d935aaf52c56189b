//! One emoji.

use std::fmt;
use std::str::FromStr;

/// Exactly one emoji, as Unicode lists them: one grapheme cluster, with or without its variation
/// selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Emoji(String);

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
        match emojis::get(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(NotAnEmoji),
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
        ] {
            let emoji: Emoji = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(String::from(emoji), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", " ", "a", "1", "👍👍", "👍 ", " 👍", "ok👍", ":)", "🇮", "\u{fe0f}", "é",
        ] {
            assert!(text.parse::<Emoji>().is_err(), "{text:?}");
        }
    }
}
