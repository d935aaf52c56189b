//! What these routes say of themselves.

use serde_json::{Value, json};

use super::super::docs::{TAG, body_text, example};
use super::super::input::MENTIONS;
use super::super::result::SendResult;
use crate::error::Code;
use crate::openapi::{Object, Operation, flag, list, person, recipient, text};

/// What all operations have in common.
const LOCATING: &str = "`chat` and `sender` locate the message and may be left out where the \
                        gateway knows it; an empty `sender` means an own message. It is sent as a \
                        message of its own, with its own id, in the order of its chat, within the \
                        same rate limit and with the same events as any send. It takes its place \
                        behind a message that still waits here; if that fails, it fails with \
                        `target_not_sent`.";

/// Where the message is.
fn located() -> Object {
    Object::new().optional("chat", recipient())
}

/// Where the message is, and whose it is.
fn anybodys() -> Object {
    let mut sender = person();
    sender["description"] = "Who wrote the message; empty = the account itself.".into();
    let nobody = json!({"const": ""});
    located().optional("sender", json!({"anyOf": [sender, nobody]}))
}

fn operation(id: &'static str, summary: &'static str, about: &str) -> Operation {
    Operation::new(TAG, id, summary)
        .about(&format!("{about}\n\n{LOCATING}"))
        .query("async", flag("Whether to answer as soon as it is safe."), "Default false.")
        .idempotent()
        .answer::<SendResult>(200, "WhatsApp has it.", example("sync", "sent"))
        .answer::<SendResult>(
            202,
            "With `?async=true`: it is safe and waits. Otherwise: WhatsApp has not acknowledged it in \
             time; it is still being sent.",
            example("sync", "sending"),
        )
        .sends()
        .error(
            Code::NotFound,
            "the session does not know the message, or it never left; `not_sent_by_this_account`: it \
             is of a number that was paired before",
        )
        .error(
            Code::Conflict,
            "`not_sent_yet`: the message waits for its `sendAt`; cancel it, or use `?async=true`",
        )
}

/// A message of somebody's, for the examples.
fn theirs(more: Value) -> Value {
    let mut body = json!({
        "chat": "120363021234567890@g.us",
        "sender": "6281234567890@s.whatsapp.net",
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

pub(crate) fn react() -> Operation {
    let emoji = text(1..=64, "Exactly one emoji.");
    operation(
        "addReaction",
        "React to a message",
        "The reaction takes the place of an earlier one.",
    )
    .body(
        "Reaction",
        anybodys().required("emoji", emoji),
        [("Thumbs up", theirs(json!({"emoji": "👍"})))],
    )
}

pub(crate) fn unreact() -> Operation {
    operation(
        "removeReaction",
        "Take a reaction back",
        "Sends the empty reaction, whether or not there was one.",
    )
    .optional_body(
        "NoReaction",
        anybodys().optional("emoji", json!({})),
        [("Known message", json!({})), ("Located", theirs(json!({})))],
    )
}

pub(crate) fn vote() -> Operation {
    let options = list(
        json!({"type": "string"}),
        0..=1_000,
        "The texts of all options chosen; none takes the vote back.",
    );
    operation(
        "votePoll",
        "Vote in a poll",
        "The complete set of options: it takes the place of an earlier vote.",
    )
    .body(
        "Vote",
        anybodys().required("options", options),
        [("One option", theirs(json!({"options": ["Noodles"]})))],
    )
    .error(
        Code::ValidationError,
        "the message is no poll, an option is none of its choices, or there are too many",
    )
}

pub(crate) fn edit() -> Operation {
    let chat = "6281234567890@s.whatsapp.net";
    operation(
        "editMessage",
        "Edit a text",
        "Only texts that this session sent, for 15 minutes after WhatsApp took them.",
    )
    .body(
        "Edit",
        anybodys()
            .required("text", body_text("The new text."))
            .optional(
                "mentions",
                list(person(), 0..=MENTIONS, "Whom the new text mentions."),
            ),
        [("New text", json!({"chat": chat, "text": "better"}))],
    )
    .error(
        Code::ValidationError,
        "the message is no text, or it is too late",
    )
}

pub(crate) fn revoke() -> Operation {
    operation(
        "revokeMessage",
        "Take a message back for everyone",
        "An own message; in a group that the account administers, anybody's. One that still waits here \
         is cancelled instead: the answer is its own result, with `status` `cancelled`.",
    )
    .optional_body(
        "Revoke",
        anybodys(),
        [("Known message", json!({})), ("Located", theirs(json!({})))],
    )
    .error(
        Code::ValidationError,
        "the message is somebody else's, in a direct chat",
    )
}

pub(crate) fn forward() -> Operation {
    operation(
        "forwardMessage",
        "Forward a message",
        "The same content as a message of its own to another chat, marked as forwarded, without \
         what it quoted and whom it mentioned.",
    )
    .body(
        "Forward",
        anybodys().required("to", recipient()),
        [("To a person", json!({"to": "6281234567890@s.whatsapp.net"}))],
    )
    .error(
        Code::ValidationError,
        "the message is of a kind that can not be forwarded",
    )
    .error(
        Code::Conflict,
        "`content_not_kept`: the gateway knows the message, but keeps its content no more",
    )
}
