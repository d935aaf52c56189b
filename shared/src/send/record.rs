//! The record of a send.

use serde::{Deserialize, Serialize};

use super::Mode;
use crate::clock::Millis;
use crate::domain::{Jid, SessionId};

/// What never changes of an accepted send, as it is kept in Redis: acceptance stores it whole, and
/// scripts read it by these names. They are short, because one is kept for every send. What changes
/// stands beside it (see `lane/lua/entry.lua`), and so does its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRecord {
    /// The session that sends.
    #[serde(rename = "s")]
    pub session: SessionId,
    /// The chat.
    #[serde(rename = "c")]
    pub chat: Jid,
    /// The WhatsApp message id that every attempt carries.
    #[serde(rename = "w")]
    pub wa_message_id: String,
    /// Whether somebody waits for it.
    #[serde(rename = "m")]
    pub mode: Mode,
    /// The ids of the messages that follow the first one: an album's pictures and films. Receipts of
    /// the last one tell of the whole send, and each costs the budget what a message costs.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// The kind of its content.
    #[serde(rename = "k")]
    pub kind: String,
    /// The id of the request that asked for it.
    #[serde(rename = "r")]
    pub request_id: String,
    /// Not before this moment; absent = at once.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub send_at: Option<Millis>,
    /// The number that sends it: the one that was paired when it was accepted, which `accept.lua`
    /// knows, as it does the two below. Absent before that, and in entries of schema 1.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its number among the sends of the session.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// When it fails if it still waits; a retry gives it another one, which is kept beside it.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_know_it_by_these_names() {
        let record = SendRecord {
            session: SessionId::generate(1),
            chat: "1555000@g.us".parse().unwrap(),
            wa_message_id: "3EB0".to_owned(),
            mode: Mode::Async,
            parts: Vec::new(),
            kind: "text".to_owned(),
            request_id: "req-1".to_owned(),
            send_at: None,
            account: None,
            number: None,
            expires_at: None,
        };
        let json = serde_json::to_value(&record).unwrap();
        let session = record.session.as_str();
        assert_eq!(
            json,
            serde_json::json!({"s": session, "c": "1555000@g.us", "w": "3EB0", "m": "async",
                "k": "text", "r": "req-1"})
        );
        assert_eq!(serde_json::from_value::<SendRecord>(json).unwrap(), record);
    }
}
