//! What these routes say of themselves.

use serde_json::{Value, json};

use super::album;
use super::batch::{BatchResult, SENDS};
use super::contact::VCARD;
use super::input::{MENTIONS, MESSAGE_ID, NAME};
use super::media;
use super::poll::OPTIONS;
use super::result::SendResult;
use super::text::TEXT;
use crate::error::Code;
use crate::openapi::{
    Object, Operation, flag, integer, list, number, one_of, one_of_by, person, phone, recipient,
    text, time,
};
use crate::request::TIME;

/// The chapter of messages.
pub(super) const TAG: &str = "Messages";

/// Something can be seen: no white space, and none of the most common characters that show nothing.
pub(super) const VISIBLE: &str = "[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufff8]";

/// A text of which something can be seen.
fn name(about: &str) -> Value {
    let mut schema = text(NAME, about);
    schema["pattern"] = VISIBLE.into();
    schema
}

/// The text of a message.
pub(super) fn body_text(about: &str) -> Value {
    let mut schema = text(TEXT, about);
    schema["pattern"] = VISIBLE.into();
    schema
}

/// What every type of message has.
///
/// Its schema is called `Send` and its type: `SendText`.
fn message(kind: &'static str, fields: Object) -> Object {
    let id = json!({
        "type": "string",
        "minLength": MESSAGE_ID.start(),
        "maxLength": MESSAGE_ID.end(),
        "pattern": "^[!-~]+$",
        "description": "The WhatsApp id of the message that is quoted: 404 for one that this chat's people \
                        were not shown (of another chat, taken back, cancelled or refused). One older than \
                        what the session remembers is named without its author and words.",
    });
    fields
        .required("type", json!({"const": kind}))
        .required("to", recipient())
        .optional("replyTo", id)
        .optional(
            "mentions",
            list(person(), 0..=MENTIONS, "The people mentioned."),
        )
        .optional(
            "sendAt",
            time(TIME, "Not before this moment; only with `?async=true`."),
        )
        .optional(
            "expiresAt",
            time(
                TIME,
                "In the future. If it still waits then, it fails as `expired`. Default: 24 hours.",
            ),
        )
}

/// A message of another type than text: a text is ignored rather than refused.
fn other(kind: &'static str, fields: Object) -> Value {
    let fields = message(kind, fields).optional("text", json!({}));
    fields.named(schema_name(kind))
}

fn schema_name(kind: &str) -> String {
    let (first, rest) = kind.split_at(1);
    format!("Send{}{rest}", first.to_uppercase())
}

/// Any message.
pub(super) fn schema() -> Value {
    let poll = Object::new()
        .required("name", name("The question."))
        .required("options", {
            let mut options = list(name("One of them."), OPTIONS, "The choices.");
            options["uniqueItems"] = true.into();
            options
        })
        .optional(
            "selectableCount",
            integer(
                0..=12,
                "How many may be chosen, at most as many as there are; 0 = any. Default 1.",
            ),
        );
    let location = Object::new()
        .required("latitude", number(-90.0..=90.0, "In degrees."))
        .required("longitude", number(-180.0..=180.0, "In degrees."))
        .optional("name", name("What the place is called."))
        .optional("address", name("Where it is, in words."));
    let mut card = text(VCARD, "A vCard.");
    card["pattern"] = "^[ \\t\\r\\n]*[Bb][Ee][Gg][Ii][Nn]:[Vv][Cc][Aa][Rr][Dd]".into();
    let contact = Object::new().required(
        "contact",
        one_of([
            Object::new().required("vcard", card).named("ContactByCard"),
            Object::new()
                .required("name", name("The person's name."))
                .required("phone", phone())
                .named("ContactByPhone"),
        ]),
    );
    let mut forms = vec![
        message(
            "text",
            Object::new().required("text", body_text("The text.")),
        )
        .named(schema_name("text")),
        other("poll", poll),
        other("location", location),
        other("contact", contact),
    ];
    for kind in [
        "image", "video", "audio", "voice", "document", "sticker", "ptv", "gif",
    ] {
        forms.push(other(
            kind,
            Object::new().required("media", media::schema()),
        ));
    }
    forms.push(other(
        "album",
        Object::new().required("items", album::schema()),
    ));
    one_of_by("type", forms)
}

/// A result for the examples.
pub(super) fn example(mode: &str, status: &str) -> Value {
    json!({
        "mode": mode,
        "outboxId": "out_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "waMessageId": "3EB0C431C26A1916E07A55",
        "pn": "6281234567890@s.whatsapp.net",
        "lid": "100000012345678@lid",
        "status": status,
        "timestamp": 1_763_700_000_123_i64,
        "replayed": false,
    })
}

