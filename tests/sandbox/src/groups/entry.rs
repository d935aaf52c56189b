//! The way into a group: invites, and the admins who let people in.

use std::sync::Arc;

use super::{Group, Invite, Member, Role, act::MemberChange, stanza};
use crate::accounts::Account;
use crate::world::World;

/// Why somebody does not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotJoined {
    /// No group ever had this code.
    Unknown,
    /// It was revoked, or has expired.
    Gone,
    /// They are in already.
    Member,
    /// An admin has removed them.
    Banned,
    /// Nobody else gets in.
    Full,
    /// Refused by plan, with this code.
    Refused(u16),
}

/// Where an invite has led somebody.
#[derive(Debug)]
pub(crate) enum Joined {
    /// Into this group.
    In(Arc<Group>),
    /// Among those whom an admin of this group has to let in.
    Asking(Arc<Group>),
}

/// The group that an invite leads to.
///
/// # Errors
/// When it leads nowhere, or not any more.
pub(crate) fn invited(world: &World, code: &str) -> Result<Arc<Group>, NotJoined> {
    for group in world.groups.all() {
        let state = group.state();
        if state.spent.contains(code) || (state.invite.code == code && state.invite.expired) {
            return Err(NotJoined::Gone);
        }
        if state.invite.code == code {
            drop(state);
            return Ok(group);
        }
    }
    Err(NotJoined::Unknown)
}

/// Somebody follows an invite.
pub(crate) fn join(
    world: &Arc<World>,
    code: &str,
    account: &Arc<Account>,
) -> Result<Joined, NotJoined> {
    let group = invited(world, code)?;
    if let Some(code) = group.refuses() {
        return Err(NotJoined::Refused(code));
    }
    let member = Member {
        account: Arc::clone(account),
        role: Role::Member,
    };
    let asks = {
        let mut state = group.state();
        if state.member(account).is_some() {
            return Err(NotJoined::Member);
        }
        if state.banned.contains(account.phone_number()) {
            return Err(NotJoined::Banned);
        }
        if state.is_full() {
            return Err(NotJoined::Full);
        }
        if !state.approval {
            state.members.push(member.clone());
        } else if !state.is_asking(account) {
            state.asking.push(Arc::clone(account));
        }
        state.approval
    };
    if asks {
        let mut admins = group.members();
        admins.retain(|member| member.role > Role::Member);
        let child = stanza::requested(&group, account);
        stanza::tell(world, &group, account, &admins, child);
        return Ok(Joined::Asking(group));
    }
    let mut child = stanza::members(&group, MemberChange::Add.tag(), &[member]);
    child.attrs.insert("reason", "invite");
    stanza::tell(world, &group, account, &group.members(), child);
    Ok(Joined::In(group))
}

/// An admin lets somebody in who asks to be, or does not. False when they do not ask.
pub(crate) fn decide(
    world: &Arc<World>,
    group: &Group,
    by: &Arc<Account>,
    account: &Arc<Account>,
    admit: bool,
) -> bool {
    let member = Member {
        account: Arc::clone(account),
        role: Role::Member,
    };
    {
        let mut state = group.state();
        if !state.is_asking(account) {
            return false;
        }
        state
            .asking
            .retain(|one| one.phone_number() != account.phone_number());
        if admit {
            state.members.push(member.clone());
        }
    }
    let mut emitted = group.members();
    let child = if admit {
        stanza::members(group, MemberChange::Add.tag(), &[member])
    } else {
        emitted.retain(|member| member.role > Role::Member);
        emitted.push(member);
        stanza::rejected(group, account)
    };
    stanza::tell(world, group, by, &emitted, child);
    true
}

/// Revokes the invite and makes another one.
pub(crate) fn reset_invite(world: &Arc<World>, group: &Group, by: &Arc<Account>) -> Invite {
    let fresh = Invite::new();
    {
        let mut state = group.state();
        let old = std::mem::replace(&mut state.invite, fresh.clone());
        state.spent.insert(old.code);
    }
    let child = stanza::invite(&fresh.code);
    stanza::tell(world, group, by, &group.members(), child);
    fresh
}
