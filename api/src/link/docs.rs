//! What these routes say of themselves.

use serde_json::json;

use super::{LinkAddress, LinkState};
use crate::error::Code;
use crate::openapi::{Object, Operation, flag, integer, phone};
use crate::sessions::pairing::PairingCode;

const TAG: &str = "Link page";
const UNKNOWN: &str = "there is no such link";

pub(crate) fn create() -> Operation {
    Operation::new(TAG, "createLink", "Make a page to link a phone with")
        .about(
            "Gives a one-time address for whoever holds the phone: QR code or a code to type, live, with \
             help where WhatsApp asks for a passkey. It starts the session if it does not run. Whoever \
             holds the address needs no key, for one pairing.",
        )
        .query(
            "rebind",
            flag("Whether another number may take the place of the one it belongs to, once."),
            "Moves the session to another number.",
        )
        .optional_body(
            "LinkRequest",
            Object::new().optional(
                "expiresInMs",
                integer(
                    60_000..=86_400_000,
                    "How long the address is good; default 15 minutes.",
                ),
            ),
            [("An hour", json!({"expiresInMs": 3_600_000}))],
        )
        .answer::<LinkAddress>(
            201,
            "The address.",
            json!({"url": "https://gateway.example/link/0a1b…", "expiresAt": 1_763_700_900_000_i64}),
        )
        .error(Code::Conflict, "`already_paired`")
}

pub(crate) fn show() -> Operation {
    Operation::new(TAG, "showLink", "The page")
        .answer_as(
            200,
            "HTML.",
            "text/html",
            json!({}),
            serde_json::Value::Null,
        )
        .answer_as(
            410,
            "HTML: it was used, or is too old.",
            "text/html",
            json!({}),
            serde_json::Value::Null,
        )
        .error(Code::NotFound, UNKNOWN)
}

pub(crate) fn state() -> Operation {
    Operation::new(TAG, "getLinkState", "Where the pairing stands")
        .about("For the page. The answer that says `linked` is the last.")
        .answer::<LinkState>(
            200,
            "It.",
            json!({"status": "qr", "qr": "<svg …>", "leftMs": 19_000, "message": null,
                   "passkey": null, "code": null, "phone": null}),
        )
        .error(Code::NotFound, UNKNOWN)
        .error(Code::NotFound, UNKNOWN)
        .error(Code::Gone, "it was used, or is too old")
}

pub(crate) fn code() -> Operation {
    Operation::new(TAG, "createLinkCode", "A code to type into the phone")
        .body(
            "LinkCodeRequest",
            Object::new().required("phone", phone()),
            [("A number", json!({"phone": "6281234567890"}))],
        )
        .answer::<PairingCode>(200, "The code.", json!({"code": "ABCD-EFGH"}))
        .error(Code::NotFound, UNKNOWN)
        .error(Code::Gone, "it was used, or is too old")
        .error(
            Code::Conflict,
            "`account_mismatch`, `already_paired`, `refused`",
        )
        .error(Code::GatewayUnavailable, "`not_ready`, `no_answer`")
}

pub(crate) fn answer_passkey() -> Operation {
    crate::sessions::passkey::docs::taken(Operation::new(
        TAG,
        "answerLinkPasskey",
        "Answer WhatsApp's request for a passkey",
    ))
    .error(Code::NotFound, UNKNOWN)
    .error(Code::Gone, "it was used, or is too old")
}
