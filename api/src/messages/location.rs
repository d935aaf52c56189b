//! A place.

use gateway_shared::domain::{Content, MessageContext};

use super::input::NAME;
use crate::request::{Fields, Problems};

/// Reads `latitude`, `longitude` and `name` and tells of every problem in them.
pub(super) fn read(
    fields: &mut Fields,
    context: MessageContext,
    problems: &mut Problems,
) -> Option<Content> {
    fields.require(problems, "latitude");
    fields.require(problems, "longitude");
    let latitude = fields.number(problems, "latitude", -90.0..=90.0);
    let longitude = fields.number(problems, "longitude", -180.0..=180.0);
    let name = fields.legible(problems, "name", NAME);
    let address = fields.legible(problems, "address", NAME);
    Some(Content::Location {
        latitude: latitude?,
        longitude: longitude?,
        name,
        address,
        context,
    })
}
