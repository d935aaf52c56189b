//! What a listener asks for.

use axum::http::{HeaderMap, Uri};
use gateway_shared::domain::{EventId, InvalidId, SessionId};
use gateway_shared::events::{Edges, Event, EventIds, GAP_KIND, KINDS, Place, is_kind};

use crate::access::Caller;
use crate::request::{Problems, Query, TIME};

/// The header by which a browser resumes.
const LAST_EVENT_ID: &str = "last-event-id";

/// What `?since=` says for everything that is still held.
const BEGINNING: &str = "beginning";

/// Where a listener begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// With everything that is still held.
    Beginning,
    /// After this place.
    Place(Place),
    /// With what is held from this place on: its moment, which may be still to come.
    Moment(Place),
}

impl Since {
    /// The place after which the listener reads, in a stream that holds this.
    pub(super) fn cursor(self, edges: &Edges) -> Place {
        match self {
            Self::Beginning => edges.beginning(),
            Self::Place(place) => place,
            // What is still to come follows on the present end.
            Self::Moment(place) => place.before().min(edges.last),
        }
    }
}

/// What a listener wants to hear.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Only these kinds; empty = all.
    kinds: Vec<String>,
    /// Only of this session.
    pub(super) session: Option<SessionId>,
    /// Only of these sessions: the scope of the caller's key.
    scope: Option<Vec<SessionId>>,
    /// From where; `None` = from now on.
    pub(super) since: Option<Since>,
}

impl Wanted {
    pub(super) fn read(
        uri: &Uri,
        headers: &HeaderMap,
        caller: &Caller,
        problems: &mut Problems,
    ) -> Self {
        let query = Query::of(uri);
        let mut kinds: Vec<String> = Vec::new();
        let mut all = false;
        for kind in query.all("types") {
            if kind == "*" {
                all = true;
            } else if is_kind(kind) || kind == GAP_KIND {
                kinds.push(kind.to_owned());
            } else {
                let known = KINDS.join(", ");
                problems.add(
                    "types",
                    format!("{kind:?} is no kind of event; known are {known}"),
                );
            }
        }
        if all {
            kinds.clear();
        }
        kinds.sort_unstable();
        kinds.dedup();
        // A session outside the caller's sight is told apart later, as not found.
        let session = query.parsed(problems, "session");
        // A browser repeats the address it began with and tells in the header how far it came.
        let since = match headers.get(LAST_EVENT_ID).map(|value| value.to_str()) {
            Some(Ok(id)) if !id.is_empty() => {
                let place = place(id, caller);
                place
                    .map_err(|message| problems.add("Last-Event-ID", message))
                    .ok()
            }
            Some(Err(_)) => {
                problems.add("Last-Event-ID", "must be the id of an event");
                None
            }
            _ => query
                .given("since")
                .and_then(|text| since(text, caller, problems)),
        };
        Self {
            kinds,
            session,
            scope: caller.sessions.clone(),
            since,
        }
    }

    /// Whether every event is wanted.
    pub(super) fn wants_everything(&self) -> bool {
        self.kinds.is_empty() && self.session.is_none() && self.scope.is_none()
    }

    /// Whether an event is to be told.
    pub(super) fn wants(&self, event: &Event) -> bool {
        if event.kind == GAP_KIND {
            return true;
        }
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self
                .session
                .as_ref()
                .is_none_or(|session| session.as_str() == event.session)
            && self
                .scope
                .as_ref()
                .is_none_or(|scope| scope.iter().any(|one| one.as_str() == event.session))
    }
}

/// Reads `?since=`: the id of an event, a moment, or the beginning.
fn since(text: &str, caller: &Caller, problems: &mut Problems) -> Option<Since> {
    if text == BEGINNING {
        return Some(Since::Beginning);
    }
    if let Ok(millis) = text.parse::<u64>() {
        if !i64::try_from(millis).is_ok_and(|millis| TIME.contains(&millis)) {
            problems.add("since", "must be a moment in epoch milliseconds");
            return None;
        }
        let place = Place {
            millis,
            sequence: 0,
        };
        return Some(Since::Moment(place));
    }
    place(text, caller)
        .map_err(|_| {
            problems.add(
                "since",
                "must be the id of an event of this organization (evt_…), a moment in epoch \
                 milliseconds, or beginning",
            );
        })
        .ok()
}

/// The place of the event with this id.
fn place(id: &str, caller: &Caller) -> Result<Since, String> {
    let id: EventId = id.parse().map_err(|error: InvalidId| error.to_string())?;
    let place = EventIds::of(&caller.organization).place(&id);
    place.map(Since::Place).map_err(|error| error.to_string())
}
