//! What becomes of a message that a session knows: it is edited, or taken back.

use serde::{Deserialize, Serialize};

use super::KnownMessage;

/// A change to what a message index knows. Its names are short because an outbox entry keeps it
/// until WhatsApp has taken the operation; `messages/lua/index.lua` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// The WhatsApp id of the message.
    #[serde(rename = "i")]
    pub message: String,
    /// The names of its chat, one or both.
    #[serde(rename = "c")]
    pub chats: Vec<String>,
    /// The names of whoever wrote it, one or both; none = this account.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// Whoever wrote it: an admin of a group takes it back.
    #[serde(rename = "any", default, skip_serializing_if = "std::ops::Not::not")]
    pub whosever: bool,
    /// The beginning of its new text; absent where the message is taken back.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// Whether the excerpt is not the whole of it.
    #[serde(rename = "z", default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Amendment {
    /// The message of this id is taken back by its author.
    #[must_use]
    pub fn revoke(message: &str, chats: Vec<String>, authors: Vec<String>) -> Self {
        Self {
            message: message.to_owned(),
            chats,
            authors,
            whosever: false,
            excerpt: None,
            cut: false,
        }
    }

    /// Its author gives it this text instead.
    #[must_use]
    pub fn edit(message: &str, chats: Vec<String>, authors: Vec<String>, text: &str) -> Self {
        let excerpt = KnownMessage::excerpt_of(text);
        Self {
            cut: excerpt.len() < text.len(),
            excerpt: Some(excerpt.to_owned()),
            ..Self::revoke(message, chats, authors)
        }
    }
}
