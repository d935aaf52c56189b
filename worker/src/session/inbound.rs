//! Inbound messages become events before WhatsApp is told that they arrived (law 7).

mod target;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_shared::domain::{Amendment, Download, KnownMessage, PollKey};
use gateway_shared::session::{ChannelPlace, InboundEvent, Vote};

use super::presence::PresenceSettings;
use super::timers::ChatTimers;
use super::{FileMessage, Owner, Runtime};
use crate::link::{ChannelPlaces, InboundMessage, InboundRefused, InboundSink, WaAddress};

/// Writes inbound messages to the organization's event stream, and what is to be remembered of
/// them to the session's message index.
#[derive(Debug)]
pub(super) struct EventSink {
    runtime: Arc<Runtime>,
    owner: Owner,
    presence: Arc<PresenceSettings>,
    timers: Arc<ChatTimers>,
}

impl EventSink {
    pub(super) fn new(
        runtime: &Arc<Runtime>,
        owner: &Owner,
        presence: &Arc<PresenceSettings>,
        timers: &Arc<ChatTimers>,
    ) -> Self {
        Self {
            runtime: Arc::clone(runtime),
            owner: owner.clone(),
            presence: Arc::clone(presence),
            timers: Arc::clone(timers),
        }
    }
}

impl EventSink {
    /// Says in a message where its file will be; what is to be fetched for that.
    fn announce(
        &self,
        message: &mut InboundMessage,
    ) -> Result<Option<(FileMessage, Download)>, InboundRefused> {
        let (Some(content), Some(download)) = (&mut message.payload.content, &message.download)
        else {
            return Ok(None);
        };
        let file = FileMessage {
            of: self.owner.of.clone(),
            id: message.id.clone(),
            chat: message.chat.to_string(),
            sender: (!message.from_me).then(|| message.sender.to_string()),
        };
        let now = self.runtime.now();
        let announced = self.runtime.downloads.announce(now, &file, content);
        let wanted = announced.map_err(|error| InboundRefused(Box::new(error)))?;
        Ok(wanted.then(|| (file, download.clone())))
    }

    fn event(
        &self,
        message: &InboundMessage,
        vote: Option<Vote>,
    ) -> Result<InboundEvent, InboundRefused> {
        // A post to a status is no message of a chat.
        let mut known = (is_message(message) && !message.story).then(|| known(message));
        if let (Some(known), Some(download)) = (&mut known, &message.download) {
            let store = self.runtime.uploads.store();
            let sealed = store.seal_download(&self.owner.of, &message.id, download);
            let sealed = sealed.map_err(|error| InboundRefused(Box::new(error)))?;
            known.sealed_download = Some(sealed);
        }
        Ok(InboundEvent {
            identity: message.identity(),
            kind: kind(message),
            // In the order of its fields, which `inbound.lua` counts on. A struct of texts and numbers
            // always has a JSON form.
            payload: serde_json::to_string(&message.payload).unwrap_or_default(),
            id: message.id.clone(),
            known,
            amends: amendment(message),
            vote,
            channel: message.server_id.map(|server_id| ChannelPlace {
                channel: message.chat.to_string(),
                server_id,
            }),
            timer: match &message.payload.target_message_id {
                None => self.timers.news(message),
                Some(_) => None,
            },
        })
    }
}

#[async_trait]
impl InboundSink for EventSink {
    async fn commit(&self, batch: &[InboundMessage]) -> Result<(), InboundRefused> {
        let mut events = Vec::with_capacity(batch.len());
        let mut files = Vec::new();
        for message in batch {
            if message.story && !self.runtime.config.status_posts {
                continue;
            }
            if message.payload.target_message_id.is_some() {
                let mut message = message.clone();
                let vote = self.complete(&mut message, batch).await;
                let vote = vote.map_err(|error| InboundRefused(Box::new(error)))?;
                events.push(self.event(&message, vote)?);
            } else if self.presence.downloads() && message.download.is_some() && !message.story {
                let mut message = message.clone();
                files.extend(self.announce(&mut message)?);
                events.push(self.event(&message, None)?);
            } else {
                events.push(self.event(message, None)?);
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        let now = self.runtime.now();
        self.runtime
            .sessions
            .emit_inbound(now, self.owner.fence(), &events)
            .await
            .map_err(|error| InboundRefused(Box::new(error)))?;
        for timer in events.iter().filter_map(|event| event.timer.as_ref()) {
            self.timers.keep(timer);
        }
        self.presence.read(batch);
        if !files.is_empty() {
            let link = self.presence.link().as_ref().map(Arc::downgrade);
            for (file, download) in files {
                let link = link.clone().unwrap_or_default();
                self.runtime.downloads.fetch(file, download, link);
            }
        }
        Ok(())
    }

    fn wants_stories(&self) -> bool {
        self.runtime.config.status_posts
    }
}

#[async_trait]
impl ChannelPlaces for EventSink {
    async fn channels(&self) -> Option<HashMap<String, u64>> {
        match self.runtime.sessions.channels(&self.owner.of).await {
            Ok(channels) => Some(channels),
            Err(error) => {
                tracing::warn!(session = %self.owner.of.session, %error,
                    "the places in channels could not be read");
                None
            }
        }
    }

    async fn follow(&self, channel: &str, server_id: u64) {
        let place = ChannelPlace {
            channel: channel.to_owned(),
            server_id,
        };
        let now = self.runtime.now();
        let sessions = &self.runtime.sessions;
        if let Err(error) = sessions
            .follow_channel(now, self.owner.fence(), place)
            .await
        {
            tracing::warn!(session = %self.owner.of.session, %error,
                "the place in a channel was not kept");
        }
    }
}

/// The kind of event that a message is.
fn kind(message: &InboundMessage) -> &'static str {
    match message.payload.kind.as_str() {
        "reaction" => "message.reaction",
        "edit" => "message.edited",
        "revoke" => "message.revoked",
        "poll_vote" => "poll.vote",
        _ if message.story => "status.post",
        _ if message.from_me => "message.from_me",
        _ => "message",
    }
}

/// Whether it can be quoted, reacted to and so on itself.
fn is_message(message: &InboundMessage) -> bool {
    !matches!(
        message.payload.kind.as_str(),
        "reaction"
            | "edit"
            | "revoke"
            | "poll_vote"
            | "pin"
            | "keep"
            | "ephemeral"
            | "event_response"
    )
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
    let target = message.payload.target_message_id.as_deref()?;
    match message.payload.kind.as_str() {
        "edit" => {
            let text = message.payload.text.as_deref()?;
            Some(Amendment::edit(target, chats, authors, text))
        }
        "revoke" => Some(Amendment {
            whosever: message.as_admin,
            ..Amendment::revoke(target, chats, authors)
        }),
        _ => None,
    }
}

/// What the message index keeps of a message.
fn known(message: &InboundMessage) -> KnownMessage {
    let payload = &message.payload;
    let text = payload.text.as_deref().unwrap_or_default();
    let chat = message.chat.as_str();
    let mut known = KnownMessage::new(chat, &payload.kind, payload.timestamp, text);
    known.chat_alt = message.chat_alt.as_ref().map(ToString::to_string);
    if message.from_me {
        known.elsewhere = true;
    } else {
        known.sender = Some(message.sender.to_string());
        known.sender_alt = message.sender_alt.as_ref().map(ToString::to_string);
    }
    known.poll = message.poll.as_ref().and_then(PollKey::of);
    known.secret = message.secret.clone();
    known
}
