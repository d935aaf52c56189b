//! Acceptance: one script, after which a send is durable.

use redis::{ScriptInvocation, Value};
use serde::Serialize;

use super::{Lanes, Mode, Retention, SessionRef, Window};
use crate::clock::Millis;
use crate::domain::{Content, InstanceId, Jid, KnownMessage, OutboxId, SendFailure, SendStatus};
use crate::identity::Names;
use crate::redis::{RedisFailure, unexpected};
use crate::send::SendRecord;
use crate::tally::Counter;

/// A client's idempotency key as Redis sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// SHA-256 of the key, in hex.
    pub hash: String,
    /// SHA-256 of the request it was first used with (route and content), in hex.
    pub fingerprint: String,
}

/// A send that asks to be accepted.
#[derive(Debug, Clone)]
pub struct EnqueueRequest {
    /// The session that sends.
    pub from: SessionRef,
    /// Its id from now on.
    pub id: OutboxId,
    /// The WhatsApp message id that every attempt will carry.
    pub wa_message_id: String,
    /// The chat.
    pub to: Jid,
    /// What is sent.
    pub content: Content,
    /// Whether the caller waits.
    pub mode: Mode,
    /// The moment after which it fails as expired instead of being attempted, where its sender
    /// says so.
    pub expires_at: Option<Millis>,
    /// Otherwise so long after it was accepted, or after `send_at`, in milliseconds.
    pub time_to_live_ms: u64,
    /// Not before this moment; 0 = at once.
    pub send_at: Millis,
    /// The request's id, carried into events and log lines.
    pub request_id: String,
    /// The client's key, if it gave one.
    pub idempotency: Option<IdempotencyKey>,
    /// Where a settlement is to be reported, if somebody waits: the API process and a token.
    pub waiter: Option<(InstanceId, String)>,
    /// The greatest number of sends that may wait in the lane.
    pub max_depth: u32,
}

/// What became of an [`EnqueueRequest`].
#[derive(Debug, Clone, PartialEq)]
pub enum EnqueueOutcome {
    /// It is durable.
    New {
        /// `queued` or `scheduled`.
        status: SendStatus,
        /// When.
        at: Millis,
        /// Who it is for.
        names: Names,
    },
    /// The key was used before with the same request; this is that send.
    Replayed(Replay),
    /// The key was used before with another request. Nothing was changed.
    KeyReused {
        /// The send it was used for.
        id: OutboxId,
    },
    /// The organization has no such session.
    SessionNotFound,
    /// No number is paired with the session, so there is no account that the send could belong to.
    LoggedOut {
        /// Where the session stands.
        status: String,
    },
    /// What it quotes is nothing that the people of this chat were shown.
    QuoteNotSeen {
        /// `another_chat`, `not_sent_by_this_account`, `revoked` or `not_sent`.
        reason: String,
    },
    /// What the operation is about has failed or was cancelled.
    TargetNotSent,
    /// A synchronous operation on a send that waits for its `sendAt`.
    NotSentYet {
        /// When that one is to go.
        send_at: Millis,
    },
    /// A synchronous send, and the session is not connected.
    NotConnected {
        /// Where the session stands.
        status: String,
    },
    /// A synchronous send, and the lane is paused.
    Paused {
        /// Whether an operator paused it; otherwise it rests by WhatsApp's wish.
        by_operator: bool,
        /// Until when, where that is known.
        until: Option<Millis>,
        /// Why.
        reason: String,
    },
    /// A synchronous send to somebody never written to, while WhatsApp restricts that.
    NewChatsHeld {
        /// Until when.
        until: Millis,
    },
    /// A synchronous send over the rate limit. Nothing was spent.
    RateLimited {
        /// The window that is exhausted.
        window: Window,
        /// When it would fit.
        retry_after_ms: u64,
    },
    /// Too many sends wait.
    LaneFull {
        /// How many.
        depth: u64,
    },
}

/// The present result of a send accepted earlier under the same key.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// The original's id.
    pub id: OutboxId,
    /// The original's WhatsApp message id.
    pub wa_message_id: String,
    /// Its status now.
    pub status: SendStatus,
    /// Since when.
    pub at: Millis,
    /// How the original was sent.
    pub mode: Mode,
    /// Why it failed, if it did.
    pub error: Option<SendFailure>,
    /// Who it is for.
    pub names: Names,
}

impl Lanes {
    /// Accepts a send, or says why not, in one atomic step.
    ///
    /// # Errors
    /// When Redis does not answer; the send may then have been accepted, and a repeat with the
    /// same idempotency key finds it.
    pub async fn accept(
        &self,
        now: Millis,
        request: &EnqueueRequest,
    ) -> Result<EnqueueOutcome, RedisFailure> {
        let root = self.root(&request.from.organization);
        let mut call = self.scripts.accept.on(&root);
        call.arg(now);
        arguments(&mut call, now, &self.retention, request)?;
        let reply: Vec<Value> = self.run_durably(&call).await?;
        let outcome = parse(&reply).ok_or_else(|| unexpected("accept.lua"))?;
        self.count(&outcome);
        Ok(outcome)
    }

