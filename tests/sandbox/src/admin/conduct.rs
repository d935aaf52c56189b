//! `/admin/accounts/{phone}/…`: keys that nobody gets, locks, presence, history.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;

use super::body::Body;
use super::error::{AdminError, account};
use super::{Answer, Shared};
use crate::clock;
use crate::conduct::Timelock;
use crate::peer;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keyless {
    on: bool,
}

/// The server gives nobody the pre-keys of an account, or does again.
pub(super) async fn keyless(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(keyless): Body<Keyless>,
) -> Answer {
    let account = account(&world, &phone)?;
    world
        .conducts
        .set_keyless(account.phone_number(), keyless.on);
    Ok(Json(json!({ "keyless": keyless.on })))
}

/// Companions of an account are linked only with a passkey, or again without.
pub(super) async fn passkey(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(wants): Body<Keyless>,
) -> Answer {
    // It need not exist yet: it is made when it scans.
    world.conducts.set_wants_passkey(&phone, wants.on);
    Ok(Json(json!({ "passkey": wants.on })))
}

/// The code that the phone shows while it is linked with a passkey.
pub(super) async fn passkey_code(State(world): Shared, Path(phone): Path<String>) -> Answer {
    let code = world.conducts.passkey_code(&phone);
    Ok(Json(json!({ "code": code })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    /// How long it lasts; 0 = it ends.
    seconds: u64,
    #[serde(default = "unnamed")]
    enforcement: String,
}

fn unnamed() -> String {
    "DEFAULT".to_owned()
}

/// An account may write to no stranger for a while; it is told so when it asks.
pub(super) async fn timelock(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(lock): Body<Lock>,
) -> Answer {
    let account = account(&world, &phone)?;
    let ends = clock::now_secs().saturating_add(lock.seconds);
    let enforcement = lock.enforcement;
    let timelock = Timelock { ends, enforcement };
    let timelock = Some(timelock).filter(|_| lock.seconds > 0);
    world
        .conducts
        .set_timelock(account.phone_number(), timelock);
    Ok(Json(json!({ "ends": ends })))
}

/// How the companions of an account showed it, in order.
pub(super) async fn presence(State(world): Shared, Path(phone): Path<String>) -> Answer {
    let account = account(&world, &phone)?;
    let shown = world.conducts.shown(account.phone_number());
    Ok(Json(json!({ "data": shown })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    device: u16,
    /// The phone numbers of those that the account has chats with.
    contacts: Vec<String>,
}

/// The phone sends the history of its chats to a companion: a trusted-contact token and a name of
/// each contact, whose LID it is, and the salt for tokens of others.
pub(super) async fn history(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(history): Body<History>,
) -> Answer {
    let account = account(&world, &phone)?;
    let mut contacts = Vec::new();
    for contact in &history.contacts {
        contacts.push(super::error::account(&world, contact)?);
    }
    if account.companion(history.device).is_none() {
        return Err(AdminError::NotFound(format!(
            "{phone} has no companion {}",
            history.device
        )));
    }
    let tokens = peer::send_history(&world, &account, history.device, &contacts)?;
    Ok(Json(json!({ "tokens": tokens })))
}
