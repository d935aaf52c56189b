//! What all inbound messages have.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Content, LinkPreview, Parent, Quoted, Source, Target};
use crate::clock::Millis;

/// The payload of `message`, `message.from_me`, `message.reaction`, `message.edited`,
/// `message.revoked`, `poll.vote` and `status.post`: what all types of messages have.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagePayload {
    /// WhatsApp's id of it, unique per chat and sender.
    pub wa_message_id: String,
    /// The chat, as `chat.jid`.
    pub chat_jid: String,
    /// The chat, by both names of a person.
    pub chat: Address,
    /// Who wrote it, as `sender.jid`.
    pub sender_jid: String,
    /// Who wrote it, by both names.
    pub sender: Address,
    /// Whether another device of our own account wrote it.
    pub from_me: bool,
    /// How the sender calls itself; empty where WhatsApp did not tell.
    pub push_name: String,
    /// The name of a business that WhatsApp verified.
    pub verified_name: Option<String>,
    /// What it is; what it holds besides its text stands under this name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its text, caption, question or name, whichever its type has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the sender's WhatsApp showed of a link in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<LinkPreview>,
    /// What it is about, of a message that is about another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The id of that message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_message_id: Option<String>,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<Quoted>,
    /// The people it mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Address>,
    /// Whether it was forwarded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forwarded: bool,
    /// How often; 127 = very often.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forwarding_score: u32,
    /// How long after it was sent it disappears, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_seconds: Option<u32>,
    /// When it disappears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// Whether it may be looked at once.
    #[serde(default)]
    pub view_once: bool,
    /// What it was wrapped in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// The message that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The device it was written on.
    pub source: Source,
    /// The number of a channel's post in its channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<u64>,
    /// When WhatsApp took it, to the second.
    pub timestamp: Millis,
    /// Whether it waited for the session on WhatsApp's server, or was fetched late.
    pub offline: bool,
    /// What it holds besides its text.
    #[serde(flatten)]
    #[schemars(skip)]
    pub content: Option<Content>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Bodies and people do not show in logs.
impl fmt::Debug for MessagePayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessagePayload")
            .field("id", &self.wa_message_id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What a message was wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "MessageFlag")]
pub enum Flag {
    /// It may be looked at once.
    ViewOnce,
    /// It disappears.
    Ephemeral,
    /// A copy of what another device of our account sent.
    DeviceSent,
    /// It replaces an earlier one.
    Edited,
    /// It belongs to another message.
    AssociatedChild,
    /// A document with a caption.
    DocumentWithCaption,
    /// The group was mentioned in a status post.
    GroupMentioned,
    /// The person was mentioned in a status post.
    StatusMention,
    /// A post to the status of a group.
    GroupStatus,
    /// A question that people may answer.
    Question,
    /// An answer to a question.
    QuestionReply,
    /// It is to be covered until somebody looks.
    Spoiler,
    /// The picture of an event.
    EventCover,
    /// The picture of an option of a poll.
    PollOptionImage,
    /// Meant for, or done by, an assistant.
    Bot,
    /// An animated sticker.
    Lottie,
    /// A status that invites others to add theirs.
    AddYours,
    /// It changes who may share what is said in the chat.
    LimitSharing,
    /// A channel's admin shows their profile.
    ChannelAdminProfile,
    /// It was hidden by its author until something happens.
    ConditionalReveal,
    /// A placeholder that the account's phone handed over later.
    Recovered,
}

#[cfg(test)]
mod tests {
    use super::super::{Poll, Reaction};
    use super::*;

    #[test]
    fn what_it_holds_stands_under_its_type_and_is_read_again() {
        let payload = MessagePayload {
            wa_message_id: "A".into(),
            kind: "poll".into(),
            text: Some("?".into()),
            content: Some(Content::Poll(Poll {
                name: "?".into(),
                options: vec!["a".into(), "b".into()],
                ..Poll::default()
            })),
            ..MessagePayload::default()
        };
        let json = serde_json::to_value(&payload).unwrap();
        assert_eq!(json["poll"]["options"][1], "b");
        assert_eq!(json["chat"]["pn"], serde_json::Value::Null);
        assert_eq!(
            serde_json::from_value::<MessagePayload>(json).unwrap(),
            payload
        );
    }

    #[test]
    fn a_text_holds_nothing_else() {
        let payload = MessagePayload {
            kind: "text".into(),
            text: Some("hi".into()),
            ..MessagePayload::default()
        };
        let json = serde_json::to_string(&payload).unwrap();
        assert_eq!(
            serde_json::from_str::<MessagePayload>(&json).unwrap(),
            payload
        );
        let reaction = r#"{"waMessageId":"A","chatJid":"","chat":{"jid":""},"senderJid":"",
            "sender":{"jid":""},"fromMe":false,"pushName":"","verifiedName":null,"type":"reaction",
            "source":{"device":0,"platform":"ios"},"timestamp":7,"offline":false,
            "reaction":{"emoji":null}}"#;
        let payload: MessagePayload = serde_json::from_str(reaction).unwrap();
        let content = Content::Reaction(Reaction { emoji: None });
        assert_eq!(payload.content, Some(content));
    }
}
