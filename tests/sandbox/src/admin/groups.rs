//! `/admin/groups`: making groups, and moving the people in them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use wacore_binary::{Jid, Server};

use super::body::Body;
use super::error::{AdminError, account};
use super::{Answer, Shared};
use crate::accounts::Account;
use crate::groups::{self, Group, MemberChange, NotJoined, Update};
use crate::world::World;

/// How the members of a new group are named on the wire.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Addressing {
    #[default]
    Lid,
    Pn,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewGroup {
    subject: String,
    description: Option<String>,
    /// The phone number of whoever makes it.
    creator: String,
    /// The phone numbers of the other members.
    #[serde(default)]
    members: Vec<String>,
    /// Those of them who are admins from the beginning.
    #[serde(default)]
    admins: Vec<String>,
    #[serde(default)]
    addressing: Addressing,
    /// Only admins write.
    #[serde(default)]
    announce: bool,
    /// Only admins change subject and description.
    #[serde(default)]
    locked: bool,
}

/// Somebody makes a group. Admins need not be named as members as well.
pub(super) async fn create(State(world): Shared, Body(new): Body<NewGroup>) -> Answer {
    let creator = account(&world, &new.creator)?;
    let admins = people(&world, &new.admins)?;
    let mut others = people(&world, &new.members)?;
    others.extend(admins.iter().cloned());
    let namespace = match new.addressing {
        Addressing::Lid => Server::Lid,
        Addressing::Pn => Server::Pn,
    };
    let description = new.description.map(|text| (world.stanza_id(), text));
    let group = groups::create(
        &world,
        &creator,
        new.subject,
        description,
        &others,
        namespace,
    );
    if !admins.is_empty() {
        groups::change_members(&world, &group, &creator, MemberChange::Promote, &admins);
    }
    if new.announce {
        groups::update(&world, &group, &creator, Update::Announce(true));
    }
    if new.locked {
        groups::update(&world, &group, &creator, Update::Locked(true));
    }
    show(&group)
}

/// Every group.
pub(super) async fn list(State(world): Shared) -> Answer {
    let all = world.groups.all();
    let all: Vec<_> = all.iter().map(|group| group.show()).collect();
    Ok(Json(json!({ "data": all })))
}

