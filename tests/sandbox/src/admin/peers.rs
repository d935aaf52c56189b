//! `/admin/peers`: people, what they see and what they do.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wacore_binary::{Jid, Server};

use super::body::{Body, Query};
use super::error::{AdminError, account};
use super::groups::group;
use super::{Answer, Shared};
use crate::accounts::{Account, DeviceAddress};
use crate::peer::{self, Chat};
use crate::presence;
use crate::world::World;

/// How many messages are listed unless more are asked for.
const DEFAULT_LIMIT: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPeer {
    phone: Option<String>,
    name: Option<String>,
}

/// A person, as the API shows them.
fn person(account: &Account) -> Value {
    json!({
        "phone": &**account.phone_number(),
        "name": &*account.name(),
        "jid": account.jid(Server::Pn).to_string(),
        "lid": account.jid(Server::Lid).to_string(),
    })
}

/// Makes a person, or renames one. Without a phone number they get a free one.
pub(super) async fn create(State(world): Shared, Body(peer): Body<NewPeer>) -> Answer {
    let phone = match peer.phone {
        Some(phone) => phone.trim_start_matches('+').to_owned(),
        None => world.accounts.free_number(),
    };
    let account = world.accounts.open(&phone, peer.name.as_deref())?;
    Ok(Json(person(&account)))
}

/// Every account, as a person.
pub(super) async fn list(State(world): Shared) -> Answer {
    let people: Vec<Value> = world
        .accounts
        .all()
        .iter()
        .map(|account| person(account))
        .collect();
    Ok(Json(json!({ "data": people })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageQuery {
    /// Only what came after the message with this `seq`.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    /// Only this id.
    id: Option<String>,
    /// Also what the person wrote.
    #[serde(default)]
    sent: bool,
}

/// What a person's phone shows, in order of arrival.
pub(super) async fn messages(
    State(world): Shared,
    Path(phone): Path<String>,
    Query(query): Query<MessageQuery>,
) -> Answer {
    let account = account(&world, &phone)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let messages = account.phone.messages(query.after, limit, |shown| {
        (query.sent || shown.direction == peer::Direction::Received)
            && query.id.as_deref().is_none_or(|id| id == &*shown.id)
    });
    Ok(Json(json!({
        "data": messages,
        "undecryptable": account.phone.undecryptable(),
    })))
}

/// Who typed to a person, in order.
pub(super) async fn typing(State(world): Shared, Path(phone): Path<String>) -> Answer {
    let account = account(&world, &phone)?;
    Ok(Json(json!({ "data": account.phone.typing() })))
}

#[derive(Debug, Deserialize)]
pub(super) struct Sending {
    /// A phone number, or the JID of a person or a group.
    to: String,
    /// The message id, if the default will not do.
    id: Option<String>,
    /// Its type, and what belongs to it.
    #[serde(flatten)]
    wanted: Map<String, Value>,
}

/// A person writes a message.
pub(super) async fn send(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(sending): Body<Sending>,
) -> Answer {
    let sender = account(&world, &phone)?;
    let chat = chat(&world, &sending.to)?;
    if let Chat::Group(group) = &chat
        && !group.admits(&sender)
    {
        let message = format!("{phone} may not write in {}", sending.to);
        return Err(AdminError::BadRequest(message));
    }
    let draft = peer::draft(sending.wanted, &world, &sender, &chat, sending.id)
        .map_err(AdminError::BadRequest)?;
    let id = peer::send(&world, &sender, &chat, draft)?;
    Ok(Json(json!({ "id": id })))
}

fn chat(world: &World, to: &str) -> Result<Chat, AdminError> {
    if to.ends_with("@g.us") {
        return group(world, to).map(Chat::Group);
    }
    let jid = if to.contains('@') {
        to.parse::<Jid>()
            .map_err(|error| AdminError::BadRequest(error.to_string()))?
    } else {
        Jid::pn(to.trim_start_matches('+'))
    };
    world
        .accounts
        .resolve(&jid)
        .map(Chat::Person)
        .ok_or_else(|| AdminError::NotFound(format!("nobody here is {to}")))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    id: String,
}

/// A person reads a message.
pub(super) async fn read(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(reading): Body<Reading>,
) -> Answer {
    let account = account(&world, &phone)?;
    if !peer::read(&world, &account, &reading.id) {
        let message = format!(
            "{phone} has not received a message with the id {}",
            reading.id
        );
        return Err(AdminError::NotFound(message));
    }
    Ok(Json(json!({ "id": reading.id })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Online {
    available: bool,
}

/// A person comes online, or goes.
pub(super) async fn presence(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(online): Body<Online>,
) -> Answer {
    let account = account(&world, &phone)?;
    let device = DeviceAddress { account, device: 0 };
    presence::set(&world, &device, online.available);
    Ok(Json(
        json!({ "phone": phone, "available": online.available }),
    ))
}

/// A person's phone is switched off: nothing is decrypted or confirmed.
pub(super) async fn sleep(State(world): Shared, Path(phone): Path<String>) -> Answer {
    peer::set_asleep(&world, &account(&world, &phone)?, true);
    Ok(Json(json!({ "phone": phone, "asleep": true })))
}

/// It is switched on again and catches up.
pub(super) async fn wake(State(world): Shared, Path(phone): Path<String>) -> Answer {
    peer::set_asleep(&world, &account(&world, &phone)?, false);
    Ok(Json(json!({ "phone": phone, "asleep": false })))
}
