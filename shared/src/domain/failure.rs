//! Why a send failed, as its sender is told.

use serde::{Deserialize, Serialize};

/// The error of a failed outbox entry: in its record, its event and the 502 of a synchronous send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendFailure {
    /// A stable code: `refused`, `expired`, `attempts_exhausted`, `worker_crashed`,
    /// `session_logged_out`, `session_deleted`, `account_changed`, `target_not_sent`,
    /// `invalid_message`, `not_group_admin`; and `outcome_unknown` in place of one of these where an attempt was made
    /// that nobody answered, so that it may have arrived: a later receipt corrects it.
    pub code: String,
    /// For people.
    pub message: String,
    /// WhatsApp's own code, when it was WhatsApp that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_code: Option<u16>,
    /// With `outcome_unknown`, the code of the reason for which it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl SendFailure {
    /// A failure without a code of WhatsApp's.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            wa_code: None,
            cause: None,
        }
    }

    /// WhatsApp's server refused the message with this code.
    #[must_use]
    pub fn refused(wa_code: u16) -> Self {
        Self {
            code: "refused".to_owned(),
            message: format!("WhatsApp refused the message with code {wa_code}"),
            wa_code: Some(wa_code),
            cause: None,
        }
    }
}
