//! What the routes by which operators act say of themselves.

use gateway_shared::domain::{OrganizationId, SendStatus, SessionId};
use gateway_shared::operator::Job;
use gateway_shared::organization::Organization;
use gateway_shared::webhooks::Webhook;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::acting::{Audited, FoundSend, NAME, NUMBER, Overview};
use crate::error::Code;
use crate::openapi::{Object, Operation, integer, text, time};
use crate::page::Page;
use crate::request::TIME;

const TAG: &str = "Administration";
const ORGANIZATION: &str = "org_01KAHX3N5RDGT0M7Y8Z9ABCDEF";
const SESSION: &str = "sess_01KAHX3N5RDGT0M7Y8Z9ABCDEF";
const AT: i64 = 1_763_700_000_000;

fn schema<T: JsonSchema>() -> Value {
    SchemaGenerator::default().subschema_for::<T>().into()
}

fn page(example: Value) -> Value {
    json!({"data": [example], "nextCursor": ""})
}

pub(crate) fn overview() -> Operation {
    let minute = json!({"at": AT, "accepted": 120, "sent": 118, "failed": 1, "retried": 1});
    Operation::new(TAG, "adminOverview", "See the whole installation")
        .about("What the first page of the operations room shows.")
        .answer::<Overview>(
            200,
            "The installation.",
            json!({
                "at": AT, "waiting": 118, "inFlight": 3, "deadLetters": 1, "oldestAt": AT - 4_000,
                "sessions": {"working": 41, "scan_qr_code": 1}, "workersAlive": 2, "workers": 2,
                "webhookBacklog": 0, "mediaBytes": 1_048_576, "redisBytes": 52_428_800,
                "redisProblem": null, "hour": [minute],
            }),
        )
}

pub(crate) fn messages() -> Operation {
    let mut example = crate::outbox::docs::example();
    example["organization"] = ORGANIZATION.into();
    Operation::new(TAG, "adminFindMessages", "Find messages of all organizations")
        .about(
            "By `q`: an outbox id, a WhatsApp id, an idempotency key, a request id, or the number or JID \
             of the recipient; at most 50, the latest first. Without `q`: by the other filters, session \
             by session in the order of their ids, the latest first in each; a page may be short before \
             the last one.",
        )
        .query("q", text(0..=255, ""), "What is known of the message.")
        .query("status", schema::<SendStatus>(), "Only of this status.")
        .query("organization", schema::<OrganizationId>(), "Only of this organization.")
        .query("session", schema::<SessionId>(), "Only of this session.")
        .query("since", time(TIME, ""), "Only those accepted at this moment or later.")
        .query("until", time(TIME, ""), "Only those accepted before this moment.")
        .paged()
        .answer::<Page<FoundSend>>(200, "A page.", page(example))
}

pub(crate) fn webhooks() -> Operation {
    let example = crate::webhooks::docs::example();
    Operation::new(
        TAG,
        "adminListWebhooks",
        "List the webhooks of all organizations",
    )
    .about("In one page, those that need somebody first.")
    .answer::<Page<Webhook>>(200, "The webhooks.", page(example))
}

pub(crate) fn drain() -> Operation {
    Operation::new(TAG, "adminDrainWorker", "Drain a worker")
        .about(
            "It gives its sessions to the other workers, a few with each heartbeat, and takes none. With \
             no other worker to take them it keeps them.",
        )
        .answer_empty(204, "It drains.")
}

pub(crate) fn undrain() -> Operation {
    Operation::new(
        TAG,
        "adminUndrainWorker",
        "Let a drained worker take sessions",
    )
    .answer_empty(204, "It takes its share again.")
}

pub(crate) fn discard() -> Operation {
    Operation::new(TAG, "adminDiscardMessage", "Discard a dead letter")
        .about(
            "It is taken off the list of dead letters. Its record stays until its retention ends.",
        )
        .answer_empty(204, "It is off the list.")
        .error(Code::Conflict, "`not_failed`: it is no dead letter")
}

fn organization() -> Value {
    json!({"id": ORGANIZATION, "name": "Acme", "createdAt": AT})
}

pub(crate) fn organizations() -> Operation {
    Operation::new(TAG, "adminListOrganizations", "List the organizations")
        .about("All of them, by name, in one page.")
        .answer::<Page<Organization>>(200, "The organizations.", page(organization()))
}

