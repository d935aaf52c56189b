//! What these routes say of themselves.

use gateway_shared::domain::SessionId;
use gateway_shared::events::KINDS;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::ticket::Ticket;
use crate::error::Code;
use crate::openapi::{Operation, time};
use crate::request::TIME;

/// What happens in groups.
const GROUPS: &str = "`group.participant`: `members` (each with `jid`, and `lid` where known) and \
    `action`: `add`, `remove`, `promote`, `demote`, `join` and `leave` (by themselves), \
    `change_number`, `request` (to be let in) and `request_revoked`. `group.update`: `change` and how \
    it is now: `create` and `subject` (`subject`), `description` (`description`, null = none), \
    `announce` (`announce`), `locked` (`locked`), `ephemeral` (`disappearsAfterMs`), \
    `membership_approval` (`membershipApproval`), `member_add_mode` (`adminsAddMembers`), `invite` \
    (another code); for anything else `change` is WhatsApp's own word. Both have `groupJid`, `by`, \
    `timestamp` and `offline`. The session's own doings are emitted as well. What happens within moments, \
    or waited for the session, may be emitted in another order: `timestamp` says when it was.";

pub(crate) fn ticket() -> Operation {
    Operation::new("Events", "createEventTicket", "Make a ticket to listen")
        .about(
            "For somebody who can set no header, such as a browser's WebSocket: `GET /events?ticket=` \
             listens as whoever made the ticket. It is good once, for a minute.",
        )
        .answer::<Ticket>(
            200,
            "The ticket.",
            json!({
                "ticket": "wat_0123456789abcdef0123456789abcdef0123456789abcdef",
                "expiresAt": 1_763_700_060_000_i64,
            }),
        )
}

pub(crate) fn listen() -> Operation {
    let kinds = KINDS.join("`, `");
    let id = json!({"type": "string", "pattern": "^evt_[0-7][0-9A-HJKMNP-TV-Z]{25}$"});
    let session: Value = SchemaGenerator::default()
        .subschema_for::<SessionId>()
        .into();
    Operation::new("Events", "listenToEvents", "Listen to events")
        .about(&format!(
            "A stream that does not end: Server-Sent Events, or with `Accept: \
             application/x-ndjson` one JSON object a line, or upgraded a WebSocket with one envelope a \
             message. `Last-Event-ID` or `since` resumes without \
             loss inside the retention (7 days); a gap is emitted by a `stream.gap` event, never hidden. \
             A heartbeat comes every 15 seconds and carries the id to resume from. A listener that is slower \
             than its events come for 30 seconds gets `stream.slow` and is dropped; it can resume.\n\nKinds: `{kinds}`.\n\n{GROUPS}"
        ))
        .query(
            "types",
            json!({"type": "string"}),
            "Only these kinds, with commas between them.",
        )
        .query("session", session, "Only of this session.")
        .query(
            "ticket",
            json!({"type": "string", "pattern": "^wat_[0-9a-f]{48}$"}),
            "Instead of a token: from `POST /events:ticket`.",
        )
        .query(
            "since",
            json!({"anyOf": [id, time(TIME, "A moment."), {"const": "beginning"}]}),
            "After the event of this id; from this moment on (epoch milliseconds); or `beginning` for \
             everything that is still held.",
        )
        .header(
            "Last-Event-ID",
            json!({"type": "string", "pattern": "^(evt_[0-7][0-9A-HJKMNP-TV-Z]{25})?$"}),
            "As `since`; wins over it.",
        )
        .error(Code::NotFound, "there is no such `session`")
        .answer_as(
            200,
            "The events from now on, or after the one that is named.",
            "text/event-stream",
            // Of each event: the stream itself has no end that could be validated.
            json!({
                "type": "object",
                "required": ["id", "event", "data"],
                "properties": {
                    "id": {"type": "string", "description": "What to resume from."},
                    "event": {"type": "string", "description": "Its kind."},
                    "data": {"type": "string", "description": "Its envelope, as JSON."},
                },
            }),
            json!({
                "id": "evt_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
                "event": "message.status",
                "data": "{\"schema\":\"v1\",…}",
            }),
        )
        .answer_as(
            200,
            "",
            "application/x-ndjson",
            json!({"type": "string"}),
            json!("{\"schema\":\"v1\",\"id\":\"evt_01KAHX3N5RDGT0M7Y8Z9ABCDEF\",…}\n"),
        )
}
