//! The pictures and films of an album.

use std::ops::RangeInclusive;

use gateway_shared::domain::FileKind;

use crate::media::{Source, Wanted};
use crate::openapi::{Object, list};
use crate::request::{Fields, Problems};
use serde_json::{Value, json};

use super::media;

/// Pictures and films of an album.
pub(super) const ITEMS: RangeInclusive<usize> = 2..=30;
/// Bytes of all files together that come with the request, decoded.
const DATA: usize = 64 << 20;

/// `items` as the document shows it.
pub(super) fn schema() -> Value {
    let item = Object::new()
        .required("type", json!({"enum": ["image", "video"]}))
        .required("media", media::schema())
        .named("AlbumItem");
    list(item, ITEMS, "The pictures and films, in their order.")
}

/// Reads `items` and tells of every problem in it.
pub(super) fn read(fields: &mut Fields, problems: &mut Problems) -> Option<Vec<Wanted>> {
    fields.require(problems, "items");
    let entries = fields.objects(problems, "items", *ITEMS.end())?;
    if entries.length < *ITEMS.start() {
        problems.add("items", "must have 2 to 30 entries");
    }
    let mut items = Vec::with_capacity(entries.items.len());
    for (path, mut entry) in entries.items {
        entry.require(problems, "type");
        let kind = match entry.text(problems, "type").as_deref() {
            Some("image") => Some(FileKind::Image),
            Some("video") => Some(FileKind::Video),
            Some(_) => {
                problems.add(format!("{path}.type"), "must be image or video");
                None
            }
            None => None,
        };
        match kind {
            Some(kind) => items.extend(media::read(kind, &mut entry, problems)),
            None => entry.ignore("media"),
        }
        entry.finish(problems, &[], "");
    }
    if items.iter().any(|item| item.view_once) {
        problems.add("items", "an album can not be viewed once");
    }
    let data = |item: &Wanted| match &item.source {
        Source::Data(data) => data.len() / 4 * 3,
        Source::Id(_) | Source::Url(_) => 0,
    };
    if items.iter().map(data).sum::<usize>() > DATA {
        problems.add("items", "must have at most 64 MiB together, decoded");
    }
    Some(items)
}
