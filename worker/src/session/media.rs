//! Commands about files: from the command to the link, and from its outcome to the answer.

use gateway_shared::command::{CommandError, MediaCommand};
use serde_json::{Value, json};

use crate::link::{Link, NotUploadedAgain};

/// Does what a command asks.
///
/// # Errors
/// With a stable code, for the caller.
pub(super) async fn handle_command(
    link: &Link,
    command: &MediaCommand,
) -> Result<Value, CommandError> {
    let MediaCommand::UploadAgain {
        message,
        chat,
        sender,
        media_key,
    } = command;
    let uploaded = link.upload_again(message, chat, sender.as_deref(), &media_key.0);
    let uploaded = uploaded.await;
    uploaded
        .map(|direct_path| json!({ "directPath": direct_path }))
        .map_err(|error| CommandError {
            code: match &error {
                NotUploadedAgain::NotConnected => "session_not_connected",
                NotUploadedAgain::Gone => "media_gone",
                NotUploadedAgain::Refused(_) => "refused",
            }
            .to_owned(),
            message: error.to_string(),
            wa_code: None,
        })
}
