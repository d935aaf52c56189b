//! The message index: what each session sent and saw, for as long as
//! [`Retention::messages_ms`](crate::lane::Retention::messages_ms) says.
//!
//! It is written in the same step as the acceptance of a send (`lane/lua/accept.lua`) and as the
//! event of a message that came in (`session/lua/inbound.lua`), and read here: for operations on a
//! message, and for the votes in a poll. `lua/index.lua` tells how it is laid out.

use redis::Value;

use crate::clock::Millis;
use crate::domain::{Jid, KnownMessage, OutboxId, SendStatus};
use crate::identity::NAMES;
use crate::lane::{IdempotencyKey, Retention, SessionRef, StatusChange, read_history};
use crate::redis::{LuaScript, RedisFailure, Store, script, settings, unexpected};

/// How the index is laid out, for the scripts that write it.
pub(crate) const INDEX: &str = include_str!("lua/index.lua");

/// The message indexes of an installation.
#[derive(Debug, Clone)]
pub struct Messages {
    store: Store,
    locate: std::sync::Arc<LuaScript>,
}

/// Which message is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its WhatsApp id.
    pub id: &'a str,
    /// The chat it is in, by either of its names; `None` = any.
    pub chat: Option<&'a Jid>,
    /// The key of the operation that looks for it, if it has one.
    pub idempotency: Option<&'a IdempotencyKey>,
    /// Whether its whole content is wanted, and not just what the index has.
    pub whole: bool,
}

/// What is known of the message looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Located {
    /// The organization has no such session.
    SessionNotFound,
    /// The operation's key was used before: what it was used for counts, not what is known now.
    KeyKnown,
    /// The session has not sent or seen such a message, or it was too long ago.
    Unknown,
    /// It is of a number that was paired with the session before.
    OfFormerAccount,
    /// This is it.
    Found(Box<Found>),
}

/// A message that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What the index has.
    pub message: KnownMessage,
    /// The statuses of our send, in order; empty where it is not ours, or too long ago.
    pub history: Vec<StatusChange>,
    /// Its id, likewise.
    pub outbox_id: Option<OutboxId>,
    /// Whether our send may have arrived although it failed.
    pub unsure: bool,
    /// All that is kept of its content.
    pub content: Option<Whole>,
    /// The session's own addresses: by number and by LID.
    pub own: [Option<String>; 2],
}

/// The whole of a message's content, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whole {
    /// The [`Content`](crate::domain::Content) of our send.
    Sent(String),
    /// The payload of the event that told the message.
    Emitted(String),
}

impl Found {
    /// When WhatsApp took it; for our sends that wait, nothing yet.
    #[must_use]
    pub fn taken_at(&self) -> Option<Millis> {
        if self.history.is_empty() {
            return Some(self.message.time);
        }
        let taken = |change: &&StatusChange| {
            change.status.is_settled() && change.status != SendStatus::Cancelled
        };
        self.history
            .iter()
            .find(taken)
            .map(|change| change.timestamp)
    }

    /// Whether it never got to WhatsApp and never will: it failed or was cancelled.
    #[must_use]
    pub fn came_to_nothing(&self) -> bool {
        let last = self.history.last().map(|change| change.status);
        match last {
            Some(SendStatus::Failed) => !self.unsure,
            Some(SendStatus::Cancelled) => true,
            _ => false,
        }
    }

    /// Whether our send waits here and was never attempted.
    #[must_use]
    pub fn waits(&self) -> bool {
        let last = self.history.last().map(|change| change.status);
        matches!(last, Some(SendStatus::Scheduled | SendStatus::Queued))
    }

    /// Whether our send was cancelled.
    #[must_use]
    pub fn was_cancelled(&self) -> bool {
        let last = self.history.last().map(|change| change.status);
        last == Some(SendStatus::Cancelled)
    }
}

impl Messages {
    /// The indexes behind `store`.
    #[must_use]
    pub fn new(store: Store, retention: &Retention) -> Self {
        let settings = settings(&store, retention);
        let source = include_str!("lua/locate.lua");
        Self {
            locate: LuaScript::partition(&[&settings, NAMES, INDEX, source]).into(),
            store,
        }
    }

    /// Looks for a message of a session.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn locate(
        &self,
        of: &SessionRef,
        wanted: Wanted<'_>,
    ) -> Result<Located, RedisFailure> {
        let root = self.store.keys.partition(&of.organization);
        let mut call = self.locate.on(&root);
        call.arg(of.session.as_str())
            .arg(wanted.id)
            .arg(wanted.chat.map_or("", Jid::as_str))
            .arg(wanted.idempotency.map_or("", |key| key.hash.as_str()))
            .arg(u8::from(wanted.whole));
        let reply: Vec<Value> = script::run(&self.store.connection, &call).await?;
        parse(&reply).ok_or_else(|| unexpected("locate.lua"))
    }
}

fn parse(reply: &[Value]) -> Option<Located> {
    let text =
        |index: usize| -> Option<String> { redis::from_redis_value_ref(reply.get(index)?).ok() };
    Some(match text(0)?.as_str() {
        "session_not_found" => Located::SessionNotFound,
        "key_known" => Located::KeyKnown,
        "unknown" => Located::Unknown,
        "formers" => Located::OfFormerAccount,
        "found" => {
            let message: KnownMessage = serde_json::from_str(&text(1)?).ok()?;
            let content = text(5).filter(|content| !content.is_empty());
            let content = content.map(match message.event {
                None => Whole::Sent,
                Some(_) => Whole::Emitted,
            });
            let own = [text(6), text(7)].map(|jid| jid.filter(|jid| !jid.is_empty()));
            Located::Found(Box::new(Found {
                history: read_history(&text(2)?),
                outbox_id: text(3)?.parse().ok(),
                unsure: text(4)? == "1",
                message,
                content,
                own,
            }))
        }
        _ => return None,
    })
}
