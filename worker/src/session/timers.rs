//! Disappearing messages: each chat's timer is remembered, and what is sent to it carries it. A
//! message without the timer of its chat shows a warning to those who get it, and stays.
//!
//! A chat's timer is said by each message in it, by the message that sets it, and for groups by what
//! WhatsApp tells of them. All that is known is read when the session is opened, since nobody else
//! writes it while the session is ours.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_shared::clock::Millis;
use gateway_shared::events::inbound::{Content, Flag};
use gateway_shared::lane::ClaimedSend;
use gateway_shared::redis::RedisFailure;
use gateway_shared::session::ChatTimer;

use super::{Owner, Runtime};
use crate::link::{GroupChange, GroupNotice, InboundMessage, Link};

/// Types of messages that carry the timer of their chat, and say by its absence that there is none.
const CARRIERS: [&str; 12] = [
    "text", "image", "video", "gif", "ptv", "audio", "voice", "document", "sticker", "location",
    "contact", "contacts",
];

/// The timers of a session's chats.
#[derive(Debug)]
pub(super) struct ChatTimers {
    runtime: Arc<Runtime>,
    owner: Owner,
    /// Seconds, and when that was said, by each name of a chat.
    known: Mutex<HashMap<String, (u32, Millis)>>,
}

impl ChatTimers {
    /// Those that are remembered.
    pub(super) async fn open(runtime: &Arc<Runtime>, owner: &Owner) -> Result<Self, RedisFailure> {
        let known = runtime.sessions.timers(&owner.of).await?;
        Ok(Self {
            runtime: Arc::clone(runtime),
            owner: owner.clone(),
            known: Mutex::new(known),
        })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, (u32, Millis)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a message says of its chat's timer, if that is news.
    pub(super) fn news(&self, message: &InboundMessage) -> Option<ChatTimer> {
        let timer = said(message)?;
        let known = self.known();
        let is_news = timer.chats.iter().any(|chat| match known.get(chat) {
            Some((seconds, at)) => *seconds != timer.seconds && *at <= timer.at,
            None => timer.seconds > 0,
        });
        is_news.then_some(timer)
    }

    /// This was written to Redis.
    pub(super) fn keep(&self, timer: &ChatTimer) {
        let mut known = self.known();
        for chat in &timer.chats {
            let row = known.entry(chat.clone()).or_insert((0, timer.at));
            if row.1 <= timer.at {
                *row = (timer.seconds, timer.at);
            }
        }
    }

    /// After how many seconds what is sent disappears; 0 = it stays. Of a group that nothing is known
    /// of, WhatsApp is asked, once.
    pub(super) async fn of(&self, link: &Link, send: &ClaimedSend) -> u32 {
        let carries = send
            .content
            .as_ref()
            .is_ok_and(|content| content.context().is_some());
        if !carries {
            return 0;
        }
        let chat = send.to.as_str();
        let known = self.known().get(chat).map(|(seconds, _)| *seconds);
        match known {
            Some(seconds) => seconds,
            None if send.to.is_group() => self.of_group(link, send).await,
            None => 0,
        }
    }

    async fn of_group(&self, link: &Link, send: &ClaimedSend) -> u32 {
        let asked_at = self.runtime.now();
        let seconds = match link.group_timer(&send.to).await {
            Ok(seconds) => seconds,
            Err(error) => {
                tracing::debug!(%error, "a group is written to without knowing its timer");
                return 0;
            }
        };
        let timer = ChatTimer {
            chats: vec![send.to.as_str().to_owned()],
            seconds,
            at: asked_at,
        };
        let sessions = &self.runtime.sessions;
        let owner = self.owner.fence();
        // Asked again by the next owner if it was not taken.
        if let Err(error) = sessions
            .remember_timer(asked_at, owner, timer.clone())
            .await
        {
            tracing::debug!(%error, "a group's timer was not remembered");
        }
        self.keep(&timer);
        seconds
    }
}

/// The timer that a change to a group sets, if it sets one.
pub(super) fn of_notice(notice: &GroupNotice) -> Option<ChatTimer> {
    let GroupChange::Update { change, now } = &notice.change else {
        return None;
    };
    let after = now
        .get("disappearsAfterMs")
        .filter(|_| change == "ephemeral")?;
    Some(ChatTimer {
        chats: vec![notice.group.to_string()],
        seconds: u32::try_from(after.as_u64()? / 1_000).ok()?,
        at: notice.timestamp,
    })
}

/// What a message says of its chat's timer.
fn said(message: &InboundMessage) -> Option<ChatTimer> {
    if message.story || message.server_id.is_some() {
        return None;
    }
    let payload = &message.payload;
    let seconds = match (&payload.content, payload.ephemeral_seconds) {
        (Some(Content::Ephemeral(timer)), _) => timer.seconds,
        (_, Some(seconds)) => seconds,
        // Wrapped as one that disappears, by a client that does not say when.
        _ if payload.flags.contains(&Flag::Ephemeral) => return None,
        _ if CARRIERS.contains(&payload.kind.as_str()) => 0,
        _ => return None,
    };
    let names = [Some(&message.chat), message.chat_alt.as_ref()];
    Some(ChatTimer {
        chats: names
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect(),
        seconds,
        at: payload.timestamp,
    })
}
