//! Groups and their members as the gateway tells of them.

use gateway_shared::clock::Millis;
use gateway_shared::command::{Group, GroupMember, MemberChange, MemberOutcome, MemberRole};
use gateway_shared::domain::Jid;
use whatsapp_rust::{GroupMetadata, GroupParticipant, ParticipantType};

use super::notice::Person;

/// The outcome of somebody with whom it was not done.
pub(super) fn not_done(member: &Jid, code: u16, change: MemberChange) -> MemberOutcome {
    let reason = match (code, change) {
        (409, _) => "already_member",
        (404, MemberChange::Add) => "not_on_whatsapp",
        (404, _) => "not_a_member",
        (401 | 403 | 405 | 406, _) => "not_allowed",
        (408, _) => "recently_left",
        (412 | 419, MemberChange::Add) => "group_full",
        _ => "refused",
    };
    MemberOutcome {
        jid: member.clone(),
        done: false,
        reason: Some(reason.to_owned()),
        wa_code: Some(code).filter(|code| *code != 0),
    }
}

/// A group with its members.
pub(super) fn group(metadata: GroupMetadata) -> Group {
    let owner = metadata.creator_pn.or(metadata.creator);
    let members: Vec<_> = metadata.participants.into_iter().map(member).collect();
    let counted = u32::try_from(members.len()).unwrap_or(u32::MAX);
    Group {
        group_jid: metadata.id.to_non_ad_string(),
        subject: metadata.subject,
        description: metadata.description,
        owner: owner.map(|owner| owner.to_non_ad_string()),
        created_at: metadata.creation_time.and_then(millis),
        addressing_mode: metadata.addressing_mode.as_str().to_owned(),
        announce: metadata.is_announcement,
        locked: metadata.is_locked,
        size: metadata.size.unwrap_or(counted),
        members,
    }
}

fn member(participant: GroupParticipant) -> GroupMember {
    let person = Person::named(
        &participant.jid,
        participant.phone_number.as_ref(),
        participant.lid.as_ref(),
    );
    GroupMember {
        jid: person.jid.into(),
        lid: person.lid.map(String::from),
        role: match participant.participant_type {
            ParticipantType::Member => MemberRole::Member,
            ParticipantType::Admin => MemberRole::Admin,
            ParticipantType::SuperAdmin => MemberRole::Owner,
        },
    }
}

fn millis(seconds: u64) -> Option<Millis> {
    Millis::try_from(seconds).ok()?.checked_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_named_by_phone_where_it_is_known() {
        let participant = |jid: &str, phone: Option<&str>| GroupParticipant {
            jid: jid.parse().unwrap(),
            phone_number: phone.map(|phone| phone.parse().unwrap()),
            lid: None,
            username: None,
            participant_type: ParticipantType::Admin,
            details: None,
        };
        let known = member(participant("77@lid", Some("15550000001@s.whatsapp.net")));
        assert_eq!(known.jid, "15550000001@s.whatsapp.net");
        assert_eq!(known.lid.as_deref(), Some("77@lid"));
        assert_eq!(known.role, MemberRole::Admin);
        assert_eq!(member(participant("77@lid", None)).jid, "77@lid");
    }
}
