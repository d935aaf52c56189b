//! What people do to groups. Whoever is concerned is told.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use wacore_binary::Server;

use super::{Group, Invite, Member, Role, State, Text, group_id, now, stanza};
use crate::accounts::Account;
use crate::world::World;

/// The member is there already.
const CONFLICT: u16 = 409;
/// There is no such member.
const UNKNOWN: u16 = 404;
/// It cannot be done to this member.
const NOT_ACCEPTABLE: u16 = 406;
/// Nobody else gets in.
const FULL: u16 = 419;

/// What can be changed about a group.
#[derive(Debug)]
pub(crate) enum Update {
    Subject(String),
    /// A new description with its token, or none.
    Description {
        id: String,
        text: Option<String>,
    },
    /// Only admins write.
    Announce(bool),
    /// Only admins change subject and description.
    Locked(bool),
    /// Only admins add members.
    AdminAdd(bool),
    /// Whoever follows an invite has to be let in by an admin.
    Approval(bool),
    /// Messages disappear after so many seconds; 0: they stay.
    Ephemeral(u32),
}

/// What can be done to members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberChange {
    Add,
    Remove,
    Promote,
    Demote,
}

impl MemberChange {
    /// The tag of the stanza that asks for it, and of the one that tells of it.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Promote => "promote",
            Self::Demote => "demote",
        }
    }

    pub(crate) fn parse(tag: &str) -> Option<Self> {
        [Self::Add, Self::Remove, Self::Promote, Self::Demote]
            .into_iter()
            .find(|change| change.tag() == tag)
    }
}

/// A new group: its maker and the members whom the maker chose.
pub(crate) fn create(
    world: &Arc<World>,
    creator: &Arc<Account>,
    subject: String,
    description: Option<(String, String)>,
    others: &[Arc<Account>],
    namespace: Server,
) -> Arc<Group> {
    let text = |id: String, text: String| Text {
        id,
        text,
        by: Arc::clone(creator),
        at: now(),
    };
    let mut state = State {
        subject: text(String::new(), subject),
        description: description.map(|(id, words)| text(id, words)),
        members: vec![Member {
            account: Arc::clone(creator),
            role: Role::SuperAdmin,
        }],
        announce: false,
        locked: false,
        admin_add: false,
        approval: false,
        ephemeral: 0,
        asking: Vec::new(),
        most_members: None,
        refusals: VecDeque::new(),
        invite: Invite::new(),
        spent: HashSet::new(),
        banned: HashSet::new(),
    };
    for account in others {
        if state.member(account).is_none() && account.refuses_groups().is_none() {
            state.members.push(Member {
                account: Arc::clone(account),
                role: Role::Member,
            });
        }
    }
    let group = Arc::new(Group {
        id: group_id(world),
        creator: Arc::clone(creator),
        created_at: now(),
        namespace,
        state: Mutex::new(state),
    });
    world.groups.add(Arc::clone(&group));
    let emitted = group.members();
    stanza::tell(world, &group, creator, &emitted, stanza::created(&group));
    group
}

/// Changes what a group says about itself.
pub(crate) fn update(world: &Arc<World>, group: &Group, by: &Arc<Account>, update: Update) {
    let child = {
        let mut state = group.state();
        let text = |id: String, text: String| Text {
            id,
            text,
            by: Arc::clone(by),
            at: now(),
        };
        match update {
            Update::Subject(subject) => {
                state.subject = text(String::new(), subject);
                stanza::subject(group, &state.subject)
            }
            Update::Description { id, text: words } => {
                let child = stanza::description(&id, words.as_deref());
                state.description = words.map(|words| text(id, words));
                child
            }
            Update::Announce(announce) => {
                state.announce = announce;
                stanza::flag(announce, "announcement", "not_announcement")
            }
            Update::Locked(locked) => {
                state.locked = locked;
                stanza::flag(locked, "locked", "unlocked")
            }
            Update::AdminAdd(admin_add) => {
                state.admin_add = admin_add;
                stanza::add_mode(admin_add)
            }
            Update::Approval(approval) => {
                state.approval = approval;
                stanza::approval_mode(approval)
            }
            Update::Ephemeral(seconds) => {
                state.ephemeral = seconds;
                stanza::ephemeral(seconds)
            }
        }
    };
    stanza::tell(world, group, by, &group.members(), child);
}

/// Adds, removes, promotes or demotes people. For each, the code of what went
/// wrong, if anything did.
pub(crate) fn change_members(
    world: &Arc<World>,
    group: &Group,
    by: &Arc<Account>,
    change: MemberChange,
    accounts: &[Arc<Account>],
) -> Vec<Option<u16>> {
    let mut emitted = group.members();
    let mut changed = Vec::new();
    let mut outcomes = Vec::new();
    {
        let mut state = group.state();
        for account in accounts {
            let outcome = apply(&mut state, change, account);
            match outcome {
                Ok(member) => {
                    changed.push(member);
                    outcomes.push(None);
                }
                Err(code) => outcomes.push(Some(code)),
            }
        }
    }
    if !changed.is_empty() {
        if change == MemberChange::Add {
            emitted.extend(changed.iter().cloned());
        }
        let child = stanza::members(group, change.tag(), &changed);
        stanza::tell(world, group, by, &emitted, child);
    }
    outcomes
}

/// Changes one member, who is returned as they are afterwards, or were.
fn apply(state: &mut State, change: MemberChange, account: &Arc<Account>) -> Result<Member, u16> {
    let known = state.member(account).cloned();
    match (change, known) {
        (MemberChange::Add, Some(_)) => Err(CONFLICT),
        (MemberChange::Add, None) if state.is_full() => Err(FULL),
        (MemberChange::Add, None) => {
            if let Some(code) = account.refuses_groups() {
                return Err(code);
            }
            let member = Member {
                account: Arc::clone(account),
                role: Role::Member,
            };
            state.banned.remove(account.phone_number());
            state.members.push(member.clone());
            Ok(member)
        }
        (_, None) => Err(UNKNOWN),
        (MemberChange::Remove | MemberChange::Demote, Some(member))
            if member.role == Role::SuperAdmin =>
        {
            Err(NOT_ACCEPTABLE)
        }
        (MemberChange::Remove, Some(member)) => {
            state.banned.insert(Arc::clone(account.phone_number()));
            remove(state, account);
            Ok(member)
        }
        (MemberChange::Promote | MemberChange::Demote, Some(_)) => {
            let role = match change {
                MemberChange::Promote => Role::Admin,
                _ => Role::Member,
            };
            let member = state.member_mut(account).ok_or(UNKNOWN)?;
            member.role = member.role.max(role);
            if change == MemberChange::Demote {
                member.role = role;
            }
            Ok(member.clone())
        }
    }
}

fn remove(state: &mut State, account: &Account) {
    let gone = account.phone_number();
    state
        .members
        .retain(|member| member.account.phone_number() != gone);
}

/// Somebody leaves. False when they were not in it.
pub(crate) fn leave(world: &Arc<World>, group: &Group, account: &Arc<Account>) -> bool {
    let emitted = group.members();
    let left = {
        let mut state = group.state();
        let left = state.member(account).cloned();
        remove(&mut state, account);
        left
    };
    let Some(left) = left else { return false };
    let child = stanza::members(group, MemberChange::Remove.tag(), &[left]);
    stanza::tell(world, group, account, &emitted, child);
    true
}
