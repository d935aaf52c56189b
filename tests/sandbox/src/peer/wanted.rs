//! What a person can be asked to write.

use std::sync::Arc;

use buffa::{Message as _, MessageField};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use wacore::proto_helpers::{MessageExt as _, build_quote_context, build_reaction_message};
use wacore_binary::Jid;
use waproto::whatsapp::message::poll_creation_message::Option as PollOption;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::message::{
    ContactMessage, LocationMessage, PollCreationMessage, ProtocolMessage,
};
use waproto::whatsapp::message_association::AssociationType;
use waproto::whatsapp::{ContextInfo, Message, MessageAssociation, MessageContextInfo, MessageKey};

use super::chat::Chat;
use super::content;
use super::kinds;
use super::media::{self, FileKind, WantedFile};
use super::messages::{Direction, Shown};
use super::send::Draft;
use super::vote::Poll;
use crate::accounts::Account;
use crate::clock;
use crate::world::World;

/// A message by its type.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
enum Wanted {
    /// Words.
    Text {
        text: String,
        /// The id of a message that the person has seen.
        reply_to: Option<String>,
        /// JIDs.
        #[serde(default)]
        mentions: Vec<String>,
    },
    /// A question with answers to choose from.
    Poll {
        name: String,
        options: Vec<String>,
        /// How many may be chosen: 1 when left out, 0 for any number.
        selectable_count: Option<u32>,
        reply_to: Option<String>,
    },
    /// A choice in a poll, complete; none takes it back.
    Vote {
        /// The id of the poll.
        target: String,
        /// The texts of the options.
        options: Vec<String>,
    },
    /// A place.
    Location {
        latitude: f64,
        longitude: f64,
        name: Option<String>,
        address: Option<String>,
        reply_to: Option<String>,
    },
    /// Somebody's card: as it is, or made from a name and a phone number.
    Contact {
        name: String,
        phone: Option<String>,
        vcard: Option<String>,
        reply_to: Option<String>,
    },
    /// A picture.
    Image(WantedFile),
    /// A film.
    Video(WantedFile),
    /// A film that is played without sound and without end.
    Gif(WantedFile),
    /// A round film note.
    Ptv(WantedFile),
    /// Sound.
    Audio(WantedFile),
    /// A spoken note.
    Voice(WantedFile),
    /// Any file.
    Document(WantedFile),
    /// A sticker.
    Sticker(WantedFile),
    /// An emoji at a message; an empty one takes it back.
    Reaction { target: String, emoji: String },
    /// Other words for an own message.
    Edit { target: String, text: String },
    /// A message is taken back for everyone.
    Revoke { target: String },
}

/// The message to send, or what is wrong with what is wanted: a JSON object with its `type`.
pub(crate) fn draft(
    wanted: Map<String, Value>,
    world: &World,
    sender: &Account,
    chat: &Chat,
    id: Option<String>,
) -> Result<Draft, String> {
    let writer = Writer {
        world,
        sender,
        chat,
    };
    // With its content, a file is really uploaded; without, only a message about one is made up.
    let made_up = if wanted.contains_key("data") {
        None
    } else {
        kinds::draft(&writer, &wanted)
    };
    let mut draft = match made_up {
        Some(message) => Draft {
            message: message?,
            id,
        },
        None => serde_json::from_value::<Wanted>(Value::Object(wanted))
            .map_err(|error| error.to_string())?
            .draft(world, sender, chat, id)?,
    };
    let seconds = match chat {
        Chat::Group(group) => group.timer(),
        Chat::Person(_) => sender.phone.timer(&chat.name()),
    };
    if seconds > 0 && content::carries_timer(&draft.message) {
        draft.message.set_ephemeral_expiration(seconds);
    }
    Ok(draft)
}

