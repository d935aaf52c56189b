//! What these routes say of themselves.

use gateway_shared::domain::SessionId;
use gateway_shared::events::KINDS;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use crate::error::Code;
use crate::openapi::Operation;

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

pub(crate) fn listen() -> Operation {
    let kinds = KINDS.join("`, `");
    let id = json!({"type": "string", "pattern": "^evt_[0-7][0-9A-HJKMNP-TV-Z]{25}$"});
    let session: Value = SchemaGenerator::default()
        .subschema_for::<SessionId>()
        .into();
    Operation::new("Events", "listenToEvents", "Listen to events")
        .about(&format!(
            "A stream that does not end: Server-Sent Events, or with `Accept: \
             application/x-ndjson` one JSON object a line. `Last-Event-ID` or `since` resumes without \
             loss inside the retention (7 days); a gap is emitted by a `stream.gap` event, never hidden. \
             A heartbeat comes every 15 seconds and carries the id to resume from.\n\nKinds: `{kinds}`.\n\n{GROUPS}"
        ))
        .query(
            "types",
            json!({"type": "string"}),
            "Only these kinds, with commas between them.",
        )
        .query("session", session, "Only of this session.")
        .query("since", id, "After the event of this id.")
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
