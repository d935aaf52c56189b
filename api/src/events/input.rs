//! What a listener asks for.

use axum::http::{HeaderMap, Uri};
use gateway_shared::domain::{EventId, SessionId};
use gateway_shared::events::{Event, EventIds, GAP_KIND, KINDS, Place, is_kind};

use crate::access::Caller;
use crate::request::{Problems, Query};

/// The header by which a browser resumes.
const LAST_EVENT_ID: &str = "last-event-id";

/// What a listener wants to hear.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Only these kinds; empty = all.
    kinds: Vec<String>,
    /// Only of this session.
    pub(super) session: Option<SessionId>,
    /// Only of these sessions: the scope of the caller's key.
    scope: Option<Vec<SessionId>>,
    /// After this place; `None` = from now on.
    pub(super) since: Option<Place>,
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
        // A session outside the caller's sight is told apart later, as not found.
        let session = query.parsed(problems, "session");
        // A browser repeats the address it began with and tells in the header how far it came.
        let since = match headers.get(LAST_EVENT_ID).map(|value| value.to_str()) {
            Some(Ok(id)) if !id.is_empty() => place("Last-Event-ID", id, caller, problems),
            Some(Err(_)) => {
                problems.add("Last-Event-ID", "must be the id of an event");
                None
            }
            _ => query
                .given("since")
                .and_then(|id| place("since", id, caller, problems)),
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

fn place(field: &str, id: &str, caller: &Caller, problems: &mut Problems) -> Option<Place> {
    let place = id
        .parse::<EventId>()
        .map_err(|error| error.to_string())
        .and_then(|id| {
            EventIds::of(&caller.organization)
                .place(&id)
                .map_err(|error| error.to_string())
        });
    place.map_err(|message| problems.add(field, message)).ok()
}
