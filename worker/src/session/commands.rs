//! What is asked of a session's worker while the caller waits.

use std::sync::Arc;
use std::time::Duration;

use gateway_shared::command::{Command, CommandError, CommandRequest};
use serde_json::json;
use tokio::time::timeout;

use super::{Runtime, account, groups, media};
use crate::link::{Link, PairingFailure};
use crate::pool::PendingCommand;

/// Does what a command asks, beside everything else, and answers it.
pub(super) fn handle_command(runtime: &Runtime, link: &Arc<Link>, command: PendingCommand) {
    let link = Arc::clone(link);
    let left = command.request.deadline - runtime.now();
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    // Whoever asked has given up by then, and may ask again.
    let late = |command: &PendingCommand| {
        let CommandRequest {
            session,
            request_id,
            command,
            ..
        } = &command.request;
        tracing::warn!(%session, %request_id, command = command.name(),
            "a command was not done in time");
    };
    if left.is_zero() {
        return late(&command);
    }
    tokio::spawn(async move {
        let done = async {
            match &command.request.command {
                Command::PairingCode { phone } => link
                    .pairing_code(phone)
                    .await
                    .map(|code| json!({ "code": code.as_str() }))
                    .map_err(|error| refusal(&error)),
                Command::Group(command) => groups::handle_command(&link, command).await,
                Command::Media(command) => media::handle_command(&link, command).await,
                Command::Account(command) => account::handle_command(&link, command).await,
            }
        };
        match timeout(left, done).await {
            Ok(outcome) => command.answer(outcome).await,
            Err(_) => late(&command),
        }
    });
}

fn refusal(error: &PairingFailure) -> CommandError {
    let code = match error {
        PairingFailure::AlreadyPaired => "already_paired",
        PairingFailure::Superseded => "superseded",
        PairingFailure::NotConnected(_) => "session_not_connected",
        PairingFailure::Refused(_) => "refused",
    };
    CommandError {
        code: code.to_owned(),
        message: error.to_string(),
        wa_code: None,
    }
}
