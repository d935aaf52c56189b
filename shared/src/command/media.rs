//! Commands about files.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::HexBytes;

/// Something about the file of a message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "action",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum MediaCommand {
    /// Ask the phone of whoever sent a message to upload its file again. The answer is
    /// `{"directPath": "/…"}`; the error `media_gone` says that it does not have it any more, or does
    /// not answer.
    UploadAgain {
        /// The message's id.
        message: String,
        /// The chat it is in.
        chat: String,
        /// Who sent it; this account where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<String>,
        /// What the file is encrypted with.
        media_key: HexBytes,
    },
}

impl MediaCommand {
    /// Its name in log lines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::UploadAgain { .. } => "media_upload_again",
        }
    }
}

/// Keys and addresses are nobody's business: only the kind is shown.
impl fmt::Debug for MediaCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
