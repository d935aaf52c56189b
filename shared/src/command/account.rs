//! Commands about a session's account: how it is seen, whom it can reach, its encryption.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::Jid;

/// Most numbers that are looked up at once.
pub const CHECKED_AT_ONCE: usize = 100;

/// What is asked about an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "action",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum AccountCommand {
    /// Show the account as online or not. The answer is empty.
    ShowPresence {
        /// Whether it is.
        available: bool,
    },
    /// Tell of a person's presence from now on, until the connection ends. The answer is empty.
    FollowPresence {
        /// Who.
        person: Jid,
    },
    /// Say which numbers are on WhatsApp. The answer is a [`Checked`] for each, in their order.
    Check {
        /// Digits of international numbers, at most [`CHECKED_AT_ONCE`].
        phones: Vec<String>,
    },
    /// Give WhatsApp the passkey assertion that it asked for. The answer is empty.
    AnswerPasskey {
        /// A `PublicKeyCredential`, JSON.
        assertion: String,
    },
    /// Say that the phone shows the same code. The answer is empty.
    ConfirmPasskey,
    /// Begin the encryption with a person's devices anew. The answer is [`Renewed`].
    RenewSignal {
        /// Who.
        person: Jid,
    },
}

/// Numbers and assertions are personal data: only the kind is shown.
impl fmt::Debug for AccountCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl AccountCommand {
    /// Its name in log lines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ShowPresence { .. } => "show_presence",
            Self::FollowPresence { .. } => "follow_presence",
            Self::Check { .. } => "check_contacts",
            Self::RenewSignal { .. } => "renew_signal",
            Self::AnswerPasskey { .. } => "answer_passkey",
            Self::ConfirmPasskey => "confirm_passkey",
        }
    }
}

/// Whether a number is on WhatsApp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The number that was asked for.
    pub phone: String,
    /// Whether an account has it.
    pub exists: bool,
    /// The account's address by number. Its digits are others than those asked for where a country
    /// writes numbers in two ways (Brazil, Mexico, Argentina) and the account has the other one.
    pub jid: Option<String>,
    /// The account's address by LID, where WhatsApp told it.
    pub lid: Option<String>,
    /// Whether it is a business account.
    pub business: bool,
}

/// What was renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Renewed {
    /// The devices with which the encryption begins anew.
    pub devices: usize,
}
