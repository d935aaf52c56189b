//! Messages that arrived and could not be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Address;
use crate::clock::Millis;

/// The payload of `message.undecryptable`. The sender is asked to send it again; when it does, or
/// the account's phone hands it over, the message follows under the same `waMessageId`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboundUndecryptablePayload")]
pub struct UndecryptablePayload {
    /// WhatsApp's id of the message.
    pub wa_message_id: String,
    /// The chat.
    pub chat_jid: String,
    /// The chat, by both names.
    pub chat: Address,
    /// Who wrote it.
    pub sender_jid: String,
    /// Who wrote it, by both names.
    pub sender: Address,
    /// Whether another device of our own account wrote it.
    pub from_me: bool,
    /// How the sender calls itself.
    pub push_name: String,
    /// `undecryptable`, or why WhatsApp does not hand it to linked devices: `view_once`, `hosted`, ….
    pub reason: String,
    /// When WhatsApp took it, to the second.
    pub timestamp: Millis,
    /// Whether it waited for the session on WhatsApp's server.
    pub offline: bool,
}
