//! Which message an operation is about.

use gateway_shared::domain::{Jid, PersonJid};
use gateway_shared::messages::Found;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::request::{Fields, Problems};

/// Whose message it is, as the caller says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Author {
    /// The caller leaves it to us.
    Anybody,
    /// The session's own account.
    Own,
    /// This person, who may be the account itself.
    Person(Jid),
}

impl Author {
    /// Reads `sender`: not given, empty for an own message, or a person's JID.
    pub(super) fn read(fields: &mut Fields, problems: &mut Problems) -> Self {
        let Some(text) = fields.text(problems, "sender") else {
            return Self::Anybody;
        };
        if text.is_empty() {
            return Self::Own;
        }
        match text.parse::<PersonJid>() {
            Ok(person) => Self::Person(person.into_jid()),
            Err(error) => {
                problems.add("sender", error.to_string());
                Self::Anybody
            }
        }
    }

    pub(super) fn as_json(&self) -> Value {
        match self {
            Self::Anybody => Value::Null,
            Self::Own => "".into(),
            Self::Person(jid) => json!(jid),
        }
    }

    /// Whether the message that was found is theirs.
    pub(super) fn wrote(&self, found: &Found) -> bool {
        match self {
            Self::Anybody => true,
            Self::Own => found.message.is_own(),
            Self::Person(jid) if found.message.is_own() => found
                .own
                .iter()
                .any(|own| own.as_deref() == Some(jid.as_str())),
            Self::Person(jid) => found.message.is_by(jid.as_str()),
        }
    }
}

/// The session knows no such message.
pub(in crate::messages) fn message_not_found() -> ApiError {
    ApiError::not_found("message")
}

/// It is of a number that was paired with the session before: nobody can operate on it now.
pub(super) fn of_former_account() -> ApiError {
    let reason = "not_sent_by_this_account";
    message_not_found().with("reason", reason)
}
