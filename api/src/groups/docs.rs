//! What these routes say of themselves.

use gateway_shared::command::{
    Created, DESCRIPTION_LENGTH, Group, GroupMember, Invite, Joined, MEMBERS_AT_ONCE,
    MemberOutcome, SUBJECT_LENGTH,
};
use serde_json::{Value, json};

use crate::error::Code;
use crate::openapi::{Object, Operation, flag, list as list_of, person, text};
use crate::page::Page;

const TAG: &str = "Groups";

/// A group for the examples.
fn example() -> Value {
    json!({
        "groupJid": "120363021234567890@g.us",
        "subject": "Walks",
        "description": "On Sundays",
        "owner": "6281234567890@s.whatsapp.net",
        "createdAt": 1_763_700_000_000_i64,
        "addressingMode": "lid",
        "announce": false,
        "locked": false,
        "size": 2,
    })
}

fn member() -> Value {
    json!({
        "jid": "6281234567890@s.whatsapp.net",
        "lid": "123456789012345@lid",
        "role": "owner",
    })
}

fn with_members() -> Value {
    let mut group = example();
    group["members"] = json!([member()]);
    group
}

/// A list of people, each once.
fn people(least: usize, about: &str) -> Value {
    let mut people = list_of(person(), least..=MEMBERS_AT_ONCE, about);
    people["uniqueItems"] = true.into();
    people
}

fn invite_example() -> Value {
    json!({
        "code": "BxnEkf2xLeLKAwBwn5EZLK",
        "link": "https://chat.whatsapp.com/BxnEkf2xLeLKAwBwn5EZLK",
    })
}

/// An operation that is asked of WhatsApp while the caller waits.
fn live(id: &'static str, summary: &'static str, about: &str) -> Operation {
    Operation::new(TAG, id, summary)
        .about(about)
        .error(
            Code::NotImplemented,
            "`session_not_connected`: this is asked of WhatsApp, and the session is not connected",
        )
        .error(
            Code::GatewayUnavailable,
            "`no_answer`: nobody answered in time; what was to be changed may have been",
        )
        .error(
            Code::Conflict,
            "`refused`: WhatsApp refuses it; `details.waCode` says with which code",
        )
}

/// The same, for what only members or admins of a group may do.
fn administration(id: &'static str, summary: &'static str, about: &str) -> Operation {
    live(id, summary, about).error(
        Code::Conflict,
        "`not_allowed`: the session is no admin of the group, or not in it any more; \
         `details.waCode`",
    )
}

pub(crate) fn join() -> Operation {
    live(
        "joinGroup",
        "Join a group by invite",
        "Takes the code of an invite, its link in any form, or a text with one link in it. To follow the invite of a group that \
         the session is in already is no error. An invite that leads nowhere (any more) is a \
         `validation_error` with `details.reason` `invite_unknown` or `invite_gone`.",
    )
    .body(
        "JoinRequest",
        Object::new().required("invite", json!({"type": "string"})),
        [
            ("A link", json!({"invite": "https://chat.whatsapp.com/BxnEkf2xLeLKAwBwn5EZLK"})),
            ("A code", json!({"invite": "BxnEkf2xLeLKAwBwn5EZLK"})),
        ],
    )
    .answer::<Joined>(
        200,
        "Where it led. `pending_approval`: an admin has to let the session in.",
        json!({"groupJid": "120363021234567890@g.us", "status": "joined"}),
    )
    .error(
        Code::Conflict,
        "`not_allowed`: an admin has removed the session from the group; `details.waCode`",
    )
    .error(Code::Conflict, "`group_full`: nobody else gets in")
}

pub(crate) fn list() -> Operation {
    live(
        "listGroups",
        "List the groups of a session",
        "Those that it is in, ordered by JID, without their members.",
    )
    .paged()
    .answer::<Page<Group>>(
        200,
        "A page.",
        json!({"data": [example()], "nextCursor": ""}),
    )
}

