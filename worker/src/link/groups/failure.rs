//! Why WhatsApp does not do something about a group.

use whatsapp_rust::{GroupError, IqError};

/// Why something about a group was not done.
#[derive(Debug, thiserror::Error)]
pub enum GroupFailure {
    /// There is no connection, or it broke meanwhile.
    #[error("the session is not connected to WhatsApp")]
    NotConnected,
    /// Nobody answered in time. It may have been done.
    #[error("WhatsApp did not answer in time")]
    NoAnswer,
    /// There is no such group, as far as the session can know.
    #[error("there is no such group, or the session is not in it")]
    NotFound,
    /// No group has this invite.
    #[error("no group has this invite")]
    InviteUnknown,
    /// The invite was good once.
    #[error("the invite was revoked or has expired")]
    InviteGone,
    /// Somebody else changed the same thing at the same time.
    #[error("the group was changed by somebody else meanwhile")]
    Changed,
    /// The session is no admin of the group, not in it any more, or was removed from it.
    #[error("WhatsApp does not let this session do that in this group")]
    NotAllowed {
        /// WhatsApp's code.
        code: u16,
    },
    /// Nobody else gets in.
    #[error("the group is full")]
    Full,
    /// WhatsApp refuses it for another reason.
    #[error("WhatsApp refused it with {code}")]
    Refused {
        /// WhatsApp's code; 0 where it gave none.
        code: u16,
    },
}

/// What the codes of WhatsApp mean for a command about a group. Those of invites: the library's
/// `GroupJoinError` and `InviteInfoError`, and 406, which a code that no group ever had is
/// answered with.
pub(super) fn failure(error: &GroupError, following_invite: bool) -> GroupFailure {
    let error = match error {
        GroupError::Iq(error) => error,
        GroupError::DescriptionConflict => return GroupFailure::Changed,
        _ => return GroupFailure::Refused { code: 0 },
    };
    let code = match error {
        IqError::ServerError { code, .. } => *code,
        IqError::Timeout => return GroupFailure::NoAnswer,
        IqError::NotConnected
        | IqError::Socket(_)
        | IqError::ClientState(_)
        | IqError::EncryptSend(_)
        | IqError::Disconnected(_)
        | IqError::InternalChannelClosed => return GroupFailure::NotConnected,
        _ => return GroupFailure::Refused { code: 0 },
    };
    match (code, following_invite) {
        (400 | 404 | 406, true) => GroupFailure::InviteUnknown,
        (410, true) => GroupFailure::InviteGone,
        (412 | 419, true) => GroupFailure::Full,
        (404, false) => GroupFailure::NotFound,
        (401 | 403 | 405, _) => GroupFailure::NotAllowed { code },
        (code, _) => GroupFailure::Refused { code },
    }
}

impl From<GroupError> for GroupFailure {
    fn from(error: GroupError) -> Self {
        failure(&error, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_error(code: u16) -> GroupError {
        GroupError::Iq(IqError::ServerError {
            code,
            text: String::new(),
            error_type: None,
            backoff: None,
        })
    }

    #[test]
    fn the_codes_of_invites_and_of_groups_are_told_apart() {
        let kind = |code, invite| format!("{:?}", failure(&server_error(code), invite));
        assert_eq!(kind(406, true), "InviteUnknown");
        assert_eq!(kind(404, true), "InviteUnknown");
        assert_eq!(kind(410, true), "InviteGone");
        assert_eq!(kind(419, true), "Full");
        assert_eq!(kind(405, true), "NotAllowed { code: 405 }");
        assert_eq!(kind(404, false), "NotFound");
        assert_eq!(kind(403, false), "NotAllowed { code: 403 }");
        assert_eq!(kind(410, false), "Refused { code: 410 }");
        let lost = GroupError::Iq(IqError::NotConnected);
        assert!(matches!(failure(&lost, false), GroupFailure::NotConnected));
    }
}
