//! What these routes say of themselves.

use gateway_shared::domain::{OrganizationId, Session, SessionId};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::queues::{DeadLetter, Queue};
use super::sessions::Lease;
use super::workers::Worker;
use crate::openapi::Operation;
use crate::page::Page;

const TAG: &str = "Administration";

/// A list that goes through the directory of sessions.
fn listed(id: &'static str, summary: &'static str) -> Operation {
    fn schema<T: JsonSchema>() -> Value {
        SchemaGenerator::default().subschema_for::<T>().into()
    }
    Operation::new(TAG, id, summary)
        .query(
            "organization",
            schema::<OrganizationId>(),
            "Only of this organization.",
        )
        .query("session", schema::<SessionId>(), "Only of this session.")
        .paged()
}

pub(crate) fn sessions() -> Operation {
    let example = crate::sessions::docs::example();
    listed(
        "adminListSessions",
        "List the sessions of all organizations",
    )
    .about("In the order of their ids. A page may be short before the last one.")
    .answer::<Page<Session>>(200, "A page.", json!({"data": [example], "nextCursor": ""}))
}

pub(crate) fn leases() -> Operation {
    let example = json!({
        "session": "sess_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "organization": "org_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "desired": "running",
        "status": "working",
        "worker": "wkr_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "workerRegistered": true,
        "epoch": 3,
    });
    listed("adminListLeases", "List who runs which session")
        .about("In the order of the sessions' ids.")
        .answer::<Page<Lease>>(200, "A page.", json!({"data": [example], "nextCursor": ""}))
}

pub(crate) fn workers() -> Operation {
    let example = json!({
        "id": "wkr_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "version": "0.1.0",
        "host": "worker-1:4711",
        "sessions": 12,
        "capacity": 1000,
        "startedAt": 1_763_700_000_000_i64,
        "heartbeatAt": 1_763_700_060_000_i64,
        "memoryBytes": 52_428_800,
        "cpuPercent": 3,
        "draining": false,
        "alive": true,
    });
    Operation::new(TAG, "adminListWorkers", "List the workers")
        .about("All that are registered, oldest first, in one page.")
        .answer::<Page<Worker>>(
            200,
            "The workers.",
            json!({"data": [example], "nextCursor": ""}),
        )
}

pub(crate) fn queues() -> Operation {
    let example = json!({
        "session": "sess_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "organization": "org_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "ratePerMin": 20,
        "ratePerHour": 200,
        "depth": 41,
        "urgent": 1,
        "inFlight": 2,
        "retryingChats": 0,
        "scheduled": 3,
        "oldestAt": 1_763_700_000_000_i64,
        "oldestAgeMs": 95_000,
        "acceptedLastMinute": 12,
        "spentOfMinute": 20,
        "spentOfHour": 57,
        "pausedUntil": null,
        "deadLetters": 0,
    });
    listed("adminListQueues", "List what waits in the queues")
        .about("In the order of the sessions' ids.")
        .answer::<Page<Queue>>(200, "A page.", json!({"data": [example], "nextCursor": ""}))
}

pub(crate) fn dead_letters() -> Operation {
    let mut example = crate::outbox::docs::example();
    example["organization"] = "org_01KAHX3N5RDGT0M7Y8Z9ABCDEF".into();
    example["status"] = "failed".into();
    example["error"] = json!({
        "code": "refused",
        "message": "WhatsApp refused the message with code 403",
        "waCode": 403,
    });
    listed(
        "adminListDeadLetters",
        "List the sends that failed for good",
    )
    .about(
        "Session by session in the order of their ids, the latest first in each. A page may be \
             short before the last one.",
    )
    .answer::<Page<DeadLetter>>(200, "A page.", json!({"data": [example], "nextCursor": ""}))
}
