//! Requests to the worker that owns a session, which want an answer now.
//!
//! ```text
//!  API ── PUBLISH command:<worker> {token, instance, …} ──▶ worker
//!      ◀── PUBLISH reply:<instance>  {token, ok | error} ──
//! ```
//!
//! Nothing of this is durable: a request that is lost is answered by nobody, and its caller gives
//! up at its deadline. What must not be lost is a send, or a wish in the session's record.

mod account;
mod groups;
mod media;

use std::fmt;

use redis::AsyncCommands;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::domain::{InstanceId, OrganizationId, SessionId, WorkerId};
use crate::lane::SessionRef;
use crate::redis::{RedisFailure, Store};

pub use account::{AccountCommand, CHECKED_AT_ONCE, Checked, Renewed};
pub use groups::{
    Created, DESCRIPTION_LENGTH, Group, GroupChanges, GroupCommand, GroupMember, Invite,
    JoinStatus, Joined, MEMBERS_AT_ONCE, MemberChange, MemberOutcome, MemberRole, SUBJECT_LENGTH,
};
pub use media::MediaCommand;

/// What is asked of a worker.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "command",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum Command {
    /// Ask WhatsApp for a code that a phone with this number can enter. The answer is
    /// `{"code": "ABCD-1234"}`.
    PairingCode {
        /// Digits of the international number.
        phone: String,
    },
    /// Something about groups: what exactly, and what it is answered with, is told there.
    Group(GroupCommand),
    /// Something about a file: what exactly, and what it is answered with, is documented there.
    Media(MediaCommand),
    /// Something about the account: what exactly, and what it is answered with, is told there.
    Account(AccountCommand),
}

impl Command {
    /// Its name in log lines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::PairingCode { .. } => "pairing_code",
            Self::Group(command) => command.name(),
            Self::Media(command) => command.name(),
            Self::Account(command) => command.name(),
        }
    }
}

/// Phone numbers are personal data: only the kind is shown.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A request on a worker's command channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandRequest {
    /// The API process that waits.
    pub instance: InstanceId,
    /// Which of its requests this is.
    pub token: String,
    /// The id of the HTTP request, for log lines.
    pub request_id: String,
    /// Whose session it is for.
    pub organization: OrganizationId,
    /// The session it is for.
    pub session: SessionId,
    /// Until when the answer is waited for (Redis' time); one that is asked for later is given to
    /// nobody.
    pub deadline: Millis,
    /// What is asked.
    #[serde(flatten)]
    pub command: Command,
}

impl CommandRequest {
    /// The session it is for.
    #[must_use]
    pub fn of(&self) -> SessionRef {
        SessionRef {
            organization: self.organization.clone(),
            session: self.session.clone(),
        }
    }
}

/// Why a worker did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
#[serde(rename_all = "camelCase")]
pub struct CommandError {
    /// A stable code: `session_not_connected`, `already_paired`, `refused`, `not_owned`,
    /// `no_answer`; for groups also `group_not_found`, `invite_unknown`, `invite_gone`,
    /// `group_changed`, `group_full`, `not_allowed`.
    pub code: String,
    /// For people.
    pub message: String,
    /// WhatsApp's own code, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_code: Option<u16>,
}

/// A worker's answer on an API process' reply channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReply {
    /// The token of the request.
    pub token: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: CommandOutcome,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandOutcome {
    /// It was done; the value is documented with the command.
    Ok(serde_json::Value),
    /// It was not.
    Error(CommandError),
}

/// Puts a request before a worker. Whether the worker hears it shows only in its answer.
///
/// # Errors
/// When Redis does not answer.
pub async fn ask(
    store: &Store,
    worker: &WorkerId,
    request: &CommandRequest,
) -> Result<(), RedisFailure> {
    publish(store, store.keys.command_channel(worker.as_str()), request).await
}

/// Answers a request.
///
/// # Errors
/// When Redis does not answer; the caller then gives up at its deadline.
pub async fn answer(
    store: &Store,
    instance: &InstanceId,
    reply: &CommandReply,
) -> Result<(), RedisFailure> {
    publish(store, store.keys.reply_channel(instance.as_str()), reply).await
}

async fn publish(
    store: &Store,
    channel: String,
    message: &impl Serialize,
) -> Result<(), RedisFailure> {
    let json = serde_json::to_string(message)
        .map_err(|error| RedisFailure(std::io::Error::other(error).into()))?;
    let () = store.connection.clone().publish(channel, json).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_replies_read_back_and_hide_the_number() {
        let request = CommandRequest {
            instance: InstanceId::generate(1),
            token: "7".into(),
            request_id: "r".into(),
            organization: OrganizationId::generate(1),
            session: SessionId::generate(1),
            deadline: 5,
            command: Command::PairingCode {
                phone: "6281234567890".into(),
            },
        };
        let json = serde_json::to_string(&request).unwrap();
        assert!(json.contains(r#""command":"pairing_code","phone":"6281234567890""#));
        assert_eq!(
            serde_json::from_str::<CommandRequest>(&json).unwrap(),
            request
        );
        assert!(!format!("{request:?}").contains("628"));

        let request = CommandRequest {
            command: Command::Group(GroupCommand::List),
            ..request
        };
        let json = serde_json::to_string(&request).unwrap();
        assert!(
            json.contains(r#""command":"group","action":"list""#),
            "{json}"
        );
        assert_eq!(
            serde_json::from_str::<CommandRequest>(&json).unwrap(),
            request
        );

        let reply = CommandReply {
            token: "7".into(),
            outcome: CommandOutcome::Ok(serde_json::json!({"code": "ABCD-1234"})),
        };
        let json = serde_json::to_string(&reply).unwrap();
        assert_eq!(json, r#"{"token":"7","ok":{"code":"ABCD-1234"}}"#);
        assert_eq!(serde_json::from_str::<CommandReply>(&json).unwrap(), reply);
    }
}
