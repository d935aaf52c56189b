//! Polls and the votes in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Millis;

/// A question with options. `text` is the question as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundPoll")]
pub struct Poll {
    /// The question.
    pub name: String,
    /// The options.
    pub options: Vec<String>,
    /// How many of them one voter may choose; 0 = any number.
    pub selectable_count: u32,
    /// Whether it is a quiz.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quiz: bool,
    /// The right option of a quiz, where WhatsApp says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct_answer: Option<String>,
    /// When voting ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Millis>,
    /// Whether voters are not shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
    /// Whether voters may add options.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// A vote in the target, a poll: the voter's whole choice, which replaces the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundPollVote")]
pub struct PollVote {
    /// The texts of the options; empty = the vote is taken back; null = it could not be decrypted,
    /// because the poll is not known here.
    pub options: Option<Vec<String>>,
    /// How the poll stands with this vote, as far as votes were seen by this session.
    #[serde(default)]
    pub results: Option<PollResults>,
    /// How it stood before.
    #[serde(default)]
    pub before: Option<PollResults>,
}

/// How a poll stands. As a message (`poll_result`) it is what the author shared of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundPollResults")]
pub struct PollResults {
    /// How many votes were cast for all options together.
    pub total: u64,
    /// The options in their order.
    pub options: Vec<OptionResult>,
}

/// How an option stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InboundOptionResult")]
pub struct OptionResult {
    /// Its text.
    pub name: String,
    /// How many voted for it.
    pub count: u64,
    /// The JIDs of those who did, where they are known.
    #[serde(default)]
    pub voters: Vec<String>,
}

/// What WhatsApp names an option by: the SHA-256 of its text, base64.
#[must_use]
pub fn option_id(name: &str) -> String {
    STANDARD.encode(Sha256::digest(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_the_id_that_whatsapp_gives_it() {
        let id = "PkUcpv6T9mfhcvvYv+/AvR2Viu/lslMGqNBgQA0bDqE=";
        assert_eq!(option_id("Point 2"), id);
    }
}
