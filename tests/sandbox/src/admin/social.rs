//! Channels, posts to a status, and calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body::Body;
use super::error::{AdminError, account};
use super::{Answer, Shared};
use crate::accounts::Account;
use crate::calls::{self, Ring};
use crate::channels::{Channel, Draft};
use crate::peer::{self, Chat};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewChannel {
    owner: String,
    name: String,
    #[serde(default)]
    description: String,
    /// Phone numbers.
    #[serde(default)]
    followers: Vec<String>,
}

fn shown(channel: &Channel, to: &Account) -> Value {
    let about = channel.about(to);
    json!({
        "jid": about.jid.to_string(),
        "name": about.name,
        "followers": about.followers,
        "invite": about.invite,
        "posts": channel.posts(usize::MAX, None).iter().map(|post| json!({
            "id": post.id, "serverId": post.number,
        })).collect::<Vec<_>>(),
    })
}

/// Somebody makes a channel.
pub(super) async fn create_channel(State(world): Shared, Body(wanted): Body<NewChannel>) -> Answer {
    let owner = account(&world, &wanted.owner)?;
    let channel = world
        .channels
        .create(&owner, &wanted.name, &wanted.description);
    for phone in &wanted.followers {
        channel.follow(&account(&world, phone)?, true);
    }
    Ok(Json(shown(&channel, &owner)))
}

fn found(world: &World, jid: &str) -> Result<Arc<Channel>, AdminError> {
    world
        .channels
        .find(jid)
        .ok_or_else(|| AdminError::NotFound(format!("there is no channel {jid}")))
}

#[derive(Debug, Deserialize)]
pub(super) struct Posting {
    by: String,
    id: Option<String>,
    /// What is done to the post of that id: `3` it is edited, `8` it is revoked.
    edit: Option<String>,
    /// Its type, and what belongs to it.
    #[serde(flatten)]
    wanted: Map<String, Value>,
}

/// The owner of a channel posts: `{id, serverId}`.
pub(super) async fn post(
    State(world): Shared,
    Path(jid): Path<String>,
    Body(posting): Body<Posting>,
) -> Answer {
    let (owner, channel) = (account(&world, &posting.by)?, found(&world, &jid)?);
    let message = written(&world, &owner, posting.wanted)?;
    let id = posting.id.unwrap_or_else(peer::message_id);
    let revoked = posting.edit.as_deref() == Some("8");
    let draft = Draft {
        id: id.clone(),
        kind: wacore::send::stanza_type_from_message(&message).to_owned(),
        mediatype: wacore::send::media_type_from_message(&message).map(str::to_owned),
        plaintext: if revoked {
            Vec::new()
        } else {
            waproto::codec::message_to_vec(&message)
        },
        edit: posting.edit,
    };
    let number = channel.post(&world, &owner, draft).ok_or_else(|| {
        AdminError::BadRequest(format!("{} may not do this in {jid}", posting.by))
    })?;
    Ok(Json(json!({ "id": id, "serverId": number })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Following {
    phone: String,
    #[serde(default)]
    leave: bool,
}

/// Somebody follows a channel, or no longer does.
pub(super) async fn follow(
    State(world): Shared,
    Path(jid): Path<String>,
    Body(following): Body<Following>,
) -> Answer {
    let (person, channel) = (account(&world, &following.phone)?, found(&world, &jid)?);
    channel.follow(&person, !following.leave);
    Ok(Json(shown(&channel, &person)))
}

/// What somebody writes, in no chat.
fn written(
    world: &World,
    author: &Arc<Account>,
    wanted: Map<String, Value>,
) -> Result<waproto::whatsapp::Message, AdminError> {
    let nowhere = Chat::Person(Arc::clone(author));
    peer::draft(wanted, world, author, &nowhere, None)
        .map(|draft| draft.message)
        .map_err(AdminError::BadRequest)
}

#[derive(Debug, Deserialize)]
pub(super) struct Story {
    /// The phone numbers of those who see it.
    to: Vec<String>,
    id: Option<String>,
    #[serde(flatten)]
    wanted: Map<String, Value>,
}

/// A person posts to their status: `{id}`.
pub(super) async fn status(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(story): Body<Story>,
) -> Answer {
    let author = account(&world, &phone)?;
    let message = written(&world, &author, story.wanted)?;
    let mut audience = Vec::new();
    for phone in &story.to {
        audience.push(account(&world, phone)?);
    }
    let id = story.id.unwrap_or_else(peer::message_id);
    peer::post_status(&world, &author, &audience, &id, &message)?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calling {
    to: String,
    /// The id of the call; a new one when left out.
    id: Option<String>,
    #[serde(default)]
    video: bool,
    /// `offer` or `terminate`.
    action: String,
    /// Why it is over: `timeout`, `accepted_elsewhere`, `rejected_elsewhere`.
    reason: Option<String>,
}

/// A person calls, or stops calling: `{id}`.
pub(super) async fn call(
    State(world): Shared,
    Path(phone): Path<String>,
    Body(calling): Body<Calling>,
) -> Answer {
    let (caller, callee) = (account(&world, &phone)?, account(&world, &calling.to)?);
    let id = calling.id.unwrap_or_else(peer::message_id);
    let ring = match calling.action.as_str() {
        "offer" => Ring::Offer {
            video: calling.video,
        },
        "terminate" => Ring::Terminate {
            reason: calling.reason,
        },
        other => {
            return Err(AdminError::BadRequest(format!(
                "{other} is nothing one does with a call"
            )));
        }
    };
    calls::ring(&world, &caller, &callee, &id, &ring);
    Ok(Json(json!({ "id": id })))
}