pub(crate) fn create() -> Operation {
    live(
        "createGroup",
        "Make a group",
        "The session owns it. Somebody who is not on WhatsApp, or whose privacy settings forbid it, \
         is not in it afterwards and listed as missing.",
    )
    .once()
    .body(
        "NewGroup",
        Object::new()
            .required("subject", text(1..=SUBJECT_LENGTH, "How it is called."))
            .optional(
                "description",
                text(0..=DESCRIPTION_LENGTH, "What it is about."),
            )
            .optional(
                "members",
                people(0, "Who is in it from the beginning."),
            ),
        [(
            "With one person",
            json!({"subject": "Walks", "members": ["6281234567890"]}),
        )],
    )
    .answer::<Created>(
        201,
        "The group.",
        json!({"group": with_members(), "missing": []}),
    )
}

pub(crate) fn get() -> Operation {
    live(
        "getGroup",
        "Get a group",
        "With its members. Of a group that the session is not in, WhatsApp tells nothing: it is not \
         found.",
    )
    .answer::<Group>(200, "The group.", with_members())
}

pub(crate) fn update() -> Operation {
    administration(
        "updateGroup",
        "Change a group",
        "Fields that are not given stay as they are. WhatsApp changes one after the other: when one \
         of them is refused, those before it stand.",
    )
    .optional_body(
        "GroupPatch",
        Object::new()
            .optional("subject", text(1..=SUBJECT_LENGTH, "How it is called."))
            .optional(
                "description",
                text(0..=DESCRIPTION_LENGTH, "What it is about; empty for nothing."),
            )
            .optional("announce", flag("Whether only admins may write."))
            .optional(
                "locked",
                flag("Whether only admins may change subject and description."),
            ),
        [("Another name", json!({"subject": "Runs"}))],
    )
    .answer::<Group>(200, "The group as it is now.", with_members())
    .error(
        Code::Conflict,
        "`group_changed`: somebody else changed the description at the same time",
    )
}

pub(crate) fn leave() -> Operation {
    administration(
        "leaveGroup",
        "Leave a group",
        "The group stays, without this session.",
    )
    .answer_empty(204, "The session is not in it any more.")
}

pub(crate) fn invite() -> Operation {
    administration(
        "getGroupInvite",
        "Get the invite of a group",
        "Whoever has the link can join.",
    )
    .answer::<Invite>(200, "The invite.", invite_example())
}

pub(crate) fn revoke_invite() -> Operation {
    administration(
        "revokeGroupInvite",
        "Revoke the invite of a group",
        "The present link leads nowhere from then on; another one takes its place.",
    )
    .answer::<Invite>(200, "The new invite.", invite_example())
}

pub(crate) fn members() -> Operation {
    live(
        "listGroupMembers",
        "List the members of a group",
        "Ordered by JID.",
    )
    .paged()
    .answer::<Page<GroupMember>>(
        200,
        "A page.",
        json!({"data": [member()], "nextCursor": ""}),
    )
}

pub(crate) fn add() -> Operation {
    changed(
        "addGroupMembers",
        "Add people to a group",
        "Each has an outcome of their own.",
    )
}

pub(crate) fn remove() -> Operation {
    changed(
        "removeGroupMembers",
        "Remove people from a group",
        "No invite lets them in again until they are added.",
    )
}

pub(crate) fn promote() -> Operation {
    changed(
        "promoteGroupMembers",
        "Make members admins",
        "Each has an outcome of their own.",
    )
}

pub(crate) fn demote() -> Operation {
    changed(
        "demoteGroupMembers",
        "Make admins members again",
        "The owner can not be demoted.",
    )
}

fn changed(id: &'static str, summary: &'static str, about: &str) -> Operation {
    administration(id, summary, about)
        .body(
            "GroupMembers",
            Object::new().required("members", people(1, "Who; each once.")),
            [("One person", json!({"members": ["6281234567890"]}))],
        )
        .answer::<Page<MemberOutcome>>(
            200,
            "What became of each, in the order in which they were named.",
            json!({
                "data": [
                    {"jid": "6281234567890@s.whatsapp.net", "done": true},
                    {
                        "jid": "6281234567891@s.whatsapp.net",
                        "done": false,
                        "reason": "not_on_whatsapp",
                        "waCode": 404,
                    },
                ],
                "nextCursor": "",
            }),
        )
}