    /// Counts what was accepted.
    pub(super) fn count(&self, outcome: &EnqueueOutcome) {
        if matches!(outcome, EnqueueOutcome::New { .. }) {
            self.tally.count(Counter::Accepted);
        }
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, RedisFailure> {
    serde_json::to_string(value).map_err(|error| RedisFailure(std::io::Error::other(error).into()))
}

/// Ten years, in milliseconds; numbers of this size pass through Lua unharmed.
const LONGEST_TIME_TO_LIVE: u64 = 10 * 366 * 86_400_000;

/// What `accept.lua` is asked, by the names that it reads.
#[derive(Serialize)]
struct Ask<'a> {
    id: &'a str,
    depth: u32,
    ttl: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    print: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quotes: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<(&'a str, String)>,
}

/// How a waiting request is named in Redis.
pub(super) fn waiter(waiter: &(InstanceId, String)) -> String {
    format!("{}/{}", waiter.0, waiter.1)
}

/// Adds the arguments of `accept.lua` after the first to a call.
pub(super) fn arguments(
    call: &mut ScriptInvocation<'_>,
    now: Millis,
    retention: &Retention,
    request: &EnqueueRequest,
) -> Result<(), RedisFailure> {
    let content = request.content.sealed();
    let time = now.max(request.send_at);
    let mut parts = Vec::new();
    for part in content.parts() {
        let said = part.media.caption.as_deref().unwrap_or_default();
        let kind = part.media.kind.as_str();
        let known = KnownMessage::new(request.to.as_str(), kind, time, said);
        parts.push((part.id.as_str(), json(&known)?));
    }
    let known = content.known(&request.to, time);
    let known = known.as_ref().map_or_else(|| Ok(String::new()), json)?;
    let amends = content.amendment(&request.to);
    let amends = amends.as_ref().map_or_else(|| Ok(String::new()), json)?;
    let ask = Ask {
        id: request.id.as_str(),
        depth: request.max_depth,
        ttl: request.time_to_live_ms.min(LONGEST_TIME_TO_LIVE),
        expires: request.expires_at,
        keep: request
            .idempotency
            .as_ref()
            .map(|_| retention.idempotency_ms),
        idem: request.idempotency.as_ref().map(|key| key.hash.as_str()),
        print: request
            .idempotency
            .as_ref()
            .map(|key| key.fingerprint.as_str()),
        waiter: request.waiter.as_ref().map(waiter),
        quotes: content.context().and_then(|it| it.reply_to.as_deref()),
        target: content.own_target(),
        parts,
    };
    let record = SendRecord {
        session: request.from.session.clone(),
        chat: request.to.clone(),
        wa_message_id: request.wa_message_id.clone(),
        mode: request.mode,
        parts: content.parts().iter().map(|part| part.id.clone()).collect(),
        kind: content.kind().to_owned(),
        request_id: request.request_id.clone(),
        send_at: Some(request.send_at).filter(|at| *at > 0),
        account: None,
        number: None,
        expires_at: None,
    };
    call.arg(json(&ask)?)
        .arg(json(&record)?)
        .arg(json(content.as_ref())?)
        .arg(known)
        .arg(amends);
    Ok(())
}

pub(super) fn parse(reply: &[Value]) -> Option<EnqueueOutcome> {
    let text =
        |index: usize| -> Option<String> { redis::from_redis_value_ref(reply.get(index)?).ok() };
    let name = |index: usize| text(index).filter(|name| !name.is_empty());
    let names = |first: usize| Names {
        pn: name(first),
        lid: name(first + 1),
    };
    Some(match text(0)?.as_str() {
        "accepted" => EnqueueOutcome::New {
            status: text(3)?.parse().ok()?,
            at: text(4)?.parse().ok()?,
            names: names(5),
        },
        "replayed" => EnqueueOutcome::Replayed(Replay {
            id: text(1)?.parse().ok()?,
            wa_message_id: text(2)?,
            status: text(3)?.parse().ok()?,
            at: text(4)?.parse().ok()?,
            mode: if text(5)? == "sync" {
                Mode::Sync
            } else {
                Mode::Async
            },
            error: serde_json::from_str(&text(6)?).ok(),
            names: names(7),
        }),
        "key_reused" => EnqueueOutcome::KeyReused {
            id: text(1)?.parse().ok()?,
        },
        "session_not_found" => EnqueueOutcome::SessionNotFound,
        "logged_out" => EnqueueOutcome::LoggedOut { status: text(1)? },
        "quote_not_seen" => EnqueueOutcome::QuoteNotSeen { reason: text(1)? },
        "target_not_sent" => EnqueueOutcome::TargetNotSent,
        "not_sent_yet" => EnqueueOutcome::NotSentYet {
            send_at: text(2)?.parse().ok()?,
        },
        "not_connected" => EnqueueOutcome::NotConnected { status: text(1)? },
        "paused" => EnqueueOutcome::Paused {
            by_operator: text(1)? == "operator",
            until: text(2)?.parse().ok().filter(|until| *until > 0),
            reason: text(3)?,
        },
        "new_chats_held" => EnqueueOutcome::NewChatsHeld {
            until: text(1)?.parse().ok()?,
        },
        "rate_limited" => EnqueueOutcome::RateLimited {
            window: if text(1)? == "hour" {
                Window::Hour
            } else {
                Window::Minute
            },
            retry_after_ms: text(2)?.parse().ok()?,
        },
        "lane_full" => EnqueueOutcome::LaneFull {
            depth: text(1)?.parse().ok()?,
        },
        _ => return None,
    })
}