pub(crate) fn create_organization() -> Operation {
    Operation::new(TAG, "adminCreateOrganization", "Make an organization")
        .about("It has no key yet: make one with `POST /api-keys` and `X-Organization-Id`.")
        .body(
            "NewOrganization",
            Object::new().required(
                "name",
                text(NAME, "Its name, unique in the installation, in one line."),
            ),
            [("Acme", json!({"name": "Acme"}))],
        )
        .answer::<Organization>(201, "The organization.", organization())
        .error(Code::Conflict, "`name_taken`: there is one of this name")
}

pub(crate) fn suspend() -> Operation {
    let mut suspended = organization();
    suspended["suspendedAt"] = AT.into();
    Operation::new(TAG, "adminSuspendOrganization", "Suspend an organization")
        .about(
            "Its keys and logins are refused (403 `organization_suspended`) by every process, and nothing \
             leaves its sessions. What comes in is kept.",
        )
        .answer::<Organization>(200, "It is suspended.", suspended)
}

pub(crate) fn unsuspend() -> Operation {
    Operation::new(
        TAG,
        "adminUnsuspendOrganization",
        "Let an organization go on",
    )
    .about("Lanes that somebody paused before it was suspended stay paused.")
    .answer::<Organization>(200, "It goes on.", organization())
}

fn job() -> Value {
    json!({
        "id": "job_01KAHX3N5RDGT0M7Y8Z9ABCDEF", "action": "retry", "filter": {"session": SESSION},
        "expected": 118, "askedBy": "login user-1", "askedAt": AT, "state": "running",
        "progress": {"done": 100, "skipped": 0, "session": SESSION, "place": "", "reasons": {}},
        "updatedAt": AT + 900,
    })
}

pub(crate) fn jobs() -> Operation {
    Operation::new(TAG, "adminListJobs", "List the jobs of operators")
        .about("The latest 100, in one page.")
        .answer::<Page<Job>>(200, "The jobs.", page(job()))
}

pub(crate) fn create_job() -> Operation {
    let filter = |object: Object| {
        object
            .optional("organization", schema::<OrganizationId>())
            .optional("session", schema::<SessionId>())
            .optional(
                "code",
                text(1..=100, "Only those that failed with this code."),
            )
            .optional(
                "since",
                time(TIME, "Only those accepted at this moment or later."),
            )
            .optional(
                "until",
                time(TIME, "Only those accepted before this moment."),
            )
    };
    Operation::new(TAG, "adminCreateJob", "Act on all messages that match")
        .about(
            "In steps of 100, by whichever API process has time; a job survives the end of its process. \
             `retry` and `discard` are about what failed, `cancel` is about what waits. Where more than \
             100 match, `matching` must name their number, give or take a twentieth.",
        )
        .body(
            "NewJob",
            filter(Object::new().required(
                "action",
                json!({"enum": ["retry", "discard", "cancel"], "description": "What is done."}),
            ))
            .optional("matching", integer(NUMBER, "How many are expected to match.")),
            [("Retry", json!({"action": "retry", "session": SESSION, "matching": 118}))],
        )
        .answer::<Job>(202, "It has begun.", job())
        .error(
            Code::Conflict,
            "`number_not_confirmed`: more than 100 match; `details.matching` says how many",
        )
        .error(Code::NotFound, "there is no such session")
}

pub(crate) fn job_of() -> Operation {
    Operation::new(TAG, "adminGetJob", "See how far a job came").answer::<Job>(
        200,
        "The job.",
        job(),
    )
}

pub(crate) fn stop_job() -> Operation {
    let mut stopped = job();
    stopped["state"] = "stopped".into();
    Operation::new(TAG, "adminStopJob", "Stop a job")
        .about("Before its next step; what was done stays done.")
        .answer::<Job>(200, "The job.", stopped)
        .error(Code::Conflict, "`already_ended`: it has ended")
}

pub(crate) fn audit() -> Operation {
    let line = json!({
        "id": "1763700000000-0", "at": AT, "operator": "night shift", "from": "127.0.0.1",
        "action": "lane.pause", "target": SESSION, "detail": "was not paused",
    });
    Operation::new(TAG, "adminListAudit", "Read the audit log")
        .about("What operators did and asked to see, the latest first; the last 100,000 lines.")
        .paged()
        .answer::<Page<Audited>>(200, "A page.", page(line))
}
