//! What these routes say of themselves.

use gateway_shared::domain::Session;
use gateway_shared::lane::Hold;
use gateway_shared::proxy;
use serde_json::{Value, json};

use super::input::{DEVICE_NAME, LABEL, RATE};
use super::pairing::{Me, PairingCode, Qr};
use crate::error::Code;
use crate::openapi::{Object, Operation, flag, integer, phone, text};
use crate::page::Page;

const TAG: &str = "Sessions";

/// A session for the examples.
pub(crate) fn example() -> Value {
    json!({
        "id": "sess_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "organizationId": "org_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "label": "Front desk",
        "status": "working",
        "waJid": "6281234567890@s.whatsapp.net",
        "waLid": "123456789012345@lid",
        "ratePerMin": 20,
        "ratePerHour": 200,
        "autoRead": false,
        "autoDownload": false,
        "presenceTyping": false,
        "online": false,
        "proxy": "socks5://proxy.example:1080",
        "deviceName": null,
        "platform": null,
        "paused": false,
        "worker": "wkr_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "lastError": null,
        "clientVersion": "2.3000.1045368834",
        "lastAckAt": 1_763_700_000_100_i64,
        "lastPongAt": 1_763_700_000_110_i64,
        "restrictions": [],
        "createdAt": 1_763_700_000_000_i64,
        "updatedAt": 1_763_700_000_123_i64,
    })
}

/// The fields that a session is made with and that can be changed.
fn changeable() -> Object {
    Object::new()
        .optional("label", text(LABEL, "A name for people."))
        .optional(
            "ratePerMin",
            integer(RATE, "Sends a minute; 0 = unlimited."),
        )
        .optional(
            "ratePerHour",
            integer(RATE, "Sends an hour; 0 = unlimited."),
        )
        .optional(
            "autoRead",
            flag("Whether inbound messages are marked as read."),
        )
        .optional(
            "autoDownload",
            flag(
                "Whether the files of messages that come in are fetched at once. Their events carry \
                 `url`, a signed address that needs no key.",
            ),
        )
        .optional(
            "presenceTyping",
            flag("Whether \"typing…\" is shown before a text is sent."),
        )
        .optional(
            "proxy",
            text(
                0..=proxy::LONGEST,
                "The proxy that it connects through, for files as well, and never around it: \
                 `http://user:password@host:port` (CONNECT) or `socks5://user:password@host:port`. \
                 The credentials are kept encrypted and never shown again. Empty = as the \
                 installation does.",
            ),
        )
        .optional(
            "deviceName",
            text(
                DEVICE_NAME,
                "What the phone calls the device in its list, told when it is linked. Empty = as \
                 the installation says.",
            ),
        )
        .optional(
            "platform",
            text(
                0..=7,
                "As which program the phone lists it: `chrome`, `firefox`, `safari`, `edge`, \
                 `opera` or `desktop`. Empty = as the installation says.",
            ),
        )
}

pub(crate) fn list() -> Operation {
    Operation::new(TAG, "listSessions", "List the sessions")
        .about("All that the caller may see, in one page.")
        .answer::<Page<Session>>(
            200,
            "The sessions.",
            json!({"data": [example()], "nextCursor": ""}),
        )
}

pub(crate) fn create() -> Operation {
    Operation::new(TAG, "createSession", "Create a session")
        .about(
            "It starts at once unless emitted otherwise, and then waits for a phone: scan its QR code \
             or ask for a pairing code. A key that is confined to sessions can not create one.",
        )
        .once()
        .optional_body(
            "NewSession",
            changeable().optional("start", flag("Whether it is to run at once; default true.")),
            [(
                "Started at once",
                json!({"label": "Front desk", "start": true}),
            )],
        )
        .answer::<Session>(201, "The new session.", example())
}

pub(crate) fn get() -> Operation {
    Operation::new(TAG, "getSession", "Get a session").answer::<Session>(
        200,
        "The session.",
        example(),
    )
}

pub(crate) fn update() -> Operation {
    Operation::new(TAG, "updateSession", "Change a session")
        .about("Fields that are not given stay as they are. New limits count at once.")
        .optional_body(
            "SessionPatch",
            changeable(),
            [(
                "Other limits",
                json!({"ratePerMin": 10, "ratePerHour": 100}),
            )],
        )
        .answer::<Session>(200, "The session as it is now.", example())
}

pub(crate) fn delete() -> Operation {
    Operation::new(TAG, "deleteSession", "Delete a session")
        .about("It logs out where it can. What waits in its queue fails as `session_deleted`.")
        .answer_empty(204, "It is gone.")
}

