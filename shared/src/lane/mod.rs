//! Lanes: the queue of each session, from acceptance to settlement.
//!
//! ```text
//!  accept ─▶ [chat A: 1 4 7]  [chat B: 2 3]  [chat C: 5]      waiting, each chat in its order
//!                │ ready: heads by urgency, then order of acceptance
//!  claim  ─▶ in flight: 1 2 5                                  one of a chat at a time
//!                │
//!  settle ─▶ sent │ retry (back-off at the head) │ release (place kept) │ dead (dead letter)
//! ```
//!
//! Three counts end a send: *attempts* that failed, *owners* that vanished one after the other with
//! it in flight ([`CrashPolicy`]), and its time to live. Waiting, a hand-over, a lost answer and an
//! owner that was merely cut off count nothing.
//!
//! Settling and the next claim are one call, a *turn*: a busy lane costs its owner one round trip
//! for a whole batch. An owner that found nothing ready is woken by the step that changes that.
//!
//! Each step is one Lua script over the organization's partition, so what it says and what it
//! tells (the event) can not part. Every step by a worker carries its epoch and is refused when
//! that is stale. The scripts' heads in `lua/` list arguments and replies.

mod accept;
mod ahead;
mod backlog;
mod batch;
mod budget;
mod claim;
mod dead;
mod find;
mod gauge;
mod hold;
mod identity;
mod lifecycle;
mod outbox;
mod replay;
mod turn;
mod waiting;

use crate::domain::{OrganizationId, SessionId};
use crate::identity::NAMES;
use crate::messages::INDEX;
use crate::redis::{LuaScript, RedisFailure, Store, script};
use crate::tally::Tally;

pub use crate::send::Mode;
pub use accept::{EnqueueOutcome, EnqueueRequest, IdempotencyKey, Replay};
pub use budget::{Budget, Exceeded, RateState, Window};
pub use claim::{Claim, ClaimedSend, CrashPolicy, Recovered};
pub use find::Found;
pub use gauge::Gauge;
pub use hold::{Hold, Scope};
pub use lifecycle::{Cancelled, Receipt, ReceiptStatus, Retried};
pub(crate) use outbox::read_history;
pub use outbox::{OutboxEntry, OutboxFilter, StatusChange};
pub use turn::{Attempt, Settled, Settlement, Turn};
pub use waiting::{WaitReason, WaitingFor};

/// A fencing token: how often the session has changed hands. It only grows (law 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// The caller no longer owns the session: its epoch is stale, and nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session has a new owner")]
pub struct Stale;

/// Why a step of an owner did not happen.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The epoch is stale.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// Redis did not answer, or not as expected. The step may have happened.
    #[error(transparent)]
    Redis(#[from] RedisFailure),
}

impl From<redis::RedisError> for LaneError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(RedisFailure(error))
    }
}

/// How long things are kept (`[retention]` of the configuration).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Events, in milliseconds.
    pub events_ms: u64,
    /// Greatest size of the events of one organization, in bytes.
    pub events_bytes: u64,
    /// Outbox entries after their last change, in milliseconds. At least `idempotency_ms`, since
    /// the repeat of a key is answered from the entry.
    pub outbox_ms: u64,
    /// Idempotency keys after their first use, in milliseconds.
    pub idempotency_ms: u64,
    /// What a session remembers of messages it sent and saw, in milliseconds.
    pub messages_ms: u64,
    /// Of how many messages, at most, a session remembers it.
    pub messages: u32,
}

/// A session and the place where its records are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionRef {
    /// Whose it is.
    pub organization: OrganizationId,
    /// Which one.
    pub session: SessionId,
}

/// The scripts of the lanes, bound to a Redis.
#[derive(Debug, Clone)]
pub struct Lanes {
    store: Store,
    retention: Retention,
    scripts: std::sync::Arc<Scripts>,
    tally: std::sync::Arc<Tally>,
}

#[derive(Debug)]
struct Scripts {
    accept: LuaScript,
    accept_all: LuaScript,
    replay: LuaScript,
    gauge: LuaScript,
    waiting: LuaScript,
    turn: LuaScript,
    recover: LuaScript,
    receipt: LuaScript,
    survived: LuaScript,
    cancel: LuaScript,
    retry: LuaScript,
    pause: LuaScript,
    sweep: LuaScript,
    sweep_events: LuaScript,
    abandon: LuaScript,
    learn: LuaScript,
}

/// What tells one request from another, so that a client library may repeat it.
fn request_token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

impl Lanes {
    /// The lanes behind `store`.
    #[must_use]
    pub fn new(store: Store, retention: Retention) -> Self {
        let settings = crate::redis::settings(&store, &retention);
        let make = |parts: &[&str]| {
            let shared = [
                settings.as_str(),
                NAMES,
                include_str!("lua/lane.lua"),
                include_str!("lua/entry.lua"),
                include_str!("lua/place.lua"),
            ];
            LuaScript::partition(&[&shared[..], parts].concat())
        };
        let used_key = include_str!("lua/used_key.lua");
        let trim = concat!(
            include_str!("lua/trim.lua"),
            include_str!("lua/findable.lua")
        );
        let accept = include_str!("lua/accept.lua");
        let each = format!("local function accept(ARGV)\n{accept}\nend");
        let scripts = Scripts {
            accept: make(&[INDEX, used_key, trim, accept]),
            accept_all: make(&[
                INDEX,
                used_key,
                trim,
                &each,
                include_str!("lua/accept_all.lua"),
            ]),
            replay: make(&[used_key, include_str!("lua/replay.lua")]),
            gauge: make(&[include_str!("lua/gauge.lua")]),
            waiting: make(&[include_str!("lua/waiting.lua")]),
            turn: make(&[INDEX, include_str!("lua/turn.lua")]),
            recover: make(&[include_str!("lua/recover.lua")]),
            receipt: make(&[INDEX, include_str!("lua/receipt.lua")]),
            survived: make(&[include_str!("lua/survived.lua")]),
            retry: make(&[include_str!("lua/retry.lua")]),
            cancel: make(&[include_str!("lua/cancel.lua")]),
            pause: make(&[include_str!("lua/pause.lua")]),
            sweep: make(&[trim, include_str!("lua/sweep.lua")]),
            sweep_events: LuaScript::partition(&[&settings, include_str!("lua/sweep_events.lua")]),
            abandon: make(&[include_str!("lua/abandon.lua")]),
            learn: make(&[include_str!("lua/learn.lua")]),
        };
        Self {
            store,
            retention,
            scripts: std::sync::Arc::new(scripts),
            tally: std::sync::Arc::default(),
        }
    }

    /// What this process did with sends, by the minute.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The Redis behind the lanes.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn root(&self, organization: &OrganizationId) -> String {
        self.store.keys.partition(organization)
    }

    async fn run<T: redis::FromRedisValue>(
        &self,
        call: &redis::ScriptInvocation<'_>,
    ) -> Result<T, RedisFailure> {
        Ok(script::run(&self.store.connection, call).await?)
    }

    /// For what a caller is promised once it returns.
    async fn run_durably<T: redis::FromRedisValue>(
        &self,
        call: &redis::ScriptInvocation<'_>,
    ) -> Result<T, RedisFailure> {
        Ok(script::run_durably(&self.store.connection, call).await?)
    }
}
