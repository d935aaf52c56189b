//! What a message says, as the admin API tells it.

use serde_json::{Map, Value, json};
use wacore::proto_helpers::MessageExt as _;
use waproto::whatsapp::message::PollCreationMessage;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::{ContextInfo, Message, MessageKey};

use super::media;

/// The type, the content and the context of a message.
pub(super) struct Content {
    pub(super) kind: &'static str,
    pub(super) content: Value,
    pub(super) context: Option<Value>,
    /// After how many seconds it disappears; nothing where such a message does not say.
    pub(super) disappears: Option<u32>,
    pub(super) effect: Option<Effect>,
}

/// What a message does to an earlier one of its chat, named by its id.
#[derive(Debug, Clone)]
pub(super) struct Effect {
    pub(super) target: String,
    pub(super) change: Change,
}

/// The kinds of effect.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// The author's one reaction; an empty one takes it back.
    Reaction(String),
    /// The new words, with their type.
    Edit(Value),
    Revoke,
    /// The voter's complete choice.
    Vote(Vec<String>),
}

/// Reads a message. What is not known is told by its type `unknown`. A vote is
/// encrypted once more: the phone opens it by itself.
pub(super) fn read(whole: &Message) -> Content {
    let message = whole.get_base_message();
    let info = context_info(message);
    let context = info.and_then(context);
    let expiration = info.and_then(|info| info.expiration);
    let (kind, content) = match media::attached(whole) {
        Some(file) => (file.kind, file.content.into()),
        None => body(message),
    };
    Content {
        kind,
        effect: effect(message, &content),
        content,
        context,
        disappears: expiration.or_else(|| carries_timer(message).then_some(0)),
    }
}

/// After how many seconds the messages of a chat are to disappear, if the message sets that.
pub(super) fn timer(message: &Message) -> Option<u32> {
    let protocol = message.get_base_message().protocol_message.as_option()?;
    let sets = protocol.r#type == Some(ProtocolType::EPHEMERAL_SETTING);
    sets.then(|| protocol.ephemeral_expiration.unwrap_or_default())
}

/// Whether such a message says when it disappears in a chat where they do.
pub(super) fn carries_timer(message: &Message) -> bool {
    let not = message.protocol_message.is_set()
        || message.reaction_message.is_set()
        || message.poll_update_message.is_set();
    let kind = match media::attached(message) {
        Some(_) => return true,
        None => body(message.get_base_message()).0,
    };
    !not && matches!(kind, "text" | "location" | "contact" | "contacts" | "poll")
}

/// The poll that a message creates.
pub(super) fn poll(message: &Message) -> Option<&PollCreationMessage> {
    [
        &message.poll_creation_message,
        &message.poll_creation_message_v2,
        &message.poll_creation_message_v3,
        &message.poll_creation_message_v5,
    ]
    .into_iter()
    .find_map(|poll| poll.as_option())
}

/// The names of the options of a poll.
pub(super) fn options(poll: &PollCreationMessage) -> Vec<String> {
    let names = poll
        .options
        .iter()
        .map(|option| option.option_name.clone().unwrap_or_default());
    names.collect()
}

fn effect(message: &Message, content: &Value) -> Option<Effect> {
    let of = |key: &MessageKey, change| {
        Some(Effect {
            target: key.id.clone()?,
            change,
        })
    };
    if let Some(reaction) = message.reaction_message.as_option() {
        let emoji = reaction.text.clone().unwrap_or_default();
        return of(reaction.key.as_option()?, Change::Reaction(emoji));
    }
    let protocol = message.protocol_message.as_option()?;
    let change = match protocol.r#type {
        Some(ProtocolType::MESSAGE_EDIT) => {
            let mut edited = json!({ "type": content["type"], "content": content["content"] });
            if let Some(context) = content.get("context") {
                edited["context"] = context.clone();
            }
            Change::Edit(edited)
        }
        Some(ProtocolType::REVOKE) => Change::Revoke,
        _ => return None,
    };
    of(protocol.key.as_option()?, change)
}

