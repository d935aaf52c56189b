//! Commands about the account: from the command to the link, and from its outcome to the answer.

use gateway_shared::command::{AccountCommand, Checked, CommandError, Renewed};
use serde::Serialize;
use serde_json::{Value, json};

use crate::link::Link;

/// Does what a command asks.
///
/// # Errors
/// With a stable code, for the caller.
pub(super) async fn handle_command(
    link: &Link,
    command: &AccountCommand,
) -> Result<Value, CommandError> {
    // These two come before there is an account at all.
    match command {
        AccountCommand::AnswerPasskey { assertion } => {
            let assertion = serde_json::from_str(assertion).map_err(|e| error("refused", &e))?;
            let answered = link.answer_passkey(&assertion).await;
            return answered
                .map(|()| json!({}))
                .map_err(|e| error("refused", &e));
        }
        AccountCommand::ConfirmPasskey => {
            let confirmed = link.confirm_passkey().await;
            return confirmed
                .map(|()| json!({}))
                .map_err(|e| error("refused", &e));
        }
        _ => {}
    }
    if !link.is_connected() {
        return Err(error(
            "session_not_connected",
            "there is no connection to WhatsApp",
        ));
    }
    match command {
        AccountCommand::AnswerPasskey { .. } | AccountCommand::ConfirmPasskey => Ok(json!({})),
        AccountCommand::ShowPresence { available } => {
            let shown = link.show_presence(*available).await;
            shown.map(|()| json!({})).map_err(|e| error("refused", &e))
        }
        AccountCommand::FollowPresence { person } => {
            let followed = link.follow_presence(person).await;
            followed
                .map(|()| json!({}))
                .map_err(|e| error("refused", &e))
        }
        AccountCommand::Check { phones } => {
            let found = link.all_registered(phones).await;
            let found = found.map_err(|e| error("no_answer", &e))?;
            let checked = phones.iter().zip(found).map(|(phone, found)| Checked {
                phone: phone.clone(),
                exists: found.is_some(),
                business: found.as_ref().is_some_and(|found| found.business),
                jid: found.as_ref().map(|found| found.number.to_string()),
                lid: found.and_then(|found| found.lid).map(|lid| lid.to_string()),
            });
            value(&checked.collect::<Vec<_>>())
        }
        AccountCommand::RenewSignal { person } => {
            let renewed = link.renew_signal(person).await;
            let devices = renewed.map_err(|e| error("refused", &e))?;
            value(&Renewed { devices })
        }
    }
}

fn value(answer: &impl Serialize) -> Result<Value, CommandError> {
    serde_json::to_value(answer).map_err(|e| error("unreadable", &e))
}

fn error(code: &str, message: &(impl ToString + ?Sized)) -> CommandError {
    CommandError {
        code: code.to_owned(),
        message: message.to_string(),
        wa_code: None,
    }
}
