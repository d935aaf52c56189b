//! Inbound messages become events before WhatsApp is told that they arrived (law 7).

use std::sync::Arc;

use async_trait::async_trait;
use gateway_shared::domain::{Amendment, KnownMessage, PollKey};
use gateway_shared::messages::{Located, Wanted};
use gateway_shared::redis::RedisFailure;
use gateway_shared::session::InboundEvent;
use serde_json::{Value, json};

use super::presence::PresenceSettings;
use super::{Owner, Runtime};
use crate::link::{
    InboundContent, InboundMessage, InboundRefused, InboundSink, MessageKind, SealedVote, WaAddress,
};

/// Writes inbound messages to the organization's event stream, and what is to be remembered of
/// them to the session's message index.
#[derive(Debug)]
pub(super) struct EventSink {
    runtime: Arc<Runtime>,
    owner: Owner,
    presence: Arc<PresenceSettings>,
}

impl EventSink {
    pub(super) fn new(
        runtime: &Arc<Runtime>,
        owner: &Owner,
        presence: &Arc<PresenceSettings>,
    ) -> Self {
        Self {
            runtime: Arc::clone(runtime),
            owner: owner.clone(),
            presence: Arc::clone(presence),
        }
    }

    /// The texts of the options that a vote is for; `None` where it can not be read: the poll is
    /// not known, or not its secret.
    async fn resolve(
        &self,
        message: &InboundMessage,
        vote: &SealedVote,
        batch: &[InboundMessage],
    ) -> Result<Option<Vec<String>>, RedisFailure> {
        // The names of this account are known with any message of the index.
        let wanted = Wanted {
            id: &vote.poll,
            chat: None,
            idempotency: None,
            whole: false,
        };
        let found = match self.runtime.messages.locate(&self.owner.of, wanted).await? {
            Located::Found(found) => Some(found),
            _ => None,
        };
        let own = match &found {
            Some(found) => found.own.clone(),
            None => self.own_names().await?,
        };
        let own: Vec<&str> = own.iter().flatten().map(String::as_str).collect();
        // A poll and its votes may have waited for us together.
        let beside = batch
            .iter()
            .find(|other| other.id == vote.poll && other.kind == MessageKind::Poll)
            .map(known);
        let Some(poll) = found.map(|found| found.message).or(beside) else {
            return Ok(None);
        };
        let Some(key) = &poll.poll else {
            return Ok(None);
        };
        let creators = names(poll.sender.as_deref(), poll.sender_alt.as_deref(), &own);
        let voters = if message.from_me {
            own.clone()
        } else {
            let alt = message.sender_alt.as_ref().map(|jid| jid.as_str());
            names(Some(message.sender.as_str()), alt, &own)
        };
        Ok(vote.open(key, &creators, &voters))
    }

    async fn own_names(&self) -> Result<[Option<String>; 2], RedisFailure> {
        let session = self.runtime.sessions.get(&self.owner.of).await?;
        Ok(session.map_or([None, None], |session| [session.wa_jid, session.wa_lid]))
    }
}

/// Both names of a person; those of this account where none are given.
fn names<'a>(name: Option<&'a str>, alt: Option<&'a str>, own: &[&'a str]) -> Vec<&'a str> {
    if name.is_none() {
        return own.to_vec();
    }
    name.into_iter().chain(alt).collect()
}

#[async_trait]
impl InboundSink for EventSink {
    async fn commit(&self, batch: &[InboundMessage]) -> Result<(), InboundRefused> {
        let refused = |error: RedisFailure| InboundRefused(Box::new(error));
        let mut events = Vec::with_capacity(batch.len());
        for message in batch {
            let chosen = match &message.vote {
                Some(vote) => self.resolve(message, vote, batch).await.map_err(refused)?,
                None => None,
            };
            events.push(event(message, chosen));
        }
        let now = self.runtime.now();
        self.runtime
            .sessions
            .emit_inbound(now, self.owner.fence(), &events)
            .await
            .map_err(|error| InboundRefused(Box::new(error)))?;
        self.presence.read(batch);
        Ok(())
    }
}

