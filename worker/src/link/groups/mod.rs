//! Groups: asking WhatsApp about them and changing them.

mod failure;
mod notice;
mod reported;

use gateway_shared::command::{
    Created, Group, GroupChanges, Invite, JoinStatus, Joined, MemberChange, MemberOutcome,
};
use gateway_shared::domain::Jid;
use whatsapp_rust::{
    GroupCreateOptions, GroupDescription, GroupError, GroupMetadata, GroupParticipant,
    GroupParticipantOptions, GroupSubject, IqError, JoinGroupResult, ParticipantChangeResponse,
    ParticipantType, PreviousDescription,
};

use super::Link;
use failure::failure;
use reported::{group, not_done};

pub use failure::GroupFailure;
pub use notice::{GroupChange, GroupNotice, Person};

/// What stands before the code of an invite.
const INVITE_LINK: &str = "https://chat.whatsapp.com/";

impl Link {
    /// Follows an invite (the code alone). Who is in already gets the group's address as well.
    ///
    /// # Errors
    /// See [`GroupFailure`].
    pub async fn join_group(&self, code: &str) -> Result<Joined, GroupFailure> {
        self.must_be_connected()?;
        let groups = self.client.groups();
        let (group, status) = match groups.join_with_invite_code(code).await {
            Ok(JoinGroupResult::Joined(group)) => (group, JoinStatus::Joined),
            Ok(JoinGroupResult::PendingApproval(group)) => (group, JoinStatus::PendingApproval),
            Err(GroupError::Iq(IqError::ServerError {
                code: 304 | 409, ..
            })) => {
                let info = groups.get_invite_info(code).await;
                let info = info.map_err(|error| failure(&error, true))?;
                (info.id, JoinStatus::AlreadyMember)
            }
            Err(error) => return Err(failure(&error, true)),
        };
        Ok(Joined {
            group_jid: group.to_non_ad_string(),
            status,
        })
    }

    /// Every group that the session is in, without their members, ordered by address.
    ///
    /// # Errors
    /// See [`GroupFailure`].
    pub async fn groups(&self) -> Result<Vec<Group>, GroupFailure> {
        self.must_be_connected()?;
        let groups = self.client.groups().get_participating().await?;
        let mut groups: Vec<Group> = groups
            .into_values()
            .map(|metadata| Group {
                members: Vec::new(),
                ..group(metadata)
            })
            .collect();
        groups.sort_by(|one, other| one.group_jid.cmp(&other.group_jid));
        Ok(groups)
    }

    /// One group with its members.
    ///
    /// # Errors
    /// See [`GroupFailure`]. To whom is not in it WhatsApp tells nothing: it is not found.
    pub async fn group(&self, jid: &Jid) -> Result<Group, GroupFailure> {
        self.metadata(jid).await.map(group)
    }

    /// After how many seconds the messages of a group disappear; 0 = they stay.
    ///
    /// # Errors
    /// See [`GroupFailure`].
    pub async fn group_timer(&self, jid: &Jid) -> Result<u32, GroupFailure> {
        let ephemeral = self.metadata(jid).await?.ephemeral;
        Ok(ephemeral
            .and_then(|timer| timer.expiration)
            .unwrap_or_default())
    }

    /// Makes a group.
    ///
    /// # Errors
    /// See [`GroupFailure`].
    pub async fn create_group(
        &self,
        subject: &str,
        description: &str,
        members: &[Jid],
    ) -> Result<Created, GroupFailure> {
        self.must_be_connected()?;
        let invited = members.iter().map(wire);
        let invited: Vec<_> = invited.collect::<Result<_, _>>()?;
        let mut options = GroupCreateOptions::new(subject);
        options.participants = invited
            .iter()
            .cloned()
            .map(GroupParticipantOptions::new)
            .collect();
        if !description.is_empty() {
            let description = GroupDescription::new(description);
            options.description = Some(description.map_err(|_| REFUSED)?);
        }
        let created = self.client.groups().create_group(options).await?;
        let inside = created.metadata.participants.as_slice();
        let missing = members.iter().zip(&invited);
        let missing = missing.filter(|(_, jid)| find(inside, jid).is_none());
        let missing = missing.map(|(member, _)| member.clone()).collect();
        Ok(Created {
            missing,
            group: group(created.metadata),
        })
    }

