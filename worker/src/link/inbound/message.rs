//! A message as it arrived, and how it is made of what the library delivers.

use std::fmt;
use std::sync::Arc;

use gateway_shared::clock::Millis;
use gateway_shared::domain::{Download, Poll, PollSecret};
use gateway_shared::events::inbound::{
    Address, Content, Flag, MessagePayload, Platform, Source, Target,
};
use wacore::types::events::InboundMessage as LibraryMessage;
use wacore::types::message::{EditAttribute, MessageInfo};
use wacore_binary::JidExt as _;
use waproto::whatsapp as wa;

use super::context;
use super::reading::{Reading, comment_of, edit, read};
use super::sealed::SealedAnswer;
use super::unwrap::Unwrapped;
use crate::link::WaAddress;
use crate::link::vote::SealedVote;

/// A message that arrived: from somebody else, or from another device of our own account.
#[derive(Clone)]
pub struct InboundMessage {
    /// WhatsApp's id of it, unique per chat and sender.
    pub id: String,
    /// The chat, in the name space that WhatsApp used.
    pub chat: WaAddress,
    /// A direct chat in the other name space (number or LID), where WhatsApp named it.
    pub chat_alt: Option<WaAddress>,
    /// Who wrote it.
    pub sender: WaAddress,
    /// The same person in the other name space, where WhatsApp named it.
    pub sender_alt: Option<WaAddress>,
    /// Whether another device of our own account wrote it.
    pub from_me: bool,
    /// What its event says.
    pub payload: MessagePayload,
    /// The poll, if it is one, with its secret.
    pub poll: Option<Poll>,
    /// What others encrypt with what they do to it, if it is an event.
    pub secret: Option<PollSecret>,
    /// The vote, if it is one.
    pub vote: Option<SealedVote>,
    /// The answer to an event, if it is one.
    pub answer: Option<SealedAnswer>,
    /// How its file is fetched, if it has one.
    pub download: Option<Download>,
    /// Whether an admin of a group sent it about somebody else's message; WhatsApp's server lets
    /// nobody else do so.
    pub as_admin: bool,
    /// Whether it was posted to its sender's status.
    pub story: bool,
    /// The number of a channel's post in its channel.
    pub server_id: Option<u64>,
    /// The whole of it.
    pub raw: Arc<wa::Message>,
}

/// Bodies and people do not show in logs.
impl fmt::Debug for InboundMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundMessage")
            .field("id", &self.id)
            .field("chat", &self.chat)
            .field("kind", &self.payload.kind)
            .field("from_me", &self.from_me)
            .finish_non_exhaustive()
    }
}

impl InboundMessage {
    /// The message as it is told; nothing where it is only for the machinery (keys, settings).
    pub(in crate::link) fn from_library(message: &LibraryMessage) -> Option<Self> {
        let info = &message.info;
        let unwrapped = Unwrapped::of(&message.message);
        let mut reading = read(unwrapped.base)?;
        if let Some(target) = &info.comment_target {
            // What the library decrypted of a comment is its body.
            reading = comment_of(Some(reading)).about(Some(target));
        }
        let source = &info.source;
        if source.chat.is_newsletter() {
            reading = changed_post(reading, info);
        }
        let sender_alt = source.sender_alt.as_ref().map(WaAddress::from);
        let story = source.chat.is_status_broadcast();
        let direct = !source.is_group && !story && !source.chat.is_newsletter();
        let chat_alt = if !direct {
            None
        } else if source.is_from_me {
            source.recipient_alt.as_ref().map(WaAddress::from)
        } else {
            sender_alt.clone()
        };
        let server_id = u64::try_from(info.server_id).ok().filter(|id| *id > 0);
        let mut made = Self {
            id: info.id.clone(),
            chat: WaAddress::from(&source.chat),
            chat_alt,
            sender: WaAddress::from(&source.sender),
            sender_alt,
            from_me: source.is_from_me,
            payload: MessagePayload::default(),
            poll: None,
            secret: None,
            vote: reading.vote.take(),
            answer: SealedAnswer::of(unwrapped.base),
            download: reading.download.take(),
            as_admin: source.is_group && info.edit == EditAttribute::AdminRevoke,
            story,
            server_id,
            raw: Arc::clone(&message.message),
        };
        made.keep_secrets(&reading, &unwrapped);
        made.payload = made.payload_of(reading, &unwrapped, message);
        Some(made)
    }

