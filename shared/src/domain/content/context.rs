//! What a message says about other messages and people.

use serde::{Deserialize, Serialize};

use super::super::{Jid, KnownMessage};

/// What a message says about other messages and people.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageContext {
    /// The WhatsApp id of the message that is quoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The people mentioned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Jid>,
    /// How often the message was forwarded, this time included; 0 = it is none that was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forwarded: u32,
    /// What the session knew of the quoted message when this one was accepted. `accept.lua` adds
    /// it, so that every attempt quotes the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<Box<KnownMessage>>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