pub(crate) fn batch() -> Operation {
    let to = "6281234567890@s.whatsapp.net";
    let mut key = text(1..=255, "As the header of a single send, for this one.");
    key["pattern"] = "^[!-~]+$".into();
    // A message with one more field: each form of it gets the field.
    let mut message = schema();
    for form in message["oneOf"].as_array_mut().into_iter().flatten() {
        form["properties"]["idempotencyKey"] = key.clone();
        let name = form["$name"]
            .as_str()
            .map(|name| name.replacen("Send", "Batch", 1));
        form["$name"] = name.into();
    }
    let results = json!({
        "accepted": 1,
        "refused": 1,
        "results": [
            {"index": 0, "result": example("async", "queued")},
            {"index": 1, "error": {
                "code": "validation_error",
                "message": "the request is not valid",
                "details": {"errors": [{"field": "to", "message": "is required"}]},
            }},
        ],
    });
    Operation::new(TAG, "sendMessages", "Send many messages")
        .about(
            "1 to 1,000 asynchronous sends of one session. **Exactly those that can be accepted are**: \
             in their order, in steps between which others get their turn. Each of the others is answered at its place with all \
             its problems, as a request of its own would be, and holds up nothing; send it again when \
             it is mended. The request as a whole is refused only when it is malformed itself, when none of \
             its sends is valid (`details.errors` names each as `messages[i].…`), or when there is no \
             such session.\n\nEach send may have an `idempotencyKey`. With an \
             `Idempotency-Key` for the request, each send without its own gets one from it and its \
             place: repeating the whole request is safe then.",
        )
        .idempotent_items()
        .body(
            "MessageBatch",
            Object::new().required("messages", list(message, SENDS, "The sends.")),
            [(
                "Two",
                json!({"messages": [
                    {"type": "text", "to": to, "text": "hello", "idempotencyKey": "order-17"},
                    {"type": "text", "to": to, "text": "and another"},
                ]}),
            )],
        )
        .answer::<BatchResult>(202, "What became of each.", results)
}

pub(crate) fn send() -> Operation {
    let to = "6281234567890@s.whatsapp.net";
    Operation::new(TAG, "sendMessage", "Send a message")
        .about(
            "Synchronously (the default): the answer comes once WhatsApp's server has acknowledged \
             this very message, or after 30 seconds with 202: it is still being sent then. \
             Asynchronously: 202 once it is safe; it waits for rate, connection and worker, in the \
             order of its chat, and its outcome arrives as `message.status` events.\n\n`waMessageId` is \
             chosen when the send is accepted and never changes.",
        )
        .query("async", flag("Whether to answer as soon as the send is safe."), "Default false.")
        .idempotent()
        .body(
            "Message",
            schema(),
            [
                ("Text", json!({"type": "text", "to": to, "text": "hello"})),
                (
                    "Reply in a group",
                    json!({
                        "type": "text",
                        "to": "120363021234567890@g.us",
                        "text": "@6281234567890 yes",
                        "replyTo": "3EB0C431C26A1916E07A55",
                        "mentions": [to],
                    }),
                ),
                (
                    "Poll",
                    json!({
                        "type": "poll",
                        "to": to,
                        "name": "Lunch?",
                        "options": ["Noodles", "Rice"],
                        "selectableCount": 1,
                    }),
                ),
                (
                    "Location",
                    json!({
                        "type": "location",
                        "to": to,
                        "latitude": -6.2,
                        "longitude": 106.8,
                        "name": "Jakarta",
                    }),
                ),
                (
                    "Contact",
                    json!({
                        "type": "contact",
                        "to": to,
                        "contact": {"name": "Ann", "phone": "6281234567891"},
                    }),
                ),
            ],
        )
        .answer::<SendResult>(200, "WhatsApp has it.", example("sync", "sent"))
        .answer::<SendResult>(202, "It is safe and under way.", example("async", "queued"))
        .sends()
        .error(
            Code::NotImplemented,
            "`channel_media`: files can not be sent to channels",
        )
        .error(
            Code::Unprocessable,
            "`conversion_unavailable`: phones can not play the file, and ffmpeg, which would convert it, \
             is not installed; `heic_unsupported`",
        )
        .error(
            Code::PayloadTooLarge,
            "the file is over the limit of its kind (`details.limitBytes`), or `media_quota`: the \
             organization's store is full",
        )
}
