//! What happened, by the minute: the last hour of the whole installation, in a ring in Redis.
//!
//! Each process counts in memory and adds to the ring every few seconds, so that counting costs the way of
//! a send nothing. A process that is killed takes the seconds it had not added yet along: these are
//! figures for people and charts, nothing is decided by them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::AsyncCommands;
use serde::Serialize;

use crate::clock::{Millis, SystemClock};
use crate::redis::keys::{GLOBAL, key};
use crate::redis::{LuaScript, RedisFailure, Store, script};

/// Minutes that the ring holds.
pub const MINUTES: usize = 60;
/// How often a process adds what it counted.
const EVERY: Duration = Duration::from_secs(2);
/// Milliseconds of a minute.
const MINUTE: Millis = 60_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// A send was accepted.
    Accepted,
    /// WhatsApp has acknowledged a send.
    Sent,
    /// An attempt became a dead letter.
    Failed,
    /// An attempt failed and is repeated.
    Retried,
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Sent, Self::Failed, Self::Retried];

    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Retried => "retried",
        }
    }
}

/// What this process counted and did not add to the ring yet.
#[derive(Debug, Default)]
pub struct Tally {
    counts: [AtomicU64; 4],
}

/// What happened in one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Minute {
    /// When it began.
    pub at: Millis,
    /// Sends that were accepted.
    pub accepted: u64,
    /// Sends that WhatsApp acknowledged.
    pub sent: u64,
    /// Attempts that ended as dead letters.
    pub failed: u64,
    /// Attempts that failed and are repeated.
    pub retried: u64,
}

impl Tally {
    /// Counts one.
    pub fn count(&self, counter: Counter) {
        self.counts[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what was counted to the ring until dropped.
    pub async fn keep(&self, store: &Store, clock: &SystemClock) {
        let ring = Ring::new(store.clone());
        loop {
            tokio::time::sleep(EVERY).await;
            let now = crate::clock::Clock::now(clock);
            self.add(&ring, now).await;
        }
    }

    /// Adds what was counted. What Redis does not take is added the next time.
    async fn add(&self, ring: &Ring, now: Millis) {
        let counted =
            Counter::ALL.map(|counter| self.counts[counter as usize].swap(0, Ordering::Relaxed));
        if counted.iter().all(|count| *count == 0) {
            return;
        }
        if let Err(error) = ring.add(now, counted).await {
            tracing::debug!(%error, "the minute's figures wait");
            for (count, place) in counted.iter().zip(&self.counts) {
                place.fetch_add(*count, Ordering::Relaxed);
            }
        }
    }
}

/// The ring in Redis.
#[derive(Debug)]
pub struct Ring {
    store: Store,
    add: LuaScript,
}

impl Ring {
    /// The ring behind `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let add = LuaScript::global(&[&store.clock(), include_str!("tally.lua")]);
        Self { store, add }
    }

    async fn add(&self, now: Millis, counts: [u64; 4]) -> Result<(), RedisFailure> {
        let root = self.store.keys.global();
        let mut call = self.add.on(&root);
        call.arg(now);
        for (counter, count) in Counter::ALL.iter().zip(counts) {
            call.arg(counter.as_str()).arg(count);
        }
        let _: u64 = script::run(&self.store.connection, &call).await?;
        Ok(())
    }

    /// The last hour, the present minute last. A minute in which nothing was counted is all zeros.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn hour(&self, now: Millis) -> Result<Vec<Minute>, RedisFailure> {
        let ring = key(GLOBAL, &self.store.keys.global(), "minutes", &[]);
        let slots: HashMap<String, String> = self.store.connection.clone().hgetall(ring).await?;
        let present = now.div_euclid(MINUTE);
        let length = Millis::try_from(MINUTES).unwrap_or(60);
        let minutes = (present - length + 1..=present).map(|minute| {
            let count = |counter: Counter| {
                let slot = format!("{}:{}", minute.rem_euclid(length), counter.as_str());
                let (of, count) = slots.get(&slot)?.split_once(' ')?;
                (of.parse() == Ok(minute)).then(|| count.parse().ok())?
            };
            Minute {
                at: minute * MINUTE,
                accepted: count(Counter::Accepted).unwrap_or(0),
                sent: count(Counter::Sent).unwrap_or(0),
                failed: count(Counter::Failed).unwrap_or(0),
                retried: count(Counter::Retried).unwrap_or(0),
            }
        });
        Ok(minutes.collect())
    }
}