fn body(message: &Message) -> (&'static str, Value) {
    if let Some(text) = text(message) {
        return ("text", text.into());
    }
    if let Some(file) = media::attached(message) {
        return (file.kind, file.content.into());
    }
    if let Some(reaction) = message.reaction_message.as_option() {
        let mut content = about(reaction.key.as_option());
        content.insert("emoji".to_owned(), json!(reaction.text));
        return ("reaction", content.into());
    }
    if let Some(protocol) = message.protocol_message.as_option() {
        let mut content = about(protocol.key.as_option());
        return match protocol.r#type {
            Some(ProtocolType::MESSAGE_EDIT) => {
                let edited = protocol.edited_message.as_option();
                let edited = edited.map(|edited| edited.get_base_message());
                let context = edited.and_then(context_info).and_then(context);
                let (kind, words) = edited.map_or(("unknown", Value::Null), body);
                if let Some(context) = context {
                    content.insert("context".to_owned(), context);
                }
                content.insert("type".to_owned(), kind.into());
                content.insert("content".to_owned(), words);
                ("edit", content.into())
            }
            Some(ProtocolType::REVOKE) => ("revoke", content.into()),
            _ => ("protocol", content.into()),
        };
    }
    if let Some(location) = message.location_message.as_option() {
        let content = json!({
            "latitude": location.degrees_latitude,
            "longitude": location.degrees_longitude,
            "name": location.name,
            "address": location.address,
        });
        return ("location", content);
    }
    if let Some(contact) = message.contact_message.as_option() {
        return (
            "contact",
            json!({ "name": contact.display_name, "vcard": contact.vcard }),
        );
    }
    if let Some(contacts) = message.contacts_array_message.as_option() {
        let list = contacts
            .contacts
            .iter()
            .map(|contact| json!({ "name": contact.display_name, "vcard": contact.vcard }));
        let list: Vec<Value> = list.collect();
        return (
            "contacts",
            json!({ "name": contacts.display_name, "contacts": list }),
        );
    }
    if let Some(poll) = poll(message) {
        let content = json!({
            "name": poll.name,
            "options": options(poll),
            "selectableCount": poll.selectable_options_count.unwrap_or_default(),
        });
        return ("poll", content);
    }
    if let Some(album) = message.album_message.as_option() {
        let content = json!({
            "images": album.expected_image_count.unwrap_or_default(),
            "videos": album.expected_video_count.unwrap_or_default(),
        });
        return ("album", content);
    }
    if let Some(vote) = message.poll_update_message.as_option() {
        let content = about(vote.poll_creation_message_key.as_option());
        return ("vote", content.into());
    }
    ("unknown", Value::Null)
}

/// The text of a text message.
fn text(message: &Message) -> Option<&str> {
    message.conversation.as_deref().or_else(|| {
        let extended = message.extended_text_message.as_option()?;
        extended.text.as_deref()
    })
}

/// The message that another one is about: its id, and the whole key as it came.
fn about(key: Option<&MessageKey>) -> Map<String, Value> {
    let mut content = Map::new();
    content.insert(
        "target".to_owned(),
        json!(key.and_then(|key| key.id.as_deref())),
    );
    let key = key.map_or(Value::Null, |key| {
        json!({
            "id": key.id,
            "fromMe": key.from_me.unwrap_or_default(),
            "chat": key.remote_jid,
            "participant": key.participant,
        })
    });
    content.insert("key".to_owned(), key);
    content
}

fn context_info(message: &Message) -> Option<&ContextInfo> {
    let text = message.extended_text_message.as_option();
    let location = message.location_message.as_option();
    let contact = message.contact_message.as_option();
    let contacts = message.contacts_array_message.as_option();
    let video = message.video_message.as_option();
    let video = video.or_else(|| message.ptv_message.as_option());
    [
        message
            .image_message
            .as_option()
            .map(|image| &image.context_info),
        video.map(|video| &video.context_info),
        message
            .audio_message
            .as_option()
            .map(|audio| &audio.context_info),
        message
            .document_message
            .as_option()
            .map(|document| &document.context_info),
        message
            .sticker_message
            .as_option()
            .map(|sticker| &sticker.context_info),
        text.map(|text| &text.context_info),
        location.map(|location| &location.context_info),
        contact.map(|contact| &contact.context_info),
        contacts.map(|contacts| &contacts.context_info),
        poll(message).map(|poll| &poll.context_info),
    ]
    .into_iter()
    .flatten()
    .find_map(|info| info.as_option())
}

/// What a message quotes and whom it mentions; none when it does neither.
fn context(info: &ContextInfo) -> Option<Value> {
    let mut context = Map::new();
    if let Some(id) = &info.stanza_id {
        let mut quoted = Map::new();
        quoted.insert("id".to_owned(), json!(id));
        quoted.insert("participant".to_owned(), json!(info.participant));
        if let Some(chat) = &info.remote_jid {
            quoted.insert("remoteJid".to_owned(), json!(chat));
        }
        if let Some(message) = info.quoted_message.as_option() {
            let (kind, content) = body(message.get_base_message());
            quoted.insert("type".to_owned(), json!(kind));
            quoted.insert("content".to_owned(), content);
        }
        context.insert("quoted".to_owned(), Value::Object(quoted));
    }
    if !info.mentioned_jid.is_empty() {
        context.insert("mentions".to_owned(), json!(info.mentioned_jid));
    }
    if info.is_forwarded == Some(true) {
        context.insert("forwarded".to_owned(), json!(true));
    }
    (!context.is_empty()).then_some(Value::Object(context))
}
