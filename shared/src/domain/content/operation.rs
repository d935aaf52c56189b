//! What operations are about: other messages.

use serde::{Deserialize, Serialize};

use super::{Poll, PollSecret};

/// The message that an operation is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its WhatsApp id.
    pub id: String,
    /// Who wrote it, as WhatsApp told; absent where this account did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

impl Target {
    /// Whether this account wrote it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.sender.is_none()
    }
}

/// What it takes to vote in a poll and to read its votes. Short names: the message index keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollKey {
    /// The texts of the options. A vote names them by their hashes.
    #[serde(rename = "o")]
    pub options: Vec<String>,
    /// How many may be chosen; 0 = any number.
    #[serde(rename = "n", default)]
    pub selectable_count: u32,
    /// What votes are encrypted with.
    #[serde(rename = "k")]
    pub secret: PollSecret,
}

impl PollKey {
    /// Most bytes that the options of a poll may have together to be remembered: those of one
    /// made here have at most 12 × 1,024 characters.
    const MOST: usize = 12 * 1_024 * 4;

    /// What is remembered of a poll; nothing where it has no secret, or more options than any
    /// client makes.
    #[must_use]
    pub fn of(poll: &Poll) -> Option<Self> {
        let bytes: usize = poll.options.iter().map(String::len).sum();
        let secret = poll.secret.clone()?;
        (bytes <= Self::MOST).then(|| Self {
            options: poll.options.clone(),
            selectable_count: poll.selectable_count,
            secret,
        })
    }
}
