//! The text of a message.

use crate::request::{Fields, Problems};

/// Characters of a text.
pub(super) const TEXT: std::ops::RangeInclusive<usize> = 1..=65_536;

/// Reads `text`, which must be there.
pub(super) fn read(fields: &mut Fields, problems: &mut Problems) -> Option<String> {
    fields.require(problems, "text");
    fields.text_of(problems, "text", TEXT)
}
