//! The forms in which events are sent.

use std::fmt::Write;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use gateway_shared::clock::Millis;
use gateway_shared::domain::OrganizationId;
use gateway_shared::events::{Event, EventIds, Place};

/// The form in which events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `text/event-stream`.
    Sse,
    /// One JSON object a line.
    Ndjson,
    /// One JSON object a WebSocket message.
    WebSocket,
}

impl Form {
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let ndjson = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.contains("application/x-ndjson"));
        if ndjson { Self::Ndjson } else { Self::Sse }
    }

    pub(super) fn mimetype(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::Ndjson | Self::WebSocket => "application/x-ndjson",
        }
    }

    pub(super) fn write(self, event: &Event, out: &mut String) {
        // Writing to a String can not fail.
        let _ = match self {
            Self::Sse => write!(
                out,
                "id: {}\nevent: {}\ndata: {}\n\n",
                event.id, event.kind, event.json
            ),
            Self::Ndjson => writeln!(out, "{}", event.json),
            Self::WebSocket => write!(out, "{}", event.json),
        };
    }

    /// A sign of life. It is no event, but carries the id to resume from: a listener whose filter
    /// lets little through, or to whom nothing was sent yet, does not fall behind.
    pub(super) fn heartbeat(
        self,
        organization: &OrganizationId,
        cursor: Place,
        now: Millis,
    ) -> String {
        let id = EventIds::of(organization).id(cursor);
        let end = if self == Self::Ndjson { "\n" } else { "" };
        match self {
            // Without data a browser takes the id and reports no event.
            Self::Sse => format!(": heartbeat\nid: {id}\n\n"),
            Self::Ndjson | Self::WebSocket => format!(
                "{{\"schema\":\"v1\",\"id\":\"{id}\",\"event\":\"stream.heartbeat\",\
                 \"organization\":\"{organization}\",\"timestamp\":{now}}}{end}"
            ),
        }
    }
}
