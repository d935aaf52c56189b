//! What these routes say of themselves.

use serde_json::{Value, json};

use super::upload::MediaFile;
use crate::error::Code;
use crate::openapi::{Operation, recipient, text};

const TAG: &str = "Media";

/// A file for the examples.
fn example() -> Value {
    json!({
        "id": "med_01KAHX3N5RDGT0M7Y8Z9ABCDEF",
        "mimetype": "image/jpeg",
        "size": 48_211,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "filename": "menu.jpg",
        "width": 1_280,
        "height": 720,
        "createdAt": 1_763_700_000_000_i64,
        "expiresAt": 1_766_292_000_000_i64,
    })
}

pub(crate) fn create() -> Operation {
    Operation::new(TAG, "createMedia", "Hand in a file")
        .about(
            "The body is the file itself, with its `Content-Type`, or a form (`multipart/form-data`) \
             with one field `file`. It is looked at, encrypted and kept, once for the same content, for \
             30 days after it was last handed in or sent; `media.id` of a send names it. It is never \
             held in memory, so it may have up to 2 GiB.",
        )
        .idempotent()
        .query(
            "filename",
            json!({"type": "string"}),
            "What it is called: its last part, without what no file system takes, cut to a usual length.",
        )
        .query(
            "mimetype",
            text(3..=255, "What it is, such as image/jpeg."),
            "What it is, where that is not what its Content-Type or its first bytes say.",
        )
        .file_body()
        .answer::<MediaFile>(201, "The file.", example())
        .error(Code::PayloadTooLarge, "Or `media_quota`: the organization's store is full.")
        .error(Code::GatewayUnavailable, "`media_store`: the store can not be reached.")
}

/// Bytes of any type.
fn file() -> Value {
    json!({"type": "string", "format": "binary"})
}

pub(crate) fn download() -> Operation {
    Operation::new(TAG, "downloadMedia", "Fetch the file of a message")
        .about(
            "Of a message that came in, or that this session sent. What is not in the store yet is \
             fetched from WhatsApp first, verified, and kept for 30 days. A reference that WhatsApp does \
             not take any more is renewed once, by the phone of whoever sent it; where that is not to be \
             had, the answer is 410 `media_gone`. `Range`, `If-Range` and `If-None-Match` work as usual.",
        )
        .query("chat", recipient(), "The chat of the message.")
        .answer_as(200, "The file.", "*/*", file(), Value::Null)
        .answer_as(206, "The part that was asked for.", "*/*", file(), Value::Null)
        .answer_empty(304, "The caller has it already.")
        .answer_empty(416, "The part that was asked for is beyond its end.")
        .error(Code::Gone, "`media_gone`: neither the store nor WhatsApp nor the sender's phone has it")
        .error(Code::PayloadTooLarge, "it is larger than `media.fetch_bytes`")
        .error(
            Code::GatewayUnavailable,
            "`media_unreachable`, `media_store`; `session_not_connected` where the reference has to be \
             renewed",
        )
}

pub(crate) fn linked() -> Operation {
    Operation::new(TAG, "openMediaLink", "Fetch a file by its signed address")
        .about(
            "The address stands in the event of a message whose session or webhook has `autoDownload`. \
             Whoever has it needs no key, until it ends (`media.link_lifetime_ms`). The answer is that of \
             `GET /sessions/{session}/messages/{mid}/media`.",
        )
        .answer_as(200, "The file.", "*/*", file(), Value::Null)
        .answer_as(206, "A part of it.", "*/*", file(), Value::Null)
        .error(Code::NotFound, "there is no such file")
        .error(Code::Gone, "`link_expired`, or `media_gone`: the file is not to be had any more")
        .error(Code::GatewayUnavailable, "`media_unreachable`, `session_not_connected`")
}
