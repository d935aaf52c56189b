//! Commands about groups: what is asked of the worker, and what it answers.
//!
//! A group is nowhere kept by the gateway: each command asks WhatsApp, over the session's link.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::domain::Jid;

/// Most characters of a subject (WhatsApp's own limit).
pub const SUBJECT_LENGTH: usize = 100;
/// Most characters of a description (WhatsApp's own limit).
pub const DESCRIPTION_LENGTH: usize = 2_048;
/// Most people a command may name.
pub const MEMBERS_AT_ONCE: usize = 256;

/// What is asked about groups.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "action",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum GroupCommand {
    /// Follow an invite. The answer is a [`Joined`].
    Join {
        /// The code alone, without the link around it.
        code: String,
    },
    /// Every group that the session is in. The answer is a list of [`Group`]s without their
    /// members.
    List,
    /// One group. The answer is a [`Group`] with its members.
    Get {
        /// Which group.
        group: Jid,
    },
    /// Make a group. The answer is a [`Created`].
    Create {
        /// How it is called.
        subject: String,
        /// What it is about; empty for nothing.
        description: String,
        /// Whom it begins with, besides the session itself.
        members: Vec<Jid>,
    },
    /// Change what a group says about itself. The answer is a [`Group`] with its members.
    Update {
        /// Which group.
        group: Jid,
        /// What changes.
        changes: GroupChanges,
    },
    /// Leave a group. The answer is `null`.
    Leave {
        /// Which group.
        group: Jid,
    },
    /// The invite of a group. The answer is an [`Invite`].
    Invite {
        /// Which group.
        group: Jid,
        /// Whether the present one is revoked and replaced.
        revoke: bool,
    },
    /// Add, remove, promote or demote people. The answer is a list of [`MemberOutcome`]s.
    ChangeMembers {
        /// Which group.
        group: Jid,
        /// What is done to them.
        change: MemberChange,
        /// To whom.
        members: Vec<Jid>,
    },
}

impl GroupCommand {
    /// Its name in log lines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Join { .. } => "group_join",
            Self::List => "group_list",
            Self::Get { .. } => "group_get",
            Self::Create { .. } => "group_create",
            Self::Update { .. } => "group_update",
            Self::Leave { .. } => "group_leave",
            Self::Invite { .. } => "group_invite",
            Self::ChangeMembers { .. } => "group_members",
        }
    }
}

/// Invites and subjects are private: only the kind is shown.
impl fmt::Debug for GroupCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What changes about a group; what is not given stays.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupChanges {
    /// How it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What it is about; empty takes the present description away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether only admins may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announce: Option<bool>,
    /// Whether only admins may change subject and description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
}

/// Subjects and descriptions are private: nothing is shown.
impl fmt::Debug for GroupChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupChanges")
    }
}

/// What is done to members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberChange {
    /// They come in.
    Add,
    /// They go.
    Remove,
    /// They become admins.
    Promote,
    /// They are admins no more.
    Demote,
}

/// A group, as WhatsApp tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its address.
    pub group_jid: String,
    /// How it is called.
    pub subject: String,
    /// What it is about.
    pub description: Option<String>,
    /// Who made it: by phone number where that is known, else by LID.
    pub owner: Option<String>,
    /// When it was made.
    pub created_at: Option<Millis>,
    /// How WhatsApp names its members: `pn` or `lid`.
    pub addressing_mode: String,
    /// Whether only admins may write.
    pub announce: bool,
    /// Whether only admins may change subject and description.
    pub locked: bool,
    /// How many are in it.
    pub size: u32,
    /// Who is in it, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<GroupMember>,
}

/// Somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupMember {
    /// Their address: the phone number where it is known, else the LID.
    pub jid: String,
    /// Their LID, where it is known.
    pub lid: Option<String>,
    /// What they may do.
    pub role: MemberRole,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// Write, unless only admins may.
    Member,
    /// Administer the group.
    Admin,
    /// The same; made the group and can not be demoted.
    Owner,
}

/// How an invite was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// Where it led.
    pub group_jid: String,
    /// Whether the session is in now.
    pub status: JoinStatus,
}

/// Whether somebody is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinStatus {
    /// It is in, since now.
    Joined,
    /// It was in before.
    AlreadyMember,
    /// An admin has to let it in.
    PendingApproval,
}

/// A group that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Created {
    /// The group.
    pub group: Group,
    /// Those who were named and are not in it.
    #[schemars(with = "Vec<String>")]
    pub missing: Vec<Jid>,
}

/// The way into a group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Invite {
    /// The code alone.
    pub code: String,
    /// The link with the code.
    pub link: String,
}

/// An invite lets in whoever has it.
impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invite")
    }
}

/// What became of one person whom a command named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberOutcome {
    /// Who, as they were named.
    #[schemars(with = "String")]
    pub jid: Jid,
    /// Whether it was done.
    pub done: bool,
    /// Why it was not: `already_member`, `not_a_member`, `not_on_whatsapp`, `not_allowed` (their
    /// privacy settings, or not to be done to this member), `recently_left`, `group_full` or
    /// `refused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// WhatsApp's own code for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_code: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_back_and_hides_what_it_holds() {
        let command = GroupCommand::Join {
            code: "AbCdEf".into(),
        };
        let json = serde_json::to_string(&command).unwrap();
        assert_eq!(json, r#"{"action":"join","code":"AbCdEf"}"#);
        assert_eq!(
            serde_json::from_str::<GroupCommand>(&json).unwrap(),
            command
        );
        assert_eq!(format!("{command:?}"), "group_join");
    }
}
