//! Events as they are told.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{EventIds, GAP_KIND, Place};
use crate::clock::Millis;
use crate::domain::{EventId, OrganizationId};

/// An event, with its envelope already written: many listeners are told the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where it is in the stream.
    pub place: Place,
    /// Its id.
    pub id: EventId,
    /// Its kind.
    pub kind: String,
    /// The session it is about.
    pub session: String,
    /// The envelope as JSON, on one line.
    pub json: String,
}

#[derive(Serialize)]
struct Envelope<'a> {
    schema: &'static str,
    id: &'a EventId,
    event: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    session: &'a str,
    organization: &'a OrganizationId,
    timestamp: Millis,
    payload: &'a RawValue,
}

/// The parts of an event as a stream keeps them.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) kind: String,
    pub(super) session: String,
    pub(super) timestamp: Millis,
    pub(super) payload: String,
}

impl Event {
    /// Puts a stored event into its envelope; `None` where its payload is no JSON, which only a
    /// foreign hand can have caused.
    pub(super) fn new(
        organization: &OrganizationId,
        ids: EventIds,
        place: Place,
        stored: Stored,
    ) -> Option<Self> {
        let id = ids.id(place);
        let payload = RawValue::from_string(stored.payload).ok()?;
        let json = serde_json::to_string(&Envelope {
            schema: "v1",
            id: &id,
            event: &stored.kind,
            session: &stored.session,
            organization,
            timestamp: stored.timestamp,
            payload: &payload,
        })
        .ok()?;
        Some(Self {
            place,
            id,
            kind: stored.kind,
            session: stored.session,
            json,
        })
    }
}

#[derive(serde::Deserialize)]
struct Head {
    id: EventId,
    event: String,
    #[serde(default)]
    session: String,
}

impl Event {
    /// An event from its envelope, as it was kept outside of the stream; `None` where this is none.
    #[must_use]
    pub fn from_json(place: Place, json: &str) -> Option<Self> {
        let head: Head = serde_json::from_str(json).ok()?;
        Some(Self {
            place,
            id: head.id,
            kind: head.event,
            session: head.session,
            json: json.to_owned(),
        })
    }
}

/// The event that tells a listener that events after `since` are gone, or that the stream does not
/// reach it, and that the stream goes on after `resumed`. Its id is that of `resumed`, so resuming from
/// it tells no second gap.
#[must_use]
pub fn gap_event(
    organization: &OrganizationId,
    since: Place,
    resumed: Place,
    now: Millis,
) -> Option<Event> {
    let ids = EventIds::of(organization);
    let payload = serde_json::json!({
        "since": ids.id(since),
        "resumedAfter": ids.id(resumed),
        "reason": if since > resumed { "not_reached" } else { "retention" },
    });
    let stored = Stored {
        kind: GAP_KIND.to_owned(),
        session: String::new(),
        timestamp: now,
        payload: payload.to_string(),
    };
    Event::new(organization, ids, resumed, stored)
}

/// The event that tells a listener that it is too slow, and that its stream ends. Its id is that of
/// `cursor`, from where it can resume.
#[must_use]
pub fn slow_event(organization: &OrganizationId, cursor: Place, now: Millis) -> Option<Event> {
    let ids = EventIds::of(organization);
    let payload = serde_json::json!({"resumeAfter": ids.id(cursor)});
    let stored = Stored {
        kind: "stream.slow".to_owned(),
        session: String::new(),
        timestamp: now,
        payload: payload.to_string(),
    };
    Event::new(organization, ids, cursor, stored)
}
