//! All the other kinds of messages that a person can be asked to write: whatever WhatsApp's clients
//! can, built from the protocol's own types.

mod business;
mod files;
mod interactive;
mod social;

use buffa::{Message as _, MessageField};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use wacore::proto_helpers::MessageExt as _;
use waproto::whatsapp::message::FutureProofMessage;
use waproto::whatsapp::message_association::AssociationType;
use waproto::whatsapp::{Message, MessageAssociation, MessageContextInfo};

use super::wanted::Writer;

/// What can be said of any of these messages.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Manner {
    /// The id of a message that the person has seen.
    reply_to: Option<String>,
    /// JIDs.
    mentions: Vec<String>,
    /// How often it was forwarded.
    forwarded: u32,
    /// After how many seconds it disappears.
    expires: u32,
    /// Whether it carries a secret, with which others may encrypt what they do to it.
    secret: bool,
    /// The fields it is wrapped in, from inside out, as the protocol names them.
    wrappers: Vec<String>,
    /// The message it belongs to, an album.
    parent: Option<String>,
}

/// A message of one of these kinds, if `type` is one of them.
pub(super) fn draft(
    writer: &Writer<'_>,
    wanted: &Map<String, Value>,
) -> Option<Result<Message, String>> {
    let kind = wanted.get("type")?.as_str()?;
    let wanted = Value::Object(wanted.clone());
    let built = match kind {
        "words" | "link" | "raw" => plain(kind, &wanted),
        kind if files::KINDS.contains(&kind) => files::build(kind, &wanted),
        kind if interactive::KINDS.contains(&kind) => interactive::build(&wanted),
        kind if business::KINDS.contains(&kind) => business::build(&wanted),
        kind if social::KINDS.contains(&kind) => social::build(writer, &wanted),
        _ => return None,
    };
    Some(built.and_then(|message| {
        let manner: Manner = read(&wanted)?;
        manner.apply(writer, message)
    }))
}

fn read<T: serde::de::DeserializeOwned>(wanted: &Value) -> Result<T, String> {
    serde_json::from_value(wanted.clone()).map_err(|error| error.to_string())
}

#[derive(Debug, Deserialize)]
struct Words {
    #[serde(default)]
    text: String,
    url: Option<String>,
    title: Option<String>,
    description: Option<String>,
    /// A whole protobuf message, hexadecimal.
    #[serde(default)]
    hex: String,
}

fn plain(kind: &str, wanted: &Value) -> Result<Message, String> {
    let words: Words = read(wanted)?;
    if kind == "raw" {
        let bytes = hex::decode(&words.hex).map_err(|error| error.to_string())?;
        return Message::decode_from_slice(&bytes).map_err(|error| error.to_string());
    }
    let text = waproto::whatsapp::message::ExtendedTextMessage {
        text: Some(words.text),
        matched_text: words.url,
        title: words.title,
        description: words.description,
        ..Default::default()
    };
    Ok(Message {
        extended_text_message: MessageField::some(text),
        ..Default::default()
    })
}

impl Manner {
    fn apply(self, writer: &Writer<'_>, mut message: Message) -> Result<Message, String> {
        let asked = self.reply_to.is_some()
            || !self.mentions.is_empty()
            || self.forwarded > 0
            || self.expires > 0;
        if asked {
            let mut context = match &self.reply_to {
                Some(id) => writer.quote(&writer.seen(id)?)?,
                None => Default::default(),
            };
            context.mentioned_jid = self.mentions;
            if self.forwarded > 0 {
                context.is_forwarded = Some(true);
                context.forwarding_score = Some(self.forwarded);
            }
            context.expiration = (self.expires > 0).then_some(self.expires);
            if !message.set_context_info(context) {
                return Err("a message of this type has no context".to_owned());
            }
        }
        let mut about = message
            .message_context_info
            .as_option()
            .cloned()
            .unwrap_or_default();
        if self.secret {
            about.message_secret = Some(secret());
        }
        if let Some(parent) = &self.parent {
            about.message_association = MessageField::some(MessageAssociation {
                association_type: Some(AssociationType::MEDIA_ALBUM),
                parent_message_key: MessageField::some(writer.key(&writer.seen(parent)?)?),
                ..Default::default()
            });
        }
        for wrapper in &self.wrappers {
            message = wrap(message, wrapper)?;
        }
        if about != MessageContextInfo::default() {
            message.message_context_info = MessageField::some(about);
        }
        Ok(message)
    }
}

/// A secret for what others encrypt about a message.
fn secret() -> Vec<u8> {
    let secret: [u8; 32] = rand::rng().random();
    secret.to_vec()
}

fn wrap(message: Message, wrapper: &str) -> Result<Message, String> {
    let mut outer = Message::default();
    let field = match wrapper {
        "viewOnceMessage" => &mut outer.view_once_message,
        "viewOnceMessageV2" => &mut outer.view_once_message_v2,
        "viewOnceMessageV2Extension" => &mut outer.view_once_message_v2_extension,
        "ephemeralMessage" => &mut outer.ephemeral_message,
        "documentWithCaptionMessage" => &mut outer.document_with_caption_message,
        "editedMessage" => &mut outer.edited_message,
        "associatedChildMessage" => &mut outer.associated_child_message,
        "groupMentionedMessage" => &mut outer.group_mentioned_message,
        "botInvokeMessage" => &mut outer.bot_invoke_message,
        "lottieStickerMessage" => &mut outer.lottie_sticker_message,
        "spoilerMessage" => &mut outer.spoiler_message,
        "questionMessage" => &mut outer.question_message,
        "groupStatusMessage" => &mut outer.group_status_message,
        "pollCreationMessageV4" => &mut outer.poll_creation_message_v4,
        other => return Err(format!("{other} is no wrapper")),
    };
    *field = MessageField::some(FutureProofMessage {
        message: MessageField::some(message),
    });
    Ok(outer)
}
