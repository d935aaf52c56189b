//! OpenAPI descriptions of these routes.

use gateway_shared::domain::SessionId;
use gateway_shared::events::KINDS;
use gateway_shared::webhooks::{Delivery, Format, MAX_HEADERS, RetryKind, Webhook};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::deliveries::ReplayedMany;
use super::input::{ATTEMPTS, DELAY, EVENTS, HEADER_VALUE, KEEP, URL};
use super::trial::Trial;
use super::{MadeWebhook, RotatedSecret};
use crate::error::Code;
use crate::openapi::{Object, Operation, flag, integer, list as list_of, text, time};
use crate::page::Page;
use crate::request::TIME;

const TAG: &str = "Webhooks";

const SIGNING: &str = "Every delivery is a POST signed by Standard Webhooks 1.0.0: `webhook-id` (the \
    event's id, the same for every attempt: what to deduplicate by), `webhook-timestamp` (seconds, of \
    this attempt) and `webhook-signature` (`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; \
    two of them after a rotation). Beside them `X-Webhook-Request-Id`, `X-Webhook-Timestamp` \
    (milliseconds), `X-Webhook-Hmac` (hex HMAC-SHA512 of the body by the secret's text) and \
    `X-Webhook-Hmac-Algorithm`.";

const DELIVERING: &str = "Any 2xx is success. A redirect is a failure and not followed; 410 disables \
    the webhook. No connection, a timeout, 429, 502, 503, 504, and a run of failures of more than one \
    event mean that the endpoint is down: everything waits in its order, no attempt counts, one \
    delivery at a time tries it. Any other answer refuses that event alone: it is tried again after 5 \
    s, 30 s, 2, 10, 30 and 60 minutes and then hourly up to 72 hours (or by `retryPolicy`), its chat \
    waits behind it and other chats go on; then it is a dead letter. `Retry-After` is honoured up to \
    an hour. Five days of nothing but failure disable the webhook.";

fn schema_of<T: JsonSchema>() -> Value {
    SchemaGenerator::default().subschema_for::<T>().into()
}

fn inline<T: JsonSchema>() -> Value {
    let mut settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.into_generator().subschema_for::<T>().into()
}

/// A webhook for the examples.
pub(crate) fn example() -> Value {
    json!({
        "id": "wh_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "organizationId": "org_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "url": "https://example.com/hooks/whatsapp",
        "events": ["message", "message.status"],
        "format": "gateway",
        "autoDownload": false,
        "customHeaders": {"x-tenant": "acme"},
        "active": true,
        "health": {"state": "ok", "failures": 0, "delivered": 0, "dead": 0, "held": 0},
        "createdAt": 1_763_700_000_000_i64,
        "updatedAt": 1_763_700_000_000_i64,
    })
}

fn delivery_example(status: &str) -> Value {
    json!({
        "id": "dlv_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "eventId": "evt_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "event": "message",
        "session": "sess_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "status": status,
        "attempts": 2,
        "history": [{
            "at": 1_763_700_000_000_i64, "durationMs": 12, "status": 500, "response": "oops",
        }],
        "firstAttemptAt": 1_763_700_000_000_i64,
        "nextAttemptAt": 1_763_700_030_000_i64,
    })
}

fn fields(object: Object) -> Object {
    object
        .optional("sessionId", schema_of::<SessionId>())
        .optional("format", inline::<Format>())
        .optional(
            "autoDownload",
            flag(
                "Whether the files of messages are fetched at once; what is posted then carries their \
                 signed addresses (`url`; `link` in the whapi format), which need no key.",
            ),
        )
        .optional(
            "customHeaders",
            json!({
                "type": "object",
                "maxProperties": MAX_HEADERS,
                "propertyNames": {"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$"},
                "additionalProperties": {"type": "string", "maxLength": HEADER_VALUE, "pattern": "^[ -~]*$"},
                "description": "Sent with every delivery. None can override a header of the gateway.",
            }),
        )
        .optional(
            "retryPolicy",
            Object::new()
                .optional("policy", inline::<RetryKind>())
                .optional("delaySeconds", integer(DELAY, "The first pause."))
                .optional("attempts", integer(ATTEMPTS, "Attempts as a whole.")),
        )
        .optional("active", flag("Whether events are posted."))
}

fn url() -> Value {
    text(URL, "https, of a public host, without a user.")
}

fn events() -> Value {
    let kinds: Vec<&str> = std::iter::once("*").chain(KINDS).collect();
    list_of(
        json!({"enum": kinds}),
        1..=EVENTS,
        "The kinds of events; `*` = all.",
    )
}

pub(crate) fn list() -> Operation {
    Operation::new(TAG, "listWebhooks", "List the webhooks")
        .about("In one page, without their secrets. A key confined to sessions sees only theirs.")
        .answer::<Page<Webhook>>(
            200,
            "The webhooks.",
            json!({"data": [example()], "nextCursor": ""}),
        )
}

