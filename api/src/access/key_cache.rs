//! API keys in memory.
//!
//! The cache answers only while this process is known to hear of changes (the `changed` channel).
//! When the subscription is lost it is dropped and every key is asked for in Redis, so a revoked
//! key never outlives its revocation by more than it takes to notice the loss.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use gateway_shared::apikey::{ApiKeys, KeyHash};
use gateway_shared::clock::SharedClock;
use gateway_shared::redis::RedisFailure;
use tokio::sync::watch;

use super::Caller;
use super::authenticators::Verdict;
use super::token::Token;
use crate::control::KeyUses;

/// Most keys remembered, known and unknown ones each. What is over is forgotten, all at once: a
/// flood of made-up keys can neither fill the memory nor push out the known ones.
const MOST: usize = 50_000;

/// API keys as this process remembers them.
#[derive(Debug)]
pub(crate) struct KeyCache {
    keys: ApiKeys,
    uses: Arc<KeyUses>,
    clock: SharedClock,
    memory: RwLock<Memory>,
    /// Grows with every change told. An answer that was asked for before a change is not kept.
    changes: AtomicU64,
    reported: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Memory {
    trusted: bool,
    known: HashMap<KeyHash, Arc<Caller>>,
    unknown: HashSet<KeyHash>,
}

impl KeyCache {
    pub(crate) fn new(keys: ApiKeys, clock: SharedClock, uses: Arc<KeyUses>) -> Self {
        Self {
            keys,
            uses,
            clock,
            memory: RwLock::default(),
            changes: AtomicU64::new(0),
            reported: watch::Sender::new(0),
        }
    }

    /// Whose key a token is.
    pub(super) async fn check(&self, token: &Token) -> Result<Verdict, RedisFailure> {
        let Some(hash) = KeyHash::of(token.as_str()) else {
            return Ok(Verdict::Foreign);
        };
        let found = match self.remembered(&hash) {
            Some(found) => found,
            None => self.ask(hash.clone()).await?,
        };
        Ok(match found {
            Some(caller) if self.is_current(&caller) => {
                self.uses.note(&hash, self.clock.now());
                Verdict::Accepted(caller)
            }
            _ => Verdict::Refused,
        })
    }

    fn is_current(&self, caller: &Caller) -> bool {
        caller
            .expires_at
            .is_none_or(|expires_at| self.clock.now() < expires_at)
    }

    fn remembered(&self, hash: &KeyHash) -> Option<Option<Arc<Caller>>> {
        let memory = self.read();
        if !memory.trusted {
            return None;
        }
        if let Some(caller) = memory.known.get(hash) {
            return Some(Some(caller.clone()));
        }
        memory.unknown.contains(hash).then_some(None)
    }

    async fn ask(&self, hash: KeyHash) -> Result<Option<Arc<Caller>>, RedisFailure> {
        let changes = self.changes.load(Ordering::Acquire);
        let found = self.keys.find(&hash).await?;
        let caller = found.map(|key| Arc::new(Caller::from(key)));
        let mut memory = self.write();
        if memory.trusted && self.changes.load(Ordering::Acquire) == changes {
            match &caller {
                Some(caller) => {
                    if memory.known.len() >= MOST {
                        memory.known.clear();
                    }
                    memory.known.insert(hash, caller.clone());
                }
                None => {
                    if memory.unknown.len() >= MOST {
                        memory.unknown.clear();
                    }
                    memory.unknown.insert(hash);
                }
            }
        }
        Ok(caller)
    }

    /// A key was made, changed or revoked.
    pub(crate) fn changed(&self, hash: &str) {
        {
            let mut memory = self.write();
            let changes = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
            self.reported.send_replace(changes);
            memory.known.remove(hash);
            memory.unknown.remove(hash);
        }
        tracing::debug!("an API key changed");
    }

    /// This process hears of changes from now on, or does not any more.
    pub(crate) fn trust(&self, trusted: bool) {
        let mut memory = self.write();
        let changes = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        self.reported.send_replace(changes);
        *memory = Memory {
            trusted,
            ..Memory::default()
        };
    }

    /// Tells when a key may have changed; for streams, which outlive their request's check.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.reported.subscribe()
    }

    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}
