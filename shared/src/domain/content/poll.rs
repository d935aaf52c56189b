//! Polls, and the secret that keeps their votes private.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A question with options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Poll {
    /// The question.
    pub name: String,
    /// 2 to 12 different texts.
    pub options: Vec<String>,
    /// How many of them one voter may choose; 0 = any number.
    pub selectable_count: u32,
    /// What its votes are encrypted with; chosen when the poll is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<PollSecret>,
}

/// The 32 bytes that the votes of one poll are encrypted with, as hex. Whoever has them can read
/// the votes: they do not show in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PollSecret(String);

/// A text that is no secret of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 32 bytes as hexadecimal digits")]
pub struct InvalidSecret;

impl PollSecret {
    /// A new secret.
    #[must_use]
    pub fn random() -> Self {
        Self(hex::encode(rand::random::<[u8; 32]>()))
    }

    /// The secret that a message carries; `None` where it has not 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == 32).then(|| Self(hex::encode(bytes)))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // It has been made from bytes or checked: there is nothing else in it.
        hex::decode(&self.0).unwrap_or_default()
    }
}

impl TryFrom<String> for PollSecret {
    type Error = InvalidSecret;

    fn try_from(text: String) -> Result<Self, InvalidSecret> {
        let bytes = hex::decode(&text).map_err(|_| InvalidSecret)?;
        Self::from_bytes(&bytes).ok_or(InvalidSecret)
    }
}

impl From<PollSecret> for String {
    fn from(secret: PollSecret) -> String {
        secret.0
    }
}

impl fmt::Debug for PollSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PollSecret(…)")
    }
}