fn event(message: &InboundMessage, chosen: Option<Vec<String>>) -> InboundEvent {
    let (kind, target) = match &message.kind {
        MessageKind::Reaction { target } => ("message.reaction", Some(target)),
        MessageKind::Edit { target } => ("message.edited", Some(target)),
        MessageKind::Revoke { target } => ("message.revoked", Some(target)),
        MessageKind::PollVote { target } => ("poll.vote", Some(target)),
        _ if message.from_me => ("message.from_me", None),
        _ => ("message", None),
    };
    let mut payload = payload(message, target);
    if kind == "poll.vote" {
        // Null where the vote can not be read.
        payload["options"] = json!(chosen);
    }
    InboundEvent {
        identity: identity(&message.chat, &message.sender, &message.id),
        kind,
        payload: payload.to_string(),
        id: message.id.clone(),
        known: target.is_none().then(|| known(message)),
        amends: amendment(message),
    }
}

/// What a message changes about another one. Only its author edits a message, and only they and the
/// admins of a group take it back: what anybody else says of it changes nothing.
fn amendment(message: &InboundMessage) -> Option<Amendment> {
    let names = |name: &WaAddress, alt: &Option<WaAddress>| {
        let names = [Some(name), alt.as_ref()].into_iter().flatten();
        names.map(ToString::to_string).collect::<Vec<_>>()
    };
    let chats = names(&message.chat, &message.chat_alt);
    let authors = if message.from_me {
        Vec::new()
    } else {
        names(&message.sender, &message.sender_alt)
    };
    match &message.kind {
        MessageKind::Edit { target } => {
            let text = message.text.as_deref()?;
            Some(Amendment::edit(target, chats, authors, text))
        }
        MessageKind::Revoke { target } => Some(Amendment {
            whosever: message.as_admin,
            ..Amendment::revoke(target, chats, authors)
        }),
        _ => None,
    }
}

/// What a message is told once by.
pub(super) fn identity(chat: &WaAddress, sender: &WaAddress, id: &str) -> String {
    format!("{chat}|{sender}|{id}")
}

fn payload(message: &InboundMessage, target: Option<&String>) -> Value {
    let mut payload = json!({
        "waMessageId": message.id,
        "chatJid": message.chat.as_str(),
        "senderJid": message.sender.as_str(),
        "fromMe": message.from_me,
        "pushName": message.push_name,
        "type": message.kind.as_str(),
        "timestamp": message.timestamp,
        "offline": message.offline,
    });
    let mut set = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            payload[name] = value.into();
        }
    };
    set(
        "chatAltJid",
        message.chat_alt.as_ref().map(|jid| jid.as_str()),
    );
    set(
        "senderAltJid",
        message.sender_alt.as_ref().map(|jid| jid.as_str()),
    );
    set("text", message.text.as_deref());
    set("replyTo", message.reply_to.as_deref());
    set("quotedSenderJid", message.quoted_sender.as_deref());
    set("targetMessageId", target.map(String::as_str));
    if matches!(message.kind, MessageKind::Reaction { .. }) {
        set("emoji", Some(message.text.as_deref().unwrap_or_default()));
    }
    if !message.mentions.is_empty() {
        payload["mentions"] = json!(message.mentions);
    }
    if message.forwarded > 0 {
        payload["forwarded"] = message.forwarded.into();
    }
    match &message.content {
        Some(InboundContent::Poll(poll)) => {
            payload["poll"] = json!({
                "name": poll.name,
                "options": poll.options,
                "selectableCount": poll.selectable_count,
            });
        }
        Some(InboundContent::Location(place)) => payload["location"] = json!(place),
        Some(InboundContent::Contacts(cards)) => match cards.as_slice() {
            [card] => payload["contact"] = json!(card),
            cards => payload["contacts"] = json!(cards),
        },
        None => {}
    }
    payload
}

/// What the message index keeps of a message.
fn known(message: &InboundMessage) -> KnownMessage {
    let said = message.text.as_deref().unwrap_or_default();
    let kind = message.kind.as_str();
    let mut known = KnownMessage::new(message.chat.as_str(), kind, message.timestamp, said);
    known.chat_alt = message.chat_alt.as_ref().map(ToString::to_string);
    if message.from_me {
        known.elsewhere = true;
    } else {
        known.sender = Some(message.sender.to_string());
        known.sender_alt = message.sender_alt.as_ref().map(ToString::to_string);
    }
    if let Some(InboundContent::Poll(poll)) = &message.content {
        known.poll = PollKey::of(poll);
    }
    known
}
