//! The text of a message.

use crate::request::{Fields, Problems};

/// Characters of a text.
pub(super) const TEXT: std::ops::RangeInclusive<usize> = 1..=65_536;

/// Reads `text`, which must be there and show something.
pub(super) fn read(fields: &mut Fields, problems: &mut Problems) -> Option<String> {
    fields.require(problems, "text");
    fields.legible(problems, "text", TEXT)
}
