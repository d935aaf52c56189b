//! Commands about groups: from the command to the link, and from its outcome to the answer.

use gateway_shared::command::{CommandError, GroupCommand};
use serde::Serialize;
use serde_json::Value;

use crate::link::{GroupFailure, Link};

/// Does what a command asks.
///
/// # Errors
/// With a stable code and WhatsApp's own, for the caller.
pub(super) async fn handle_command(
    link: &Link,
    command: &GroupCommand,
) -> Result<Value, CommandError> {
    match command {
        GroupCommand::Join { code } => reported(link.join_group(code).await),
        GroupCommand::List => reported(link.groups().await),
        GroupCommand::Get { group } => reported(link.group(group).await),
        GroupCommand::Create {
            subject,
            description,
            members,
        } => reported(link.create_group(subject, description, members).await),
        GroupCommand::Update { group, changes } => {
            reported(link.update_group(group, changes).await)
        }
        GroupCommand::Leave { group } => reported(link.leave_group(group).await),
        GroupCommand::Invite { group, revoke } => reported(link.group_invite(group, *revoke).await),
        GroupCommand::ChangeMembers {
            group,
            change,
            members,
        } => reported(link.change_members(group, *change, members).await),
    }
}

fn reported<T: Serialize>(outcome: Result<T, GroupFailure>) -> Result<Value, CommandError> {
    let value = outcome.map_err(|failure| refusal(&failure))?;
    serde_json::to_value(value).map_err(|error| CommandError {
        code: "unreadable".to_owned(),
        message: error.to_string(),
        wa_code: None,
    })
}

fn refusal(failure: &GroupFailure) -> CommandError {
    let (code, wa_code) = match failure {
        GroupFailure::NotConnected => ("session_not_connected", None),
        GroupFailure::NoAnswer => ("no_answer", None),
        GroupFailure::NotFound => ("group_not_found", None),
        GroupFailure::InviteUnknown => ("invite_unknown", None),
        GroupFailure::InviteGone => ("invite_gone", None),
        GroupFailure::Changed => ("group_changed", None),
        GroupFailure::NotAllowed { code } => ("not_allowed", Some(*code)),
        GroupFailure::Full => ("group_full", None),
        GroupFailure::Refused { code } => ("refused", Some(*code).filter(|code| *code != 0)),
    };
    CommandError {
        code: code.to_owned(),
        message: failure.to_string(),
        wa_code,
    }
}