    fn keep_secrets(&mut self, reading: &Reading, unwrapped: &Unwrapped<'_>) {
        let secret = unwrapped
            .contexts
            .iter()
            .find_map(|info| PollSecret::from_bytes(info.message_secret.as_deref()?));
        match &reading.content {
            Some(Content::Poll(poll)) => {
                self.poll = Some(Poll {
                    name: poll.name.clone(),
                    options: poll.options.clone(),
                    selectable_count: poll.selectable_count,
                    secret,
                });
            }
            Some(Content::Event(_)) => self.secret = secret,
            _ => {}
        }
    }

    fn payload_of(
        &self,
        reading: Reading,
        unwrapped: &Unwrapped<'_>,
        message: &LibraryMessage,
    ) -> MessagePayload {
        let info = &message.info;
        let about = context::context(unwrapped.base);
        let timestamp = info.timestamp.timestamp_millis();
        let seconds = about.expiration.or(info.ephemeral_expiration);
        let target = reading.target.as_ref().and_then(|key| {
            Some(Target {
                message_id: key.id.clone()?,
                ..Target::default()
            })
        });
        let mut flags = unwrapped.flags.clone();
        if info.unavailable_request_id.is_some() {
            flags.push(Flag::Recovered);
        }
        if info.source.sender.is_bot() && !flags.contains(&Flag::Bot) {
            flags.push(Flag::Bot);
        }
        let expires = |seconds: u32| timestamp.saturating_add(Millis::from(seconds) * 1_000);
        MessagePayload {
            wa_message_id: self.id.clone(),
            chat_jid: self.chat.to_string(),
            chat: address(&self.chat, self.chat_alt.as_ref()),
            sender_jid: self.sender.to_string(),
            sender: address(&self.sender, self.sender_alt.as_ref()),
            from_me: self.from_me,
            push_name: info.push_name.clone(),
            verified_name: info
                .verified_name
                .as_ref()
                .and_then(|name| name.name.clone()),
            kind: reading.kind.to_owned(),
            text: reading.text,
            link_preview: reading.link_preview,
            target_message_id: target.as_ref().map(|target| target.message_id.clone()),
            target,
            quoted: about.quoted,
            mentions: about.mentions,
            forwarded: about.forwarded,
            forwarding_score: about.forwarding_score,
            ephemeral_seconds: seconds,
            expires_at: seconds.map(expires),
            view_once: flags.contains(&Flag::ViewOnce) || context::once(unwrapped.base),
            parent: context::parent(&unwrapped.contexts),
            flags,
            source: Source {
                device: info.source.sender.device,
                platform: Platform::of_message_id(&self.id),
            },
            server_id: self.server_id,
            timestamp,
            offline: info.is_offline,
            content: reading.content,
        }
    }

    /// The JIDs of people in the event whose other name is not known.
    pub(super) fn half_named(&mut self) -> Vec<&mut Address> {
        let payload = &mut self.payload;
        let quoted = payload.quoted.as_mut();
        let author = quoted.and_then(|quoted| quoted.author.as_mut());
        let people = payload.mentions.iter_mut().chain(author);
        let people = people.chain([&mut payload.chat, &mut payload.sender]);
        people
            .filter(|person| person.pn.is_some() != person.lid.is_some())
            .collect()
    }

    /// What makes it the same message, however often WhatsApp delivers it.
    #[must_use]
    pub fn identity(&self) -> String {
        match self.server_id {
            // A post that is fetched again has no sender, and perhaps no id.
            Some(number) if self.payload.target_message_id.is_none() => {
                format!("{}|post|{number}", self.chat)
            }
            Some(number) => {
                let (kind, time) = (&self.payload.kind, self.payload.timestamp);
                format!("{}|post|{number}|{kind}|{time}", self.chat)
            }
            None => identity(&self.chat, &self.sender, &self.id),
        }
    }
}

/// A change to a post of a channel comes as a post of the same id.
fn changed_post(reading: Reading, info: &MessageInfo) -> Reading {
    let post = wa::MessageKey {
        id: Some(info.id.clone()),
        ..wa::MessageKey::default()
    };
    match info.edit {
        EditAttribute::AdminEdit => edit(Some(reading)).about(Some(&post)),
        EditAttribute::AdminRevoke => Reading::plain("revoke", None).about(Some(&post)),
        _ => reading,
    }
}

/// What a message is known by: ids are unique per chat and sender.
#[must_use]
pub fn identity(chat: &WaAddress, sender: &WaAddress, id: &str) -> String {
    format!("{chat}|{sender}|{id}")
}

fn address(name: &WaAddress, alt: Option<&WaAddress>) -> Address {
    Address::new(name.as_str(), alt.map(WaAddress::as_str))
}
