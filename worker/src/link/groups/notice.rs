//! What WhatsApp tells of a change to a group.

use std::fmt;

use gateway_shared::clock::Millis;
use serde::Serialize;
use serde_json::{Map, Value, json};
use wacore::stanza::groups::{GroupNotificationAction as Action, GroupParticipantInfo};
use wacore::types::events::GroupUpdate;
use wacore_binary::{Jid, Node};

use crate::link::WaAddress;

/// Something changed about a group that the session is in, or was in until now. The session's own
/// changes are told as well.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupNotice {
    /// What makes it the same notice: WhatsApp repeats what it has no ack for.
    #[serde(skip)]
    pub identity: String,
    /// The group.
    #[serde(rename = "groupJid")]
    pub group: WaAddress,
    /// What changed.
    #[serde(flatten)]
    pub change: GroupChange,
    /// Who did it, where WhatsApp tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Person>,
    /// When, by WhatsApp's clock, to the second.
    pub timestamp: Millis,
    /// Whether it waited for us on WhatsApp's server.
    pub offline: bool,
}

/// What changed about a group.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum GroupChange {
    /// Who is in it, and as what.
    Members {
        /// What was done to them, or by them.
        action: &'static str,
        /// To whom.
        members: Vec<Person>,
    },
    /// What it says about itself, or what its members may do.
    Update {
        /// What changed: `subject`, `description`, `locked` and so on; WhatsApp's own word for
        /// what is not known here.
        change: String,
        /// How it is now.
        #[serde(flatten)]
        now: Map<String, Value>,
    },
}

/// People and texts do not show in logs.
impl fmt::Debug for GroupChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Their address: the phone number where it is known, else the LID.
    pub jid: WaAddress,
    /// Their LID, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lid: Option<WaAddress>,
}

impl Person {
    /// Somebody whom WhatsApp calls `jid`, and whose number or LID it may have told besides.
    pub(super) fn named(jid: &Jid, phone: Option<&Jid>, lid: Option<&Jid>) -> Self {
        let (jid, lid) = if jid.is_lid() {
            (phone.unwrap_or(jid), Some(jid))
        } else {
            (jid, lid)
        };
        Self {
            jid: jid.into(),
            lid: lid.map(WaAddress::from),
        }
    }

    /// Whether these are the same. The number is not always told.
    fn is(&self, other: &Self) -> bool {
        self.jid == other.jid || (self.lid.is_some() && self.lid == other.lid)
    }

    fn of(info: &GroupParticipantInfo) -> Self {
        Self::named(&info.jid, info.phone_number.as_ref(), info.lid.as_ref())
    }
}

impl GroupNotice {
    pub(in crate::link) fn from_library(update: &GroupUpdate) -> Self {
        let by = update
            .participant
            .as_ref()
            .map(|jid| Person::named(jid, update.participant_pn.as_ref(), None));
        let (group, timestamp) = (
            WaAddress::from(&update.group_jid),
            update.timestamp.timestamp_millis(),
        );
        // A notification without an id is not known to come; its time and kind tell it apart.
        let id = update.notification_id.clone();
        let id = id.unwrap_or_else(|| format!("{timestamp} {}", update.action.tag_name()));
        Self {
            identity: format!("{group}|notice|{id}|{}", update.action_index),
            change: change(&update.action, by.as_ref()),
            group,
            by,
            timestamp,
            offline: update.offline.is_some(),
        }
    }
}

impl GroupChange {
    /// A word for it, for log lines.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Members { action, .. } => action,
            Self::Update { change, .. } => change,
        }
    }
}

fn change(action: &Action, by: Option<&Person>) -> GroupChange {
    match action {
        Action::Add { participants, .. } => moved("add", "join", participants, by),
        Action::Remove { participants, .. } => moved("remove", "leave", participants, by),
        Action::Promote { participants } => members("promote", participants),
        Action::Demote { participants } => members("demote", participants),
        Action::Modify { participants } => members("change_number", participants),
        Action::CreatedMembershipRequests { requests, .. } => members("request", requests),
        Action::MembershipApprovalRequest { .. } => GroupChange::Members {
            action: "request",
            members: by.cloned().into_iter().collect(),
        },
        Action::RevokedMembershipRequests { participants } => GroupChange::Members {
            action: "request_revoked",
            members: participants
                .iter()
                .map(|jid| Person::named(jid, None, None))
                .collect(),
        },
        Action::Create { raw } => update("create", json!({ "subject": subject_of(raw) })),
        Action::Subject { subject, .. } => update("subject", json!({ "subject": subject })),
        Action::Description { description, .. } => {
            update("description", json!({ "description": description }))
        }
        Action::Locked { .. } => update("locked", json!({ "locked": true })),
        Action::Unlocked => update("locked", json!({ "locked": false })),
        Action::Announce => update("announce", json!({ "announce": true })),
        Action::NotAnnounce => update("announce", json!({ "announce": false })),
        Action::Ephemeral { expiration, .. } => update(
            "ephemeral",
            json!({ "disappearsAfterMs": u64::from(*expiration) * 1_000 }),
        ),
        Action::MembershipApprovalMode { enabled } => update(
            "membership_approval",
            json!({ "membershipApproval": enabled }),
        ),
        Action::MemberAddMode { mode } => update(
            "member_add_mode",
            json!({ "adminsAddMembers": mode == "admin_add" }),
        ),
        // Without the new code: whoever reads events could get in with it.
        Action::Invite { .. } | Action::RevokeInvite => update("invite", json!({})),
        other => update(other.tag_name(), json!({})),
    }
}