pub(crate) fn start() -> Operation {
    steered(
        "startSession",
        "Start a session",
        "A worker takes it and connects. A session belongs to the number that first took it in: \
         another one that scans its code is logged out again (event `session.account_mismatch`), \
         unless it is started with `?rebind=true`.",
    )
    .query(
        "rebind",
        flag("Whether another number may take the place of the one it belongs to, once."),
        "Moves the session to another number.",
    )
}

pub(crate) fn stop() -> Operation {
    steered(
        "stopSession",
        "Stop a session",
        "It disconnects and stays paired. Async sends wait until it is started again.",
    )
}

pub(crate) fn restart() -> Operation {
    steered("restartSession", "Restart a session", "It connects anew.")
}

pub(crate) fn logout() -> Operation {
    steered(
        "logoutSession",
        "Log a session out",
        "The device is unlinked from the phone and must be paired again. What waits in its queue \
         fails as `session_logged_out`.",
    )
}

pub(crate) fn pause() -> Operation {
    Operation::new(TAG, "pauseSession", "Pause the sends of a session")
        .about(
            "What is being attempted ends; nothing else leaves until `:resume`. Async sends are \
             accepted and wait in their places, synchronous ones get 503 `lane_paused`. It \
             survives restarts, and a `session.status` event with `paused` tells it.",
        )
        .optional_body(
            "Pause",
            Object::new().optional("reason", text(LABEL, "Why, for whoever sees it later.")),
            [(
                "With a reason",
                json!({"reason": "waiting for the legal check"}),
            )],
        )
        .answer::<Session>(200, "The session.", example())
}

pub(crate) fn resume() -> Operation {
    Operation::new(TAG, "resumeSession", "Let the sends of a session go on")
        .about(
            "Ends an operator's pause, and also what the session rests for by WhatsApp's desired_change: a \
             rest after `rate-overlimit`, a hold on people never written to.",
        )
        .answer::<Session>(200, "The session.", example())
}

pub(crate) fn lane() -> Operation {
    let example = json!({
        "paused": false,
        "newChatsHeldUntil": 1_763_703_600_000_i64,
        "waiting": 12,
        "inFlight": 1,
    });
    Operation::new(TAG, "getLane", "What holds the sends of a session").answer::<Hold>(
        200,
        "Pauses, rests and holds that are in force, and how many sends wait.",
        example,
    )
}

fn steered(id: &'static str, summary: &'static str, about: &str) -> Operation {
    Operation::new(TAG, id, summary)
        .about(about)
        .answer::<Session>(
            200,
            "The session. What was asked for happens in its worker; `session.status` events tell.",
            example(),
        )
}

pub(crate) fn qr() -> Operation {
    let code = json!({"code": "2@abc…,def…,ghi…,jkl…", "expiresAt": 1_763_700_060_000_i64});
    Operation::new(TAG, "getQrCode", "Get the QR code to scan")
        .about(
            "As text to be drawn, or drawn already: `Accept: image/png` or `image/svg+xml`. It is \
             replaced every few seconds.",
        )
        .answer::<Qr>(200, "The code.", code)
        .answer_as(200, "", "image/png", json!({}), Value::Null)
        .answer_as(200, "", "image/svg+xml", json!({}), Value::Null)
        .error(Code::Conflict, "`already_paired`")
        .error(Code::Conflict, "`session_stopped`: start it to get a code")
        .error(Code::Conflict, "`session_failed`: see its `lastError`")
        .error(
            Code::GatewayUnavailable,
            "`not_ready`: there is no code yet",
        )
}

pub(crate) fn pairing_code() -> Operation {
    Operation::new(
        TAG,
        "createPairingCode",
        "Get a code to type into the phone",
    )
    .body(
        "PairingRequest",
        Object::new().required("phone", phone()),
        [("A number", json!({"phone": "6281234567890"}))],
    )
    .answer::<PairingCode>(200, "The code.", json!({"code": "ABCD-EFGH"}))
    .error(Code::Conflict, "`already_paired`")
    .error(Code::Conflict, "`session_stopped`: start it to get a code")
    .error(Code::Conflict, "`session_failed`: see its `lastError`")
    .error(
        Code::Conflict,
        "`refused`: WhatsApp gives no code for this number",
    )
    .error(
        Code::GatewayUnavailable,
        "`not_ready`, `no_answer`: the session's worker gave no code",
    )
}

pub(crate) fn me() -> Operation {
    let example = json!({
        "waJid": "6281234567890@s.whatsapp.net",
        "waLid": "123456789012345@lid",
        "phone": "6281234567890",
    });
    Operation::new(TAG, "getMe", "Who the session is at WhatsApp")
        .answer::<Me>(200, "Its addresses and number.", example)
        .error(Code::Conflict, "`not_paired`")
}
