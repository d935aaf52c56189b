//! A poll's question and options.

use std::collections::HashSet;

use gateway_shared::domain::Poll;

use super::input::NAME;
use crate::request::{Fields, Problems, is_blank};

/// Options of a poll.
pub(super) const OPTIONS: std::ops::RangeInclusive<usize> = 2..=12;
/// How many options a voter may choose, where the poll does not say.
const SELECTABLE: i64 = 1;

/// Reads `name`, `options` and `selectableCount` and tells of every problem in them.
pub(super) fn read(fields: &mut Fields, problems: &mut Problems) -> Option<Poll> {
    fields.require(problems, "name");
    fields.require(problems, "options");
    let name = fields.legible(problems, "name", NAME);
    let options = options(fields, problems);
    let most = options.as_ref().map_or(*OPTIONS.end(), |(_, given)| *given);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let given = fields.has("selectableCount");
    let count = fields.integer(problems, "selectableCount", 0..=most);
    let count = if given { count? } else { SELECTABLE };
    Some(Poll {
        name: name?,
        options: options?.0,
        selectable_count: u32::try_from(count).ok()?,
        secret: None,
    })
}

/// The options that are sound, and how many were given.
fn options(fields: &mut Fields, problems: &mut Problems) -> Option<(Vec<String>, usize)> {
    let listed = fields.list::<String>(problems, "options", *OPTIONS.end())?;
    let fits = listed.length >= *OPTIONS.start();
    if !fits {
        let (least, most) = (OPTIONS.start(), OPTIONS.end());
        problems.add("options", format!("must have {least} to {most} entries"));
    }
    let mut options = Vec::new();
    let mut seen = HashSet::new();
    for (field, option) in listed.items {
        if is_blank(&option) {
            problems.add(field, "must not be blank");
        } else if option.chars().count() > *NAME.end() {
            let most = NAME.end();
            problems.add(field, format!("must have at most {most} characters"));
        } else if !seen.insert(option.clone()) {
            problems.add(field, "must not repeat an earlier option");
        } else {
            options.push(option);
        }
    }
    fits.then_some((options, listed.length))
}
