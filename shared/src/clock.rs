//! Time as an argument.
//!
//! Wall time is epoch milliseconds (UTC), the unit of the whole contract. What others depend on
//! (leases, expiry, budgets, retention) is decided by Redis' own time, inside the scripts
//! (`redis/lua/clock.lua`); a process only uses its [`Clock`] to know when to ask.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::time::Instant;

/// Epoch milliseconds (UTC).
pub type Millis = i64;

/// A source of wall time.
pub trait Clock: Debug + Send + Sync {
    /// The present moment in epoch milliseconds.
    fn now(&self) -> Millis;
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// Redis' time as this process knows it: what Redis said last, and the monotonic time since.
///
/// The machine's wall clock is read once, at the start, and only counts until
/// [`follow`](Self::follow) is called for the first time: whoever sets it afterwards moves nothing
/// here.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
    /// The time at `origin`.
    at_origin: AtomicI64,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            at_origin: AtomicI64::new(Self::local()),
        }
    }
}

impl SystemClock {
    /// A clock that follows nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows a reference: `reference` was the time there at the moment `at`.
    pub fn follow(&self, reference: Millis, at: Instant) {
        let at_origin = reference - self.elapsed(at);
        self.at_origin.store(at_origin, Ordering::Relaxed);
    }

    fn elapsed(&self, at: Instant) -> Millis {
        let elapsed = at.saturating_duration_since(self.origin).as_millis();
        Millis::try_from(elapsed).unwrap_or(Millis::MAX)
    }

    /// The machine's own wall time, which may be wrong.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn local() -> Millis {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |elapsed| {
            Millis::try_from(elapsed.as_millis()).unwrap_or(Millis::MAX)
        })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        self.at_origin.load(Ordering::Relaxed) + self.elapsed(Instant::now())
    }
}

/// A clock that stands still until it is told to move; for tests of rules about time.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        Self {
            now: AtomicI64::new(now),
        }
    }

    /// Moves the clock on by `millis`.
    pub fn advance(&self, millis: Millis) {
        self.now.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        self.now.load(Ordering::Relaxed)
    }
}
