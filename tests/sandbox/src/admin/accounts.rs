//! `/admin/accounts`: accounts and their companions.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use wacore_binary::Server;
use wacore_binary::builder::NodeBuilder;

use super::body::Body;
use super::error::{AdminError, account};
use super::{Answer, Shared};
use crate::accounts::Account;
use crate::link::Link;
use crate::login::{self, Refusal};
use crate::removal;

/// Every account with its companions.
pub(super) async fn list(State(world): Shared) -> Answer {
    let accounts: Vec<Value> = world
        .accounts
        .all()
        .iter()
        .map(|account| show(account))
        .collect();
    Ok(Json(json!({ "data": accounts })))
}

fn show(account: &Account) -> Value {
    let companions: Vec<Value> = account
        .companions()
        .iter()
        .map(|device| {
            let link = device.mailbox.link();
            json!({
                "device": device.id,
                "jid": account.jid(Server::Pn).with_device(device.id).to_string(),
                "connected": link.is_some(),
                "handshake": link.map(|link| link.pattern()),
                "waiting": device.mailbox.waiting(),
                "prekeys": device.prekeys.count(),
                "name": device.listed.name,
                "platform": device.listed.platform,
            })
        })
        .collect();
    json!({
        "phone": &**account.phone_number(),
        "name": &*account.name(),
        "jid": account.jid(Server::Pn).to_string(),
        "lid": account.jid(Server::Lid).to_string(),
        "companions": companions,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// One companion; all of them when it is left out.
    device: Option<u16>,
}

/// The phone logs companions out.
pub(super) async fn logout(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(which): Body<Which>,
) -> Answer {
    let account = account(&world, &phone)?;
    let removed = match which.device {
        Some(device) => usize::from(removal::remove(&world, &account, device)?),
        None => removal::remove_all(&world, &account)?,
    };
    if let (Some(device), 0) = (which.device, removed) {
        return Err(AdminError::NotFound(format!(
            "{phone} has no companion {device}"
        )));
    }
    Ok(Json(json!({ "loggedOut": removed })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refuse {
    /// 401 logged out, 402 banned for a time, 403 banned, 405 outdated, 503 busy, …
    reason: u16,
    /// Further attributes of the failure: `code` and `expire` (seconds) of a ban.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    /// How many logins are refused: 1 when left out, 0 to stop refusing.
    count: Option<u64>,
}

/// Refuses the next logins of an account's companions.
pub(super) async fn refuse(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(refuse): Body<Refuse>,
) -> Answer {
    let Refuse {
        reason,
        attributes,
        count,
    } = refuse;
    let count = count.unwrap_or(1);
    account(&world, &phone)?.refuse(Refusal { reason, attributes }, count);
    Ok(Json(json!({ "reason": reason, "count": count })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupAdds {
    /// 403 by its privacy settings, 408 left lately, …; 0 lets anybody.
    code: u16,
}

/// Lets nobody add an account to groups.
pub(super) async fn group_adds(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(adds): Body<GroupAdds>,
) -> Answer {
    account(&world, &phone)?.refuse_groups(adds.code);
    Ok(Json(json!({ "code": adds.code })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restrict {
    restricted: bool,
}

/// Lets nobody write to an account, or see its picture and presence, who does
/// not show a token of it: strangers are refused with 463.
pub(super) async fn restrict(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(restrict): Body<Restrict>,
) -> Answer {
    let account = account(&world, &phone)?;
    account.privacy.restrict(restrict.restricted);
    Ok(Json(json!({ "restricted": restrict.restricted })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamError {
    /// 503 going down, 429 too fast, 515 restart, 401 logged out, …
    code: u16,
    device: Option<u16>,
}

/// Ends the connections of companions with a stream error.
pub(super) async fn stream_error(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(error): Body<StreamError>,
) -> Answer {
    let account = account(&world, &phone)?;
    let node = NodeBuilder::new("stream:error")
        .attr("code", error.code)
        .build();
    let links = links(&account, error.device);
    for link in &links {
        link.send(&node);
        link.close();
    }
    Ok(Json(json!({ "disconnected": links.len() })))
}

/// Cuts the connections of companions; they may come back at once.
pub(super) async fn disconnect(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(which): Body<Which>,
) -> Answer {
    let account = account(&world, &phone)?;
    let links = links(&account, which.device);
    for link in &links {
        link.cut();
    }
    Ok(Json(json!({ "disconnected": links.len() })))
}

/// Somebody connects with the keys of companions: theirs are told that they were replaced.
pub(super) async fn replace(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(which): Body<Which>,
) -> Answer {
    let account = account(&world, &phone)?;
    let links = links(&account, which.device);
    for link in &links {
        link.send(&login::conflict("replaced"));
        link.close();
    }
    Ok(Json(json!({ "replaced": links.len() })))
}

/// Lets the connections of companions stand, but dead: nothing is read or
/// answered. A new login, or `disconnect`, ends that.
pub(super) async fn freeze(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(which): Body<Which>,
) -> Answer {
    let account = account(&world, &phone)?;
    let links = links(&account, which.device);
    for link in &links {
        link.freeze();
    }
    Ok(Json(json!({ "frozen": links.len() })))
}

/// The connections of an account's companions, or of one of them.
fn links(account: &Account, device: Option<u16>) -> Vec<Arc<Link>> {
    account
        .companions()
        .iter()
        .filter(|companion| device.is_none_or(|device| device == companion.id))
        .filter_map(|companion| companion.mailbox.link())
        .collect()
}