/// People came or went: by themselves, where the only one is who did it.
fn moved(
    done: &'static str,
    by_themselves: &'static str,
    people: &[GroupParticipantInfo],
    by: Option<&Person>,
) -> GroupChange {
    let alone = match people {
        [one] => by.is_some_and(|by| by.is(&Person::of(one))),
        _ => false,
    };
    members(if alone { by_themselves } else { done }, people)
}

fn members(action: &'static str, people: &[GroupParticipantInfo]) -> GroupChange {
    GroupChange::Members {
        action,
        members: people.iter().map(Person::of).collect(),
    }
}

fn update(change: &str, now: Value) -> GroupChange {
    let now = match now {
        Value::Object(now) => now,
        _ => Map::new(),
    };
    GroupChange::Update {
        change: change.to_owned(),
        now,
    }
}

fn subject_of(created: &Node) -> Option<String> {
    let group = created.get_optional_child("group")?;
    let subject = group.attrs().optional_string("subject")?;
    Some(subject.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        text.parse().unwrap()
    }

    fn info(jid_text: &str, phone: &str) -> GroupParticipantInfo {
        GroupParticipantInfo {
            jid: jid(jid_text),
            phone_number: Some(jid(phone)),
            display_name: None,
            r#type: None,
            lid: None,
            username: None,
            join_time: None,
            group_history_sent_state: None,
        }
    }

    fn notice(action: Action) -> GroupNotice {
        GroupNotice::from_library(
            &GroupUpdate::builder()
                .group_jid(jid("120363021234567890@g.us"))
                .notification_id("N1".into())
                .action_index(1)
                .participant(jid("77:3@lid"))
                .participant_pn(jid("15550000001@s.whatsapp.net"))
                .timestamp(wacore::time::from_secs(7).unwrap())
                .is_lid_addressing_mode(true)
                .action(action)
                .build(),
        )
    }

    #[test]
    fn a_notice_says_who_did_what_and_when() {
        let notice = notice(Action::Subject {
            subject: "Walks".into(),
            subject_owner: None,
            subject_time: None,
        });
        assert_eq!(notice.identity, "120363021234567890@g.us|notice|N1|1");
        assert_eq!(
            serde_json::to_value(&notice).unwrap(),
            json!({
                "groupJid": "120363021234567890@g.us",
                "change": "subject", "subject": "Walks",
                "by": { "jid": "15550000001@s.whatsapp.net", "lid": "77@lid" },
                "timestamp": 7_000, "offline": false,
            })
        );
    }

    #[test]
    fn who_comes_or_goes_alone_joins_or_leaves() {
        let myself = info("77@lid", "15550000001@s.whatsapp.net");
        let other = info("88@lid", "15550000002@s.whatsapp.net");
        let unnumbered = GroupParticipantInfo {
            phone_number: None,
            ..myself.clone()
        };
        for (participants, joins) in [
            (vec![myself.clone()], true),
            (vec![unnumbered], true),
            (vec![other.clone()], false),
            (vec![myself, other], false),
        ] {
            let add = Action::Add {
                participants: participants.clone(),
                reason: None,
            };
            let remove = Action::Remove {
                participants,
                reason: None,
            };
            let names = [add, remove].map(|action| notice(action).change.name().to_owned());
            let expected = if joins {
                ["join", "leave"]
            } else {
                ["add", "remove"]
            };
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn the_way_in_is_not_told() {
        let notice = notice(Action::Invite {
            code: "AbCdEf".into(),
        });
        let json = serde_json::to_string(&notice).unwrap();
        assert!(json.contains(r#""change":"invite""#) && !json.contains("AbCdEf"));
    }

    #[test]
    fn what_is_not_known_here_keeps_its_name() {
        assert_eq!(notice(Action::Suspended).change.name(), "suspended");
    }
}
