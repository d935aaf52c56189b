//! Whether this worker may act: the lease side of law 3.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The right to act, good until a moment that each heartbeat moves on.
///
/// Others may bury this worker `liveness` after its last heartbeat was *sent*. It stops acting a
/// margin before that, by the monotonic clock, which also runs while the process is frozen: a
/// worker that wakes from `SIGSTOP` finds its right expired before it does anything.
#[derive(Debug, Clone)]
pub struct Liveness {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    origin: Instant,
    /// Milliseconds after `origin` until which the worker may act.
    until: AtomicU64,
    fenced: CancellationToken,
}

impl Liveness {
    /// A right that has not been granted yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            inner: Arc::new(Inner {
                origin: Instant::now(),
                until: AtomicU64::new(0),
                fenced: CancellationToken::new(),
            }),
        }
    }

    /// Grants the right for `span` from `sent`, the moment the heartbeat was sent.
    pub fn extend(&self, sent: Instant, span: Duration) {
        let until = (sent + span).saturating_duration_since(self.inner.origin);
        let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.inner.until.fetch_max(until, Ordering::AcqRel);
    }

    /// Whether the worker may act at this very moment. Once false it stays false: finding the
    /// right expired fences the worker for good.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.may_act_at(Instant::now())
    }

    fn may_act_at(&self, moment: Instant) -> bool {
        if self.inner.fenced.is_cancelled() {
            return false;
        }
        let now = moment
            .saturating_duration_since(self.inner.origin)
            .as_millis();
        if now < u128::from(self.inner.until.load(Ordering::Acquire)) {
            return true;
        }
        self.fence();
        false
    }

    /// The moment at which the right expires if no heartbeat moves it on.
    #[must_use]
    pub fn expires(&self) -> Instant {
        self.inner.origin + Duration::from_millis(self.inner.until.load(Ordering::Acquire))
    }

    /// Ends the right at once.
    pub fn fence(&self) {
        self.inner.fenced.cancel();
    }

    /// Cancelled once the worker is fenced.
    #[must_use]
    pub fn fenced(&self) -> CancellationToken {
        self.inner.fenced.clone()
    }
}

impl Default for Liveness {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_millis(100);

    #[test]
    fn the_right_expires_unless_a_heartbeat_moves_it_on() {
        let liveness = Liveness::new();
        let start = Instant::now();
        liveness.extend(start, BEAT);
        let next = start + Duration::from_millis(60);
        assert!(liveness.may_act_at(next));
        liveness.extend(next, BEAT);
        assert!(liveness.may_act_at(next + Duration::from_millis(98)));
        assert!(!liveness.may_act_at(next + BEAT));
    }

    #[test]
    fn an_expired_right_never_comes_back() {
        let liveness = Liveness::new();
        let start = Instant::now();
        liveness.extend(start, BEAT);
        assert!(!liveness.may_act_at(start + BEAT));
        liveness.extend(start + BEAT, BEAT);
        assert!(!liveness.may_act_at(start + BEAT));
        assert!(liveness.fenced().is_cancelled());
    }
}
