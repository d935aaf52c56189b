//! How many connections to WhatsApp are begun a minute, by all workers of an installation together.
//!
//! A thousand sessions that connect in the same second from one address are what an attack looks like:
//! after a restart, a take-over or an outage they come back one after the other.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Millis;
use crate::redis::{LuaScript, RedisFailure, Store, unexpected};

/// So much of the rate may be used at once after a rest: that of ten seconds.
const BORROWED_MS: u64 = 10_000;
/// Whoever would have to wait longer than this books nothing and asks again later.
const LONGEST_WAIT_MS: u64 = 10_000;

/// Books connections. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Connects {
    store: Store,
    book: Arc<LuaScript>,
    per_minute: u32,
}

/// Whether a connection may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booked {
    /// After this time.
    After(Duration),
    /// Not now: so long it would have to wait.
    Full(Duration),
}

impl Connects {
    /// At most `per_minute` connections a minute behind `store`; 0 = no limit.
    #[must_use]
    pub fn new(store: Store, per_minute: u32) -> Self {
        let book = LuaScript::global(&[&store.clock(), include_str!("book.lua")]);
        Self {
            store,
            book: Arc::new(book),
            per_minute,
        }
    }

    /// Books one connection.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn book(&self, now: Millis) -> Result<Booked, RedisFailure> {
        if self.per_minute == 0 {
            return Ok(Booked::After(Duration::ZERO));
        }
        let mut call = self.book.on(&self.store.keys.global());
        call.arg(now)
            .arg(60_000.0 / f64::from(self.per_minute))
            .arg(BORROWED_MS)
            .arg(LONGEST_WAIT_MS);
        let reply: Vec<String> = crate::redis::script::run(&self.store.connection, &call).await?;
        let wait = reply.get(1).and_then(|wait| wait.parse().ok());
        let wait = Duration::from_millis(wait.ok_or_else(|| unexpected("book.lua"))?);
        match reply.first().map(String::as_str) {
            Some("booked") => Ok(Booked::After(wait)),
            Some("full") => Ok(Booked::Full(wait)),
            _ => Err(unexpected("book.lua")),
        }
    }
}
