//! What a session remembers of a message: enough to quote it, to react to it and to vote in it.

use serde::{Deserialize, Serialize};

use super::{Download, PollKey, PollSecret};
use crate::clock::Millis;

/// Most bytes of a message's text that are remembered.
const EXCERPT: usize = 256;

/// A message of a session's index. Its names are short, and what is not there takes no room,
/// because one is kept for every message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMessage {
    /// The chat, as it was named when the message was sent or came in.
    #[serde(rename = "c")]
    pub chat: String,
    /// A direct chat in the other name space (number or LID), where WhatsApp told it.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub chat_alt: Option<String>,
    /// Who wrote it; absent where this account did.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The same person in the other name space, where WhatsApp told it.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub sender_alt: Option<String>,
    /// Whether another device of this account wrote it, and not this session.
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// The kind of message: `text`, `poll`, `image` and so on.
    #[serde(rename = "k")]
    pub kind: String,
    /// When it was accepted by us, or by WhatsApp (ms).
    #[serde(rename = "t")]
    pub time: Millis,
    /// The beginning of its text, caption, question or label.
    #[serde(rename = "x", default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
    /// Whether the excerpt is not the whole of it.
    #[serde(rename = "z", default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Whether it was taken back: nothing else is kept of it then.
    #[serde(rename = "v", default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
    /// What it takes to vote, if it is a poll.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollKey>,
    /// What others encrypt with what they answer to it, if it is an event in a calendar.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<PollSecret>,
    /// How its file is fetched, if it has one, sealed with the keys of `[secrets]`
    /// ([`MediaStore::download_of`](crate::media::MediaStore::download_of) opens it).
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub sealed_download: Option<String>,
    /// The same in the clear, as earlier versions wrote it: it is read, and no more written.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub download: Option<Download>,
    /// The place in the event stream at which it was told as it is now, if it came in or was edited
    /// elsewhere. `inbound.lua` adds it.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The outbox entry of the edit that gave it its text, if this session edited it. `index.lua`
    /// adds it.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<String>,
}

impl KnownMessage {
    /// A message of this session's own that says `text`, which is cut where it is long.
    #[must_use]
    pub fn new(chat: &str, kind: &str, time: Millis, text: &str) -> Self {
        let excerpt = Self::excerpt_of(text);
        Self {
            chat: chat.to_owned(),
            chat_alt: None,
            sender: None,
            sender_alt: None,
            elsewhere: false,
            kind: kind.to_owned(),
            time,
            excerpt: excerpt.to_owned(),
            cut: excerpt.len() < text.len(),
            revoked: false,
            poll: None,
            secret: None,
            sealed_download: None,
            download: None,
            event: None,
            edit: None,
        }
    }

    /// As much of a text as is remembered.
    pub(super) fn excerpt_of(text: &str) -> &str {
        &text[..text.floor_char_boundary(EXCERPT)]
    }

    /// Whether this account wrote it, on whichever device.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.sender.is_none()
    }

    /// Whether this session sent it.
    #[must_use]
    pub fn was_sent_here(&self) -> bool {
        self.is_own() && !self.elsewhere
    }

    /// Whether the chat goes by this name.
    #[must_use]
    pub fn is_in(&self, chat: &str) -> bool {
        self.chat == chat || self.chat_alt.as_deref() == Some(chat)
    }

    /// Whether it was written by the person of this name, who is not this account.
    #[must_use]
    pub fn is_by(&self, sender: &str) -> bool {
        self.sender.as_deref() == Some(sender)
            || (self.sender.is_some() && self.sender_alt.as_deref() == Some(sender))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_takes_no_room() {
        let known = KnownMessage::new("15550000002@s.whatsapp.net", "text", 7, "hi");
        let json = serde_json::to_string(&known).unwrap();
        assert_eq!(
            json,
            r#"{"c":"15550000002@s.whatsapp.net","k":"text","t":7,"x":"hi"}"#
        );
        assert_eq!(serde_json::from_str::<KnownMessage>(&json).unwrap(), known);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let known = KnownMessage::new("1@lid", "text", 7, &"é".repeat(200));
        assert_eq!(known.excerpt, "é".repeat(128));
        assert!(known.cut);
        let known = KnownMessage::new("1@lid", "text", 7, &"€".repeat(100));
        assert_eq!(known.excerpt, "€".repeat(85));
    }

    #[test]
    fn people_and_chats_have_two_names() {
        let mut known = KnownMessage::new("1@lid", "text", 7, "");
        assert!(known.was_sent_here() && !known.is_by("1@lid"));
        known.sender = Some("2@lid".into());
        known.sender_alt = Some("155512345@s.whatsapp.net".into());
        known.chat_alt = Some("155512345@s.whatsapp.net".into());
        assert!(!known.is_own());
        for name in ["2@lid", "155512345@s.whatsapp.net"] {
            assert!(known.is_by(name));
        }
        assert!(known.is_in("1@lid") && known.is_in("155512345@s.whatsapp.net"));
        assert!(!known.is_in("2@lid"));
    }
}
