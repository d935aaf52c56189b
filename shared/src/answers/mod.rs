//! Answers kept for idempotency keys: for requests that are no sends, and are done once for each key
//! all the same (a session or a group is created, a webhook registered, a file stored).
//!
//! ```text
//!  begin ─▶ begun ─▶ (the work) ─▶ keep the answer      a repeat gets it, for retention.idempotency_ms
//!    │                    └─────▶ forget                it was refused: the key is free again
//!    ├────▶ under way                                   somebody else does it right now
//!    └────▶ answered
//! ```
//!
//! Answers may hold secrets that are shown once; they are sealed with the installation's keys.
//!
//! A process that dies between the work and its answer leaves a key that is under way until its lease
//! ends; a repeat after that does the work again. Where that must not be, the work itself must be one
//! step in Redis, as that of a send is.

use redis::Value;

use crate::domain::OrganizationId;
use crate::lane::IdempotencyKey;
use crate::redis::{LuaScript, RedisFailure, Store, script, unexpected};
use crate::secrets::{Keyring, OpenError, SealError};

/// What stands in the place of an outbox id in the record of a key that no send was made with.
pub const NO_SEND: &str = "out_00000000000000000000000000";

/// For how long work counts as under way, in milliseconds: longer than any of it takes.
const LEASE_MS: u64 = 60_000;

/// The answers behind a Redis.
#[derive(Debug, Clone)]
pub struct Answers {
    store: Store,
    keyring: Keyring,
    retention_ms: u64,
    scripts: std::sync::Arc<Scripts>,
}

#[derive(Debug)]
struct Scripts {
    begin: LuaScript,
    settle: LuaScript,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its HTTP status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why an answer could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Redis does not answer.
    #[error(transparent)]
    Redis(#[from] RedisFailure),
    /// It can not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It was sealed with a key that is not configured, or changed since.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<redis::RedisError> for AnswerError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error.into())
    }
}

/// What there is of the work for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is the caller's to do now, and to settle.
    Begun,
    /// Somebody else does it right now.
    UnderWay,
    /// It was done, and answered like this.
    Answered(KeptAnswer),
    /// The key was used before with another request.
    KeyReused,
}

impl Answers {
    /// The answers behind `store`, sealed with `keyring` and each kept for so long.
    #[must_use]
    pub fn new(store: Store, keyring: Keyring, retention_ms: u64) -> Self {
        let settings = format!("local NO_SEND = '{NO_SEND}'");
        let scripts = Scripts {
            begin: LuaScript::partition(&[&settings, include_str!("lua/begin.lua")]),
            settle: LuaScript::partition(&[include_str!("lua/settle.lua")]),
        };
        Self {
            store,
            keyring,
            retention_ms,
            scripts: std::sync::Arc::new(scripts),
        }
    }

    /// Begins the work for a key. `token` is the caller's own, by which it settles.
    ///
    /// # Errors
    /// When Redis does not answer, or what is kept can not be opened. The work may then count as under
    /// way until its lease ends.
    pub async fn begin(
        &self,
        organization: &OrganizationId,
        key: &IdempotencyKey,
        token: &str,
    ) -> Result<Begun, AnswerError> {
        let root = self.store.keys.partition(organization);
        let mut call = self.scripts.begin.on(&root);
        call.arg(&key.hash)
            .arg(&key.fingerprint)
            .arg(token)
            .arg(LEASE_MS);
        let reply: Vec<Value> = script::run_durably(&self.store.connection, &call).await?;
        let begun = parse(&reply).ok_or_else(|| unexpected("answers/begin.lua"))?;
        Ok(match begun {
            Begun::Answered(KeptAnswer { status, body }) => Begun::Answered(KeptAnswer {
                status,
                body: self.keyring.open(&context(organization, key), &body)?,
            }),
            other => other,
        })
    }

    /// Keeps the answer of the work for a key, or with `None` forgets that it was begun.
    ///
    /// # Errors
    /// When Redis does not answer: the work counts as under way until its lease ends.
    pub async fn settle(
        &self,
        organization: &OrganizationId,
        key: &IdempotencyKey,
        token: &str,
        answer: Option<&KeptAnswer>,
    ) -> Result<(), AnswerError> {
        let body = match answer {
            Some(answer) => self
                .keyring
                .seal(&context(organization, key), &answer.body)?,
            None => Vec::new(),
        };
        let root = self.store.keys.partition(organization);
        let mut call = self.scripts.settle.on(&root);
        let status = answer.map_or_else(String::new, |answer| answer.status.to_string());
        call.arg(&key.hash)
            .arg(token)
            .arg(self.retention_ms)
            .arg(status)
            .arg(body);
        // 0: the lease was over, and somebody else does it again.
        let _: i64 = script::run_durably(&self.store.connection, &call).await?;
        Ok(())
    }
}

/// What an answer is bound to: it opens in no other place.
fn context(organization: &OrganizationId, key: &IdempotencyKey) -> String {
    format!("answer:{organization}:{}", key.hash)
}

fn parse(reply: &[Value]) -> Option<Begun> {
    let text =
        |index: usize| -> Option<String> { redis::from_redis_value_ref(reply.get(index)?).ok() };
    Some(match text(0)?.as_str() {
        "begun" => Begun::Begun,
        "under_way" => Begun::UnderWay,
        "key_reused" => Begun::KeyReused,
        "answered" => Begun::Answered(KeptAnswer {
            status: text(1)?.parse().ok()?,
            body: redis::from_redis_value_ref(reply.get(2)?).ok()?,
        }),
        _ => return None,
    })
}
