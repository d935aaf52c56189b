//! Places in a stream, and event ids made from them.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::domain::{EventId, OrganizationId};

/// A place in a stream: Redis' own entry id, `milliseconds-sequence`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Milliseconds of Redis' clock.
    pub millis: u64,
    /// Which of the entries of this millisecond.
    pub sequence: u64,
}

impl Place {
    /// Before everything.
    pub const START: Self = Self {
        millis: 0,
        sequence: 0,
    };

    /// The place just before this one.
    #[must_use]
    pub fn before(self) -> Self {
        match self.sequence.checked_sub(1) {
            Some(sequence) => Self { sequence, ..self },
            None => Self {
                millis: self.millis.saturating_sub(1),
                // Ids keep 32 bits of the sequence; no millisecond holds as many entries.
                sequence: u64::from(u32::MAX),
            },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.sequence)
    }
}

impl FromStr for Place {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (millis, sequence) = text.split_once('-').unwrap_or((text, "0"));
        Ok(Self {
            millis: millis.parse()?,
            sequence: sequence.parse()?,
        })
    }
}

/// An event id of another organization, or of none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not the id of an event of this organization")]
pub struct ForeignEventId;

/// Makes the event ids of one organization: `evt_` and a ULID whose 48 bits of time are the
/// milliseconds of the place, and whose 80 other bits are 48 bits of a hash of the organization
/// and 32 bits of the place's sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventIds {
    organization: u64,
}

impl EventIds {
    /// The ids of this organization.
    #[must_use]
    pub fn of(organization: &OrganizationId) -> Self {
        let hash = Sha256::digest(organization.as_str());
        let organization = hash
            .iter()
            .take(6)
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        Self { organization }
    }

    /// The id of the event at this place.
    #[must_use]
    pub fn id(self, place: Place) -> EventId {
        let sequence = place.sequence & u64::from(u32::MAX);
        let rest = u128::from(self.organization) << 32 | u128::from(sequence);
        EventId::from_parts(place.millis, rest)
    }

    /// The place of the event with this id.
    ///
    /// # Errors
    /// When the id is none of this organization's.
    pub fn place(self, id: &EventId) -> Result<Place, ForeignEventId> {
        let (millis, rest) = id.parts();
        if rest >> 32 != u128::from(self.organization) {
            return Err(ForeignEventId);
        }
        let sequence = u64::try_from(rest & u128::from(u32::MAX)).unwrap_or(0);
        Ok(Place { millis, sequence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_place_in_its_organization_only() {
        let ours = EventIds::of(&OrganizationId::generate(1));
        let theirs = EventIds::of(&OrganizationId::generate(1));
        let place = Place {
            millis: 1_763_700_000_123,
            sequence: 41,
        };
        let id = ours.id(place);
        assert_eq!(ours.place(&id), Ok(place));
        assert_eq!(theirs.place(&id), Err(ForeignEventId));
        assert_eq!(ours.id(place), id);
    }

    #[test]
    fn ids_sort_as_their_places_do() {
        let ids = EventIds::of(&OrganizationId::generate(1));
        let places = ["5-0", "5-1", "5-300", "6-0", "1763700000123-7"];
        let places = places.map(|text| text.parse::<Place>().unwrap());
        let made = places.map(|place| ids.id(place));
        assert!(made.is_sorted());
        assert!(places.is_sorted());
        assert!(places[3].before() < places[3]);
        assert!(places[3].before() > places[2]);
    }
}