pub(crate) fn create() -> Operation {
    let mut made = example();
    made["secret"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=".into();
    Operation::new(TAG, "createWebhook", "Make a webhook")
        .about(&format!(
            "It is told what happens from now on; the secret is shown this once.\n\n{SIGNING}\n\n{DELIVERING}"
        ))
        .idempotent()
        .body(
            "NewWebhook",
            fields(Object::new().required("url", url()).required("events", events())),
            [(
                "All messages",
                json!({"url": "https://example.com/hooks/whatsapp", "events": ["message"]}),
            )],
        )
        .answer::<MadeWebhook>(201, "The webhook and its secret.", made)
        .error(Code::Conflict, "`webhook_limit`: the organization has 50 already")
}

pub(crate) fn get() -> Operation {
    Operation::new(TAG, "getWebhook", "One webhook").answer::<Webhook>(
        200,
        "The webhook.",
        example(),
    )
}

pub(crate) fn update() -> Operation {
    Operation::new(TAG, "updateWebhook", "Change a webhook")
        .about(
            "What is given changes, at once; `retryPolicy` has all of its fields or none; an empty one goes back to the gateway's own \
             schedule. `active: false` stops it in its place, `true` goes on from there.",
        )
        .optional_body(
            "WebhookPatch",
            fields(
                Object::new()
                    .optional("url", url())
                    .optional("events", events()),
            ),
            [(
                "Another address",
                json!({"url": "https://example.com/hooks/two"}),
            )],
        )
        .answer::<Webhook>(200, "The webhook.", example())
}

pub(crate) fn delete() -> Operation {
    Operation::new(TAG, "deleteWebhook", "Delete a webhook")
        .about("With its deliveries and dead letters.")
        .answer_empty(204, "It gets nothing any more.")
}

pub(crate) fn test() -> Operation {
    Operation::new(TAG, "testWebhook", "Try a webhook")
        .about(
            "Posts one signed `webhook.test`, whether the webhook is active or not, and answers what \
             the endpoint answered. Nothing of it is kept.",
        )
        .answer::<Trial>(
            200,
            "What the endpoint answered.",
            json!({
                "delivered": true, "eventId": "evt_01KAHX3N5RDGT0M7Y8Z9ABCDEF", "durationMs": 41,
                "status": 200, "response": "ok",
            }),
        )
}

pub(crate) fn rotate_secret() -> Operation {
    Operation::new(TAG, "rotateWebhookSecret", "Make a new secret")
        .about(
            "Both secrets sign until the former one ends, after 24 hours unless asked otherwise.",
        )
        .optional_body(
            "SecretRotation",
            Object::new().optional(
                "keepFormerSeconds",
                integer(
                    KEEP,
                    "How long the former secret still signs; 0 = not at all.",
                ),
            ),
            [("At once", json!({"keepFormerSeconds": 0}))],
        )
        .answer::<RotatedSecret>(
            200,
            "The new secret, which is shown this once.",
            json!({
                "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
                "formerUntil": 1_763_786_400_000_i64,
            }),
        )
}

pub(crate) fn resume() -> Operation {
    Operation::new(TAG, "resumeWebhook", "Go on with a webhook")
        .about(
            "Makes it active. From `stopped` (the default) it gets everything since it was stopped, as \
             far as events are kept; from `now` what waits is skipped.",
        )
        .optional_body(
            "WebhookResume",
            Object::new().optional("from", json!({"enum": ["stopped", "now"]})),
            [("Skip what waits", json!({"from": "now"}))],
        )
        .answer::<Webhook>(200, "The webhook.", example())
}

pub(crate) fn deliveries() -> Operation {
    Operation::new(TAG, "listDeliveries", "List the deliveries of a webhook")
        .about(
            "The newest first: the latest that were delivered, all that are tried again, and dead \
             letters. An event that waits for an endpoint that is down is none of them yet.",
        )
        .query(
            "status",
            json!({"enum": ["delivered", "pending", "dead"]}),
            "Only these.",
        )
        .paged()
        .answer::<Page<Delivery>>(
            200,
            "The deliveries.",
            json!({"data": [delivery_example("pending")], "nextCursor": ""}),
        )
}

pub(crate) fn delivery() -> Operation {
    Operation::new(TAG, "getDelivery", "One delivery").answer::<Delivery>(
        200,
        "The delivery, with its latest attempts.",
        delivery_example("dead"),
    )
}

pub(crate) fn replay() -> Operation {
    Operation::new(TAG, "replayDelivery", "Deliver again")
        .about("Under the same `webhook-id`; it waits for nothing, and nothing waits for it.")
        .answer::<Delivery>(200, "It is tried again.", delivery_example("pending"))
        .error(Code::Conflict, "`webhook_inactive`, `too_many_held`")
}

pub(crate) fn replay_many() -> Operation {
    Operation::new(TAG, "replayDeliveries", "Deliver many again")
        .about(
            "All dead letters, or those whose events are of a time; with `status: all` every event of \
             the time that the webhook wants, delivered before or not. At most some thousands at once.",
        )
        .optional_body(
            "DeliveryReplay",
            Object::new()
                .optional("status", json!({"enum": ["dead", "all"]}))
                .optional("since", time(TIME, "Events from this moment on."))
                .optional("until", time(TIME, "Events up to this moment.")),
            [("All dead letters", json!({"status": "dead"}))],
        )
        .answer::<ReplayedMany>(
            200,
            "How many are delivered again.",
            json!({"replayed": 17, "more": false}),
        )
        .error(Code::Conflict, "`webhook_inactive`, `too_many_held`")
}
