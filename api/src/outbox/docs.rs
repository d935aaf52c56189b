//! What these routes say of themselves.

use gateway_shared::domain::SendStatus;
use gateway_shared::lane::OutboxEntry;
use serde_json::{Value, json};

use crate::error::Code;
use crate::openapi::{Operation, recipient};
use crate::page::Page;

const TAG: &str = "Outbox";

/// An entry for the examples.
pub(crate) fn example() -> Value {
    json!({
        "outboxId": "out_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "session": "sess_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "waMessageId": "3EB0C431C26A1916E07A55",
        "chatJid": "6281234567890@s.whatsapp.net",
        "pn": "6281234567890@s.whatsapp.net",
        "lid": "100000012345678@lid",
        "type": "text",
        "mode": "async",
        "status": "queued",
        "try": 1,
        "attempts": 0,
        "history": [{"status": "queued", "timestamp": 1_763_700_000_123_i64}],
        "requestId": "req_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "expiresAt": 1_763_786_400_123_i64,
        "createdAt": 1_763_700_000_123_i64,
        "updatedAt": 1_763_700_000_123_i64,
    })
}

pub(crate) fn list() -> Operation {
    let statuses: Vec<&str> = SendStatus::ALL
        .into_iter()
        .map(SendStatus::as_str)
        .collect();
    Operation::new(TAG, "listOutbox", "List the sends of a session")
        .about(
            "Newest first; failed ones alone (`status=failed`) by the time of their failure. With a \
             filter that matches little, a page may be short, even empty, before the last one: go on \
             until `nextCursor` is empty.",
        )
        .query("status", json!({"enum": statuses}), "Only this status.")
        .query("chat", recipient(), "Only this chat.")
        .paged()
        .answer::<Page<OutboxEntry>>(
            200,
            "A page.",
            json!({"data": [example()], "nextCursor": ""}),
        )
}

pub(crate) fn get() -> Operation {
    Operation::new(TAG, "getOutboxEntry", "Get a send with its history")
        .about("While it waits, `waitingFor` says why.")
        .answer::<OutboxEntry>(200, "The entry.", example())
}

pub(crate) fn cancel() -> Operation {
    Operation::new(TAG, "cancelSend", "Cancel a send that still waits")
        .answer::<OutboxEntry>(200, "It was cancelled.", example())
        .error(Code::Conflict, "`in_flight`: WhatsApp may have it already")
        .error(
            Code::Conflict,
            "`already_terminal`: it has ended; `details.status`",
        )
}

pub(crate) fn retry() -> Operation {
    Operation::new(TAG, "retrySend", "Try a failed send once more")
        .about(
            "It waits at the end of its chat's queue, under the message id it has and with a new time \
             to live: a new `try`, whose statuses begin at `queued`. Its events carry the number of the \
             try from the second one on.",
        )
        .answer::<OutboxEntry>(200, "It waits again.", example())
        .error(Code::Conflict, "`not_failed`: it still waits; `details.status`")
        .error(Code::Conflict, "`in_flight`: it is being attempted")
        .error(
            Code::Conflict,
            "`already_terminal`: it has ended well, or was cancelled; `details.status`",
        )
        .error(
            Code::Conflict,
            "`logged_out`: no number is paired; `account_changed`: another one than it was accepted for",
        )
        .error(Code::GatewayUnavailable, "`lane_full`: too many sends wait")
}