    /// Changes what a group says about itself, one thing after the other; when one of them
    /// fails, those before it stand.
    ///
    /// # Errors
    /// See [`GroupFailure`].
    pub async fn update_group(
        &self,
        jid: &Jid,
        changes: &GroupChanges,
    ) -> Result<Group, GroupFailure> {
        self.must_be_connected()?;
        let at = wire(jid)?;
        let groups = self.client.groups();
        if let Some(subject) = &changes.subject {
            let subject = GroupSubject::new(subject.as_str()).map_err(|_| REFUSED)?;
            groups.set_subject(at.clone(), subject).await?;
        }
        if let Some(description) = &changes.description {
            let description = match description.as_str() {
                "" => None,
                text => Some(GroupDescription::new(text).map_err(|_| REFUSED)?),
            };
            let present = PreviousDescription::Resolve;
            groups
                .set_description(at.clone(), description, present)
                .await?;
        }
        if let Some(announce) = changes.announce {
            groups.set_announce(at.clone(), announce).await?;
        }
        if let Some(locked) = changes.locked {
            groups.set_locked(at, locked).await?;
        }
        self.group(jid).await
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// See [`GroupFailure`].
    pub async fn leave_group(&self, jid: &Jid) -> Result<(), GroupFailure> {
        self.must_be_connected()?;
        Ok(self.client.groups().leave(wire(jid)?).await?)
    }

    /// The invite of a group; with `revoke` a new one, and the present one is void.
    ///
    /// # Errors
    /// See [`GroupFailure`].
    pub async fn group_invite(&self, jid: &Jid, revoke: bool) -> Result<Invite, GroupFailure> {
        self.must_be_connected()?;
        let groups = self.client.groups();
        let link = groups.get_invite_link(wire(jid)?, revoke).await?;
        let code = link.strip_prefix(INVITE_LINK).unwrap_or(&link).to_owned();
        Ok(Invite { code, link })
    }

    /// Adds, removes, promotes or demotes people, each with an outcome of their own, in the order
    /// in which they were named.
    ///
    /// # Errors
    /// See [`GroupFailure`]: nothing was done to anybody then.
    pub async fn change_members(
        &self,
        jid: &Jid,
        change: MemberChange,
        members: &[Jid],
    ) -> Result<Vec<MemberOutcome>, GroupFailure> {
        // Members are to be named as the group names them.
        let present = self.metadata(jid).await?.participants;
        let mut asked = Vec::new();
        let mut outcomes = Vec::new();
        for member in members {
            let address = wire(member)?;
            let known = find(&present, &address);
            match (change, known) {
                (MemberChange::Add, None) => asked.push((member, address)),
                (MemberChange::Add, Some(_)) => outcomes.push(not_done(member, 409, change)),
                (_, Some(known)) => asked.push((member, known.jid.clone())),
                (_, None) => outcomes.push(not_done(member, 404, change)),
            }
        }
        if !asked.is_empty() {
            let at = wire(jid)?;
            let addresses = asked.iter().map(|(_, address)| address.clone());
            let addresses: Vec<_> = addresses.collect();
            let groups = self.client.groups();
            let answers = match change {
                MemberChange::Add => groups.add_participants(at, &addresses).await,
                MemberChange::Remove => groups.remove_participants(at, &addresses).await,
                MemberChange::Promote => groups.promote_participants(at, &addresses).await,
                MemberChange::Demote => groups.demote_participants(at, &addresses).await,
            }?;
            for (place, (member, address)) in asked.iter().enumerate() {
                let answer = answers.iter().find(|answer| is_about(answer, address));
                // Answers come in the order of the question; a namespace may be another one.
                let error = answer
                    .or_else(|| answers.get(place))
                    .and_then(|answer| answer.error.as_deref());
                outcomes.push(match error.map(str::parse) {
                    None => MemberOutcome {
                        jid: (*member).clone(),
                        done: true,
                        reason: None,
                        wa_code: None,
                    },
                    Some(code) => not_done(member, code.unwrap_or(0), change),
                });
            }
        }
        let place = |outcome: &MemberOutcome| members.iter().position(|each| *each == outcome.jid);
        outcomes.sort_by_key(place);
        Ok(outcomes)
    }

    /// Whether the account is an admin of the group; `None` where that can not be learnt.
    pub(super) async fn is_admin(&self, jid: &Jid) -> Option<bool> {
        let group = self.metadata(jid).await.ok()?;
        let own = [self.client.pn(), self.client.lid()];
        let members = group.participants.as_slice();
        let mut own = own.into_iter().flatten();
        let member = own.find_map(|own| find(members, &own.to_non_ad()))?;
        Some(!matches!(member.participant_type, ParticipantType::Member))
    }

    async fn metadata(&self, jid: &Jid) -> Result<GroupMetadata, GroupFailure> {
        self.must_be_connected()?;
        let metadata = self.client.groups().get_metadata(&wire(jid)?).await;
        metadata.map_err(|error| match failure(&error, false) {
            GroupFailure::NotAllowed { .. } => GroupFailure::NotFound,
            failure => failure,
        })
    }

    fn must_be_connected(&self) -> Result<(), GroupFailure> {
        if self.is_connected() {
            Ok(())
        } else {
            Err(GroupFailure::NotConnected)
        }
    }
}

/// What the library itself refuses to send.
const REFUSED: GroupFailure = GroupFailure::Refused { code: 0 };

/// An address as the library takes it.
fn wire(jid: &Jid) -> Result<wacore_binary::Jid, GroupFailure> {
    jid.as_str().parse().map_err(|_| REFUSED)
}

fn find<'a>(
    members: &'a [GroupParticipant],
    jid: &wacore_binary::Jid,
) -> Option<&'a GroupParticipant> {
    members.iter().find(|member| {
        member.jid == *jid
            || member.phone_number.as_ref() == Some(jid)
            || member.lid.as_ref() == Some(jid)
    })
}

fn is_about(answer: &ParticipantChangeResponse, jid: &wacore_binary::Jid) -> bool {
    answer.jid == *jid || answer.phone_number.as_ref() == Some(jid)
}
