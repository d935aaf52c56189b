//! The bodies of requests about groups.

use std::collections::HashSet;

use gateway_shared::command::{
    DESCRIPTION_LENGTH, GroupChanges, GroupCommand, MEMBERS_AT_ONCE, SUBJECT_LENGTH,
};
use gateway_shared::domain::{Jid, PersonJid};

use super::invite::InviteCode;
use crate::request::{Fields, Problems};

/// The body of `POST …/groups:join`.
pub(super) fn join(mut fields: Fields, problems: &mut Problems) -> Option<GroupCommand> {
    fields.require(problems, "invite");
    let code = fields.parsed::<InviteCode>(problems, "invite");
    fields.finish(problems, &[], "");
    Some(GroupCommand::Join {
        code: code?.into_string(),
    })
}

/// The body of `POST …/groups`.
pub(super) fn create(mut fields: Fields, problems: &mut Problems) -> Option<GroupCommand> {
    fields.require(problems, "subject");
    let subject = subject(&mut fields, problems);
    let description = fields.text_of(problems, "description", 0..=DESCRIPTION_LENGTH);
    let members = people(&mut fields, problems);
    fields.finish(problems, &[], "");
    Some(GroupCommand::Create {
        subject: subject?,
        description: description.unwrap_or_default(),
        members: members.unwrap_or_default(),
    })
}

/// The body of `PATCH …/groups/{group}`.
pub(super) fn changes(mut fields: Fields, problems: &mut Problems) -> GroupChanges {
    let changes = GroupChanges {
        subject: subject(&mut fields, problems),
        description: fields.text_of(problems, "description", 0..=DESCRIPTION_LENGTH),
        announce: fields.flag(problems, "announce"),
        locked: fields.flag(problems, "locked"),
    };
    fields.finish(problems, &[], "");
    changes
}

/// The body of `POST …/members` and of its verbs.
pub(super) fn members(mut fields: Fields, problems: &mut Problems) -> Vec<Jid> {
    fields.require(problems, "members");
    let named = fields.has("members");
    let members = people(&mut fields, problems);
    if named && members.as_ref().is_some_and(Vec::is_empty) {
        problems.add("members", "must name somebody");
    }
    fields.finish(problems, &[], "");
    members.unwrap_or_default()
}

/// A subject: something must be legible in it.
fn subject(fields: &mut Fields, problems: &mut Problems) -> Option<String> {
    fields.legible(problems, "subject", 1..=SUBJECT_LENGTH)
}

/// People, each once.
fn people(fields: &mut Fields, problems: &mut Problems) -> Option<Vec<Jid>> {
    let list = fields.list::<PersonJid>(problems, "members", MEMBERS_AT_ONCE)?;
    let mut people: Vec<Jid> = Vec::with_capacity(list.items.len());
    let mut seen = HashSet::new();
    for (field, person) in list.items {
        let jid = person.into_jid();
        if seen.insert(jid.clone()) {
            people.push(jid);
        } else {
            problems.add(field, "is named twice");
        }
    }
    Some(people)
}
