//! `/admin/scan-qr` and `/admin/link-code`: linking a client to a phone.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use wacore_binary::Server;

use super::body::{Body, Query};
use super::error::AdminError;
use super::{Answer, Shared};
use crate::pairing::success::Linked;
use crate::pairing::{code, qr};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scan {
    /// The phone that scans. A new one is made when it is left out.
    phone: Option<String>,
    /// Whether the account's chats are LID-addressed.
    lid: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct ScannedCode {
    code: String,
}

/// A phone scans the QR code in the body: the text itself, or `{"code": …}`.
pub(super) async fn scan_qr(State(world): Shared, Query(scan): Query<Scan>, body: Bytes) -> Answer {
    let text = std::str::from_utf8(&body)
        .map_err(|_| AdminError::BadRequest("the body is not UTF-8".to_owned()))?;
    let code = if text.trim_start().starts_with('{') {
        let scanned: ScannedCode = serde_json::from_str(text)
            .map_err(|error| AdminError::BadRequest(format!("the body has no code: {error}")))?;
        scanned.code
    } else {
        text.to_owned()
    };
    let phone = scan
        .phone
        .as_deref()
        .map(|phone| phone.trim_start_matches(['+', ' ']));
    let lid = scan.lid.unwrap_or(world.config.lid_addressing);
    let linked = qr::scan(&world, &code, phone, lid).await?;
    Ok(Json(linked_device(&linked)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkCode {
    phone: String,
    code: String,
    lid: Option<bool>,
}

/// Somebody types a link code into a phone.
pub(super) async fn link_code(State(world): Shared, Body(body): Body<LinkCode>) -> Answer {
    let lid = body.lid.unwrap_or(world.config.lid_addressing);
    let phone = body.phone.trim_start_matches('+');
    let linked = code::enter(&world, phone, &body.code, lid).await?;
    Ok(Json(linked_device(&linked)))
}

fn linked_device(linked: &Linked) -> Value {
    let device = &linked.device;
    json!({
        "phone": &**device.account.phone_number(),
        "jid": device.account.jid(Server::Pn).to_string(),
        "lid": device.account.jid(Server::Lid).to_string(),
        "device": device.device,
        "deviceJid": device.jid(Server::Pn).to_string(),
        "deviceLid": device.jid(Server::Lid).to_string(),
    })
}
