//! The families of keys of both kinds of place that scripts work on.

use super::KeyFamily;

const fn family(
    name: &'static str,
    pattern: &'static str,
    kind: &'static str,
    purpose: &'static str,
) -> KeyFamily {
    KeyFamily {
        name,
        pattern,
        kind,
        purpose,
    }
}

/// The keys of an organization's partition.
pub const PARTITION: &[KeyFamily] = &[
    family(
        "org",
        ":org",
        "hash",
        "the organization: name, createdAt; for ever",
    ),
    family(
        "sessions",
        ":sessions",
        "set",
        "ids of the organization's sessions; for ever",
    ),
    family(
        "apikeys",
        ":apikeys",
        "hash",
        "keyId -> sha256 of the key; until revoked",
    ),
    family(
        "session",
        ":s:*",
        "hash",
        "a session: contract fields, owner, epoch, qr; until deleted",
    ),
    family(
        "outbox_index",
        ":s:*:o",
        "zset",
        "`number:outboxId:waMessageId` by createdAt; outbox retention",
    ),
    family(
        "by_wa_id",
        ":s:*:wa",
        "hash",
        "waMessageId -> outboxId; outbox retention",
    ),
    family(
        "dead",
        ":s:*:dead",
        "zset",
        "dead letters by time of failure; outbox retention",
    ),
    family(
        "names",
        ":s:*:n",
        "hash",
        "JID of a person -> the other name, number or LID; with the session",
    ),
    family(
        "inbound",
        ":s:*:in",
        "zset",
        "`chat|sender|id` of inbound messages told, by time; 7 days",
    ),
    family(
        "channels",
        ":s:*:ch",
        "hash",
        "channel JID -> number of its newest post told; with the session",
    ),
    family(
        "timers",
        ":s:*:dm",
        "hash",
        "chat JID -> `seconds time` of its disappearing messages (0 = they stay; time of the news in ms); with the session",
    ),
    family(
        "votes",
        ":s:*:v:*",
        "hash",
        "of a poll: voter -> their vote (JSON: shown name, time, options); message retention",
    ),
    family(
        "messages",
        ":s:*:m:*",
        "hash",
        "a page of the message index: messageId -> record (JSON), '' -> its account; message retention",
    ),
    family(
        "lane",
        ":l:*",
        "hash",
        "a lane: seq, depth, urgent, due, asleep, skip, tatMinute, tatHour, pauses, newChatsUntil, suspects, request, turn, page, pageAt, pageOf; with the session",
    ),
    family(
        "known",
        ":l:*:known",
        "zset",
        "chats with one person that were written to, by the last time; the latest 100,000",
    ),
    family(
        "suspects",
        ":l:*:sus",
        "hash",
        "outboxId -> epochs of the owners that vanished with it in flight; until it is settled",
    ),
    family(
        "ready",
        ":l:*:ready",
        "zset",
        "chats whose head may be claimed, by urgency and order",
    ),
    family(
        "delayed",
        ":l:*:delay",
        "zset",
        "chats whose head waits for a retry, by due time",
    ),
    family(
        "scheduled",
        ":l:*:sched",
        "zset",
        "`number:outboxId` not yet in the lane, by sendAt",
    ),
    family(
        "expiring",
        ":l:*:exp",
        "zset",
        "waiting outboxIds by expiresAt",
    ),
    family(
        "flying",
        ":l:*:fly",
        "hash",
        "claimed outboxIds -> `epoch:call` of the claim",
    ),
    family(
        "urgent",
        ":l:*:urg",
        "hash",
        "chat -> number of its waiting urgent entries",
    ),
    family(
        "chat",
        ":l:*:c:*",
        "list",
        "a chat's `seq:outboxId` in order of acceptance, its claimed head included",
    ),
    family(
        "outbox",
        ":o:*",
        "hash",
        "an outbox entry, see lane/lua/entry.lua; outbox retention after its end",
    ),
    family(
        "idempotency",
        ":i:*",
        "string",
        "sha256 of an Idempotency-Key -> `fingerprint outboxId`; 24 h",
    ),
    family(
        "media",
        ":md:*",
        "string",
        "a name of a file (JSON); media.keep_ms",
    ),
    family(
        "media_file",
        ":mf:*",
        "string",
        "sha256 -> a file in the store: object, size, what was found in it (JSON); while it is needed",
    ),
    family(
        "media_needed",
        ":mx",
        "zset",
        "sha256 of each file by the moment until which it is needed",
    ),
    family(
        "media_objects",
        ":mo",
        "zset",
        "objects that are being written, by when their writer counts as dead, and those to be removed (0)",
    ),
    family(
        "media_reserved",
        ":mr",
        "hash",
        "object -> bytes that there is room for, while it is being written",
    ),
    family(
        "media_used",
        ":mu",
        "string",
        "bytes of all files and of what is being written; for ever",
    ),
    family(
        "answer",
        ":a:*",
        "hash",
        "sha256 of an Idempotency-Key of a request that is no send -> fingerprint, token, status, body; 24 h",
    ),
    family(
        "events",
        ":ev",
        "stream",
        "the organization's events; event retention",
    ),
    family(
        "listeners",
        ":evw",
        "set",
        "workers to be woken by the next event; until then",
    ),
    family(
        "webhooks",
        ":whs",
        "hash",
        "webhookId -> its definition (JSON, secrets sealed); until deleted",
    ),
    family(
        "webhook_made",
        ":whi:*",
        "string",
        "sha256 of an Idempotency-Key -> `fingerprint webhookId`; 24 h",
    ),
    family(
        "webhook",
        ":wh:*",
        "hash",
        "a webhook: owner, epoch, active, cursor, read, batch, failures, failingSince, failing, lastError, openUntil, trips, delivered, dead, disabledReason, disabledAt; until deleted",
    ),
    family(
        "webhook_held",
        ":wh:*:held",
        "zset",
        "chats that wait behind a refused event, by when it is tried again",
    ),
    family(
        "webhook_chat",
        ":wh:*:c:*",
        "list",
        "such a chat's deliveries in order, its head included",
    ),
    family(
        "webhook_log",
        ":wh:*:d",
        "hash",
        "deliveryId -> what became of it (JSON); the latest, and dead letters for 30 days",
    ),
    family(
        "webhook_by",
        ":wh:*:by:*",
        "zset",
        "deliveryIds of a status: delivered, pending, dead; as their records",
    ),
    family(
        "refused",
        ":refused",
        "string",
        "how many writes of former owners were refused; for ever",
    ),
];