impl Wanted {
    /// The message to send, or what is wrong with it.
    fn draft(
        self,
        world: &World,
        sender: &Account,
        chat: &Chat,
        id: Option<String>,
    ) -> Result<Draft, String> {
        let writer = Writer {
            world,
            sender,
            chat,
        };
        let message = match self {
            Self::Text {
                text,
                reply_to,
                mentions,
            } => writer.text(text, reply_to, mentions)?,
            Self::Poll {
                name,
                options,
                selectable_count,
                reply_to,
            } => {
                let poll = poll(name, options, selectable_count.unwrap_or(1));
                writer.in_reply(poll, reply_to)?
            }
            Self::Vote { target, options } => writer.vote(&target, &options)?,
            Self::Location {
                latitude,
                longitude,
                name,
                address,
                reply_to,
            } => {
                let location = LocationMessage {
                    degrees_latitude: Some(latitude),
                    degrees_longitude: Some(longitude),
                    name,
                    address,
                    ..Default::default()
                };
                let message = Message {
                    location_message: MessageField::some(location),
                    ..Default::default()
                };
                writer.in_reply(message, reply_to)?
            }
            Self::Contact {
                name,
                phone,
                vcard,
                reply_to,
            } => writer.in_reply(contact(name, phone, vcard)?, reply_to)?,
            Self::Image(file) => writer.file(FileKind::Image, file)?,
            Self::Video(file) => writer.file(FileKind::Video, file)?,
            Self::Gif(file) => writer.file(FileKind::Gif, file)?,
            Self::Ptv(file) => writer.file(FileKind::Ptv, file)?,
            Self::Audio(file) => writer.file(FileKind::Audio, file)?,
            Self::Voice(file) => writer.file(FileKind::Voice, file)?,
            Self::Document(file) => writer.file(FileKind::Document, file)?,
            Self::Sticker(file) => writer.file(FileKind::Sticker, file)?,
            Self::Reaction { target, emoji } => {
                let key = writer.key(&writer.seen(&target)?)?;
                build_reaction_message(key, emoji, now())
            }
            Self::Edit { target, text } => {
                let shown = writer.seen(&target)?;
                if shown.direction != Direction::Sent {
                    return Err(format!("the message {target} is somebody else's"));
                }
                let protocol = ProtocolMessage {
                    key: MessageField::some(writer.key(&shown)?),
                    r#type: Some(ProtocolType::MESSAGE_EDIT),
                    edited_message: MessageField::some(plain(text)),
                    timestamp_ms: Some(now()),
                    ..Default::default()
                };
                wrap(protocol)
            }
            Self::Revoke { target } => wrap(ProtocolMessage {
                key: MessageField::some(writer.key(&writer.seen(&target)?)?),
                r#type: Some(ProtocolType::REVOKE),
                ..Default::default()
            }),
        };
        Ok(Draft { message, id })
    }
}

/// A person at work in a chat.
pub(super) struct Writer<'a> {
    world: &'a World,
    sender: &'a Account,
    chat: &'a Chat,
}

