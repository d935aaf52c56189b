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
use crate::pairing::code;
use crate::pairing::qr::{self, Scanner};
use crate::pairing::success::Linked;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scan {
    /// The phone that scans. A new one is made when it is left out.
    phone: Option<String>,
    /// Whether the account's chats are LID-addressed.
    lid: Option<bool>,
    /// Switch the phone off at once.
    #[serde(default)]
    asleep: bool,
}

#[derive(Debug, Deserialize)]
struct ScannedCode {
    code: String,
}

/// A phone scans the QR code in the body.
pub(super) async fn scan_qr(State(world): Shared, Query(scan): Query<Scan>, body: Bytes) -> Answer {
    let code = code_in(&body)?;
    let phone = scan
        .phone
        .as_deref()
        .map(|phone| phone.trim_start_matches(['+', ' ']));
    let scan = qr::Scan {
        scanner: phone.map_or(Scanner::New, Scanner::Phone),
        lid_addressing: scan.lid.unwrap_or(world.config.lid_addressing),
        asleep: scan.asleep,
    };
    let linked = qr::scan(&world, &code, scan).await?;
    Ok(Json(linked_device(&linked)))
}

/// As the end-to-end suite of whatsapp-rust has its clients linked: one account
/// for all that give the same push name, LID-addressed, whose phone is off. A
/// push name that begins with `restricted:`, or lists `restricted` after
/// `scenario:`, makes an account that keeps strangers out.
pub(super) async fn mock_phone(State(world): Shared, body: Bytes) -> Answer {
    let code = code_in(&body)?;
    let scan = qr::Scan {
        scanner: Scanner::PushName,
        lid_addressing: true,
        asleep: true,
    };
    let linked = qr::scan(&world, &code, scan).await?;
    let account = &linked.device.account;
    account.privacy.restrict(is_restricted(&account.name()));
    Ok(Json(linked_device(&linked)))
}

fn is_restricted(push_name: &str) -> bool {
    match push_name.split(':').collect::<Vec<_>>()[..] {
        ["restricted", ..] => true,
        ["scenario", flags, ..] => flags.split(',').any(|flag| flag == "restricted"),
        _ => false,
    }
}

/// The QR code in a body: the text itself, or `{"code": …}`.
fn code_in(body: &Bytes) -> Result<String, AdminError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| AdminError::BadRequest("the body is not UTF-8".to_owned()))?;
    if text.trim_start().starts_with('{') {
        let scanned: ScannedCode = serde_json::from_str(text)
            .map_err(|error| AdminError::BadRequest(format!("the body has no code: {error}")))?;
        Ok(scanned.code)
    } else {
        Ok(text.to_owned())
    }
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