/// The keys of the whole installation.
pub const GLOBAL: &[KeyFamily] = &[
    family(
        "installation",
        ":installation",
        "hash",
        "the marker: id, schema (version of this model), createdAt; for ever",
    ),
    family(
        "media_marker",
        ":media",
        "string",
        "what the marker object of the installation's folder or bucket says; for ever",
    ),
    family(
        "secrets",
        ":secrets",
        "hash",
        "id of a key of [secrets] -> a constant sealed by it, to notice a wrong key; for ever",
    ),
    family(
        "operators",
        ":operators",
        "hash",
        "sha256 of an operator key -> name, role, createdAt; for ever",
    ),
    family(
        "operator_sign_in",
        ":operator:*",
        "string",
        "a sign-in by sha256 of its cookie: name, role, csrf; until it ends",
    ),
    family(
        "audit",
        ":audit",
        "stream",
        "what operators did; the last 100,000",
    ),
    family(
        "organizations",
        ":orgs",
        "set",
        "ids of all organizations; for ever",
    ),
    family(
        "organization_names",
        ":orgnames",
        "hash",
        "name -> organizationId; for ever",
    ),
    family(
        "directory",
        ":dir",
        "hash",
        "sessionId -> organizationId; until deleted",
    ),
    family(
        "moved_in",
        ":moved-in",
        "hash",
        "hash of a device's keys -> `organizationId/sessionId` that they moved into; for ever",
    ),
    family(
        "running",
        ":run",
        "set",
        "`org/session` of every session that should run",
    ),
    family(
        "free",
        ":free",
        "set",
        "`org/session` of running sessions believed to have no owner (a hint)",
    ),
    family(
        "webhooks",
        ":webhooks",
        "set",
        "`org/webhook` of all webhooks (a hint for workers; the partition is the truth)",
    ),
    family(
        "workers",
        ":workers",
        "zset",
        "live workers by time of their last heartbeat",
    ),
    family(
        "worker",
        ":w:*",
        "hash",
        "what a worker says of itself; until it leaves or is buried",
    ),
    family(
        "owned",
        ":own:*",
        "set",
        "`org/session` a worker owns or is about to (a hint; the session record is the truth)",
    ),
    family(
        "sweep",
        ":sweep",
        "string",
        "the worker that swept last; until the next sweep is due",
    ),
    family(
        "link_token",
        ":link:*",
        "hash",
        "sha256 of a one-time link token: session, expiresAt, used; a day after its end",
    ),
    family(
        "connects",
        ":connects",
        "string",
        "when the next connection to WhatsApp is due by worker.whatsapp.connects_per_minute (ms); until then",
    ),
    family(
        "client_version",
        ":clientversion",
        "hash",
        "the newest WhatsApp Web: version, fetchedAt, problem, rejected, rejectedAt, expiresAt; for ever",
    ),
    family(
        "client_version_fetch",
        ":clientversion:fetch",
        "string",
        "somebody fetched it a moment ago; worker.whatsapp.version_pause_ms",
    ),
];