impl Writer<'_> {
    fn text(
        &self,
        text: String,
        reply_to: Option<String>,
        mentions: Vec<String>,
    ) -> Result<Message, String> {
        if text.is_empty() {
            return Err("the text is empty".to_owned());
        }
        let mut message = self.in_reply(plain(text), reply_to)?;
        if !mentions.is_empty() {
            let extended = message.extended_text_message.as_option();
            let context = extended.and_then(|text| text.context_info.as_option());
            let mut context = context.cloned().unwrap_or_default();
            context.mentioned_jid = mentions;
            message.set_context_info(context);
        }
        Ok(message)
    }

    fn file(&self, kind: FileKind, mut file: WantedFile) -> Result<Message, String> {
        let (reply_to, parent) = (file.reply_to.take(), file.parent.take());
        let mut message = self.in_reply(media::message(self.world, kind, file)?, reply_to)?;
        if let Some(parent) = parent {
            let association = MessageAssociation {
                association_type: Some(AssociationType::MEDIA_ALBUM),
                parent_message_key: MessageField::some(self.key(&self.seen(&parent)?)?),
                ..Default::default()
            };
            message.message_context_info = MessageField::some(MessageContextInfo {
                message_association: MessageField::some(association),
                ..Default::default()
            });
        }
        Ok(message)
    }

    /// The message, quoting another one if it answers one.
    fn in_reply(&self, mut message: Message, reply_to: Option<String>) -> Result<Message, String> {
        if let Some(id) = reply_to {
            message.set_context_info(self.quote(&self.seen(&id)?)?);
        }
        Ok(message)
    }

    pub(super) fn quote(&self, shown: &Shown) -> Result<ContextInfo, String> {
        let author = self.author(shown)?.jid(self.chat.namespace()).to_string();
        let quoted = Message::decode_from_slice(&shown.raw).map_err(|error| error.to_string())?;
        Ok(build_quote_context(&*shown.id, author, &quoted))
    }

    fn vote(&self, target: &str, chosen: &[String]) -> Result<Message, String> {
        let shown = self.seen(target)?;
        let creator = self.author(&shown)?;
        let key = self.key(&shown)?;
        let poll = Poll::read(&shown).map_err(|error| error.to_string())?;
        poll.vote(&creator, self.sender, self.chat.namespace(), key, chosen)
            .map_err(|error| error.to_string())
    }

    /// A message of this chat on the person's phone.
    pub(super) fn seen(&self, id: &str) -> Result<Shown, String> {
        let mut messages = self.sender.phone.shown();
        let shown = messages.find_in(&self.chat.name(), id).cloned();
        shown.ok_or_else(|| format!("the person has no message with the id {id} in this chat"))
    }

    fn author(&self, shown: &Shown) -> Result<Arc<Account>, String> {
        let author = shown.from.parse::<Jid>().ok();
        let author = author.and_then(|author| self.world.accounts.resolve(&author));
        author.ok_or_else(|| format!("the author of {} is not known", shown.id))
    }

    /// The JID of the author of a message, as people are named in this chat.
    pub(super) fn name_of_author(&self, shown: &Shown) -> Result<String, String> {
        Ok(self.author(shown)?.jid(self.chat.namespace()).to_string())
    }

    /// The JID of the person, as people are named in this chat.
    pub(super) fn own_name(&self) -> String {
        self.sender.jid(self.chat.namespace()).to_string()
    }

    /// How a message names another one of its chat.
    pub(super) fn key(&self, shown: &Shown) -> Result<MessageKey, String> {
        let participant = if self.chat.is_group() {
            Some(self.author(shown)?.jid(self.chat.namespace()).to_string())
        } else {
            None
        };
        Ok(MessageKey {
            remote_jid: Some(self.chat.jid().to_string()),
            from_me: Some(shown.direction == Direction::Sent),
            id: Some(shown.id.to_string()),
            participant,
        })
    }
}

fn plain(text: String) -> Message {
    Message {
        conversation: Some(text),
        ..Default::default()
    }
}

fn wrap(protocol: ProtocolMessage) -> Message {
    Message {
        protocol_message: MessageField::some(protocol),
        ..Default::default()
    }
}

/// A poll with a fresh secret for its votes.
fn poll(name: String, options: Vec<String>, selectable: u32) -> Message {
    let options = options.into_iter().map(|option| PollOption {
        option_name: Some(option),
        ..Default::default()
    });
    let poll = MessageField::some(PollCreationMessage {
        name: Some(name),
        options: options.collect(),
        selectable_options_count: Some(selectable),
        ..Default::default()
    });
    let secret: [u8; 32] = rand::rng().random();
    let mut message = Message {
        message_context_info: MessageField::some(MessageContextInfo {
            message_secret: Some(secret.to_vec()),
            ..Default::default()
        }),
        ..Default::default()
    };
    // The third version says by its number that one option may be chosen.
    if selectable == 1 {
        message.poll_creation_message_v3 = poll;
    } else {
        message.poll_creation_message = poll;
    }
    message
}

fn contact(name: String, phone: Option<String>, vcard: Option<String>) -> Result<Message, String> {
    let vcard = match (vcard, phone) {
        (Some(vcard), None) => vcard,
        (None, Some(phone)) => {
            let number = phone.trim_start_matches('+');
            format!(
                "BEGIN:VCARD\nVERSION:3.0\nFN:{name}\n\
                 TEL;type=CELL;waid={number}:+{number}\nEND:VCARD"
            )
        }
        _ => return Err("a contact has either a vcard or a phone number".to_owned()),
    };
    Ok(Message {
        contact_message: MessageField::some(ContactMessage {
            display_name: Some(name),
            vcard: Some(vcard),
            ..Default::default()
        }),
        ..Default::default()
    })
}

pub(super) fn now() -> i64 {
    i64::try_from(clock::now_millis()).unwrap_or(i64::MAX)
}