/// One group, by its JID.
pub(super) async fn get(State(world): Shared, Path(jid): Path<String>) -> Answer {
    show(&*group(&world, &jid)?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Changed {
    /// Whoever does it: the creator of the group when left out.
    by: Option<String>,
    subject: Option<String>,
    /// An empty one takes it away.
    description: Option<String>,
    announce: Option<bool>,
    locked: Option<bool>,
    /// Whoever follows an invite has to be let in by an admin.
    approval: Option<bool>,
    /// After how many seconds messages disappear; 0 = they stay.
    disappears: Option<u32>,
    /// How many may be in it. Nobody is told.
    most_members: Option<usize>,
    /// The codes that the next who would change something get instead, one each; 0 lets one pass.
    refuse: Option<Vec<u16>>,
}

/// Somebody changes what the group says about itself.
pub(super) async fn change(
    State(world): Shared,
    Path(jid): Path<String>,
    Body(changed): Body<Changed>,
) -> Answer {
    let group = group(&world, &jid)?;
    let by = actor(&world, &group, changed.by.as_deref())?;
    let description = changed.description.map(|text| Update::Description {
        id: world.stanza_id(),
        text: Some(text).filter(|text| !text.is_empty()),
    });
    if let Some(most) = changed.most_members {
        group.limit_members(most);
    }
    if let Some(codes) = changed.refuse {
        group.refuse(codes);
    }
    let updates = [
        changed.subject.map(Update::Subject),
        description,
        changed.announce.map(Update::Announce),
        changed.locked.map(Update::Locked),
        changed.approval.map(Update::Approval),
        changed.disappears.map(Update::Ephemeral),
    ];
    for update in updates.into_iter().flatten() {
        groups::update(&world, &group, &by, update);
    }
    show(&group)
}

/// What is done to members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Add,
    Remove,
    Promote,
    Demote,
    /// They go by themselves.
    Leave,
    /// They follow the present invite.
    Join,
    /// They are let in, having asked to be.
    Admit,
    /// They are not.
    Reject,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moved {
    action: Action,
    /// Phone numbers.
    members: Vec<String>,
    /// Whoever does it: the creator of the group when left out.
    by: Option<String>,
}

/// People come, go, or get another role.
pub(super) async fn members(
    State(world): Shared,
    Path(jid): Path<String>,
    Body(moved): Body<Moved>,
) -> Answer {
    let group = group(&world, &jid)?;
    let by = actor(&world, &group, moved.by.as_deref())?;
    let people = people(&world, &moved.members)?;
    let change = match moved.action {
        Action::Add => MemberChange::Add,
        Action::Remove => MemberChange::Remove,
        Action::Promote => MemberChange::Promote,
        Action::Demote => MemberChange::Demote,
        Action::Leave => {
            for account in &people {
                if !groups::leave(&world, &group, account) {
                    return Err(refused(account, 404));
                }
            }
            return show(&group);
        }
        Action::Join => {
            let code = group.invite().code;
            for account in &people {
                groups::join(&world, &code, account)
                    .map_err(|refusal| not_joined(account, refusal))?;
            }
            return show(&group);
        }
        Action::Admit | Action::Reject => {
            let admit = matches!(moved.action, Action::Admit);
            for account in &people {
                if !groups::decide(&world, &group, &by, account, admit) {
                    return Err(refused(account, 404));
                }
            }
            return show(&group);
        }
    };
    let outcomes = groups::change_members(&world, &group, &by, change, &people);
    for (account, outcome) in people.iter().zip(outcomes) {
        if let Some(code) = outcome {
            return Err(refused(account, code));
        }
    }
    show(&group)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InviteAction {
    /// It is replaced.
    Revoke,
    /// It leads nowhere any more, and nothing takes its place.
    Expire,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteChanged {
    action: InviteAction,
}

/// The invite of a group is revoked or expires.
pub(super) async fn invite(
    State(world): Shared,
    Path(jid): Path<String>,
    Body(changed): Body<InviteChanged>,
) -> Answer {
    let group = group(&world, &jid)?;
    match changed.action {
        InviteAction::Revoke => {
            groups::reset_invite(&world, &group, group.creator());
        }
        InviteAction::Expire => group.expire_invite(),
    }
    show(&group)
}

fn show(group: &Group) -> Answer {
    let shown: Value = serde_json::to_value(group.show())
        .map_err(|error| AdminError::BadRequest(error.to_string()))?;
    Ok(Json(shown))
}

/// The group with this JID.
pub(super) fn group(world: &World, jid: &str) -> Result<Arc<Group>, AdminError> {
    let parsed = jid.parse::<Jid>().ok();
    parsed
        .and_then(|jid| world.groups.get(&jid))
        .ok_or_else(|| AdminError::NotFound(format!("no group has the JID {jid}")))
}

fn actor(world: &World, group: &Group, by: Option<&str>) -> Result<Arc<Account>, AdminError> {
    match by {
        Some(phone) => account(world, phone),
        None => Ok(Arc::clone(group.creator())),
    }
}

fn people(world: &World, phones: &[String]) -> Result<Vec<Arc<Account>>, AdminError> {
    phones.iter().map(|phone| account(world, phone)).collect()
}

fn refused(account: &Account, code: u16) -> AdminError {
    let phone = account.phone_number();
    AdminError::BadRequest(format!("{phone}: refused with {code}"))
}

fn not_joined(account: &Account, refusal: NotJoined) -> AdminError {
    let phone = account.phone_number();
    AdminError::BadRequest(format!("{phone} does not get in: {refusal:?}"))
}
