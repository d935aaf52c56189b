//! Time as an argument.
//!
//! Everything that decides by time takes a [`Clock`], so that a test can put any rule at any
//! moment. Wall time is epoch milliseconds (UTC), the unit of the whole contract.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Epoch milliseconds (UTC).
pub type Millis = i64;

/// A source of wall time.
pub trait Clock: Debug + Send + Sync {
    /// The present moment in epoch milliseconds.
    fn now(&self) -> Millis;
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock, shifted by a measured offset to Redis' own clock.
///
/// Deadlines that two machines must agree on (worker liveness, expiry) are compared in Redis'
/// time, so a machine whose clock is off by minutes still behaves. [`SystemClock::follow`] sets
/// the offset; until then it is zero.
#[derive(Debug, Default)]
pub struct SystemClock {
    offset: AtomicI64,
}

impl SystemClock {
    /// A clock with no offset yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows a reference: `reference` was the time there when [`Self::local`] said `local`.
    pub fn follow(&self, reference: Millis, local: Millis) {
        self.offset.store(reference - local, Ordering::Relaxed);
    }

    /// The machine's own wall time, without the offset.
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
        Self::local() + self.offset.load(Ordering::Relaxed)
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
