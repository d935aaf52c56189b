//! The rate budget of a session: governor, with a state that outlives the process.
//!
//! What is spent is counted by `turn.lua`, in the step that claims and by Redis' time. governor reads
//! the state that a turn gives back and says when it is worth asking again, so that a lane over its
//! limit costs nothing; and it is the yardstick that the script is tested against.
//!
//! Each window is a generic cell rate algorithm (GCRA): a session that rested may send its whole
//! limit at once, and gets it back evenly over the window. So in any stretch of time there are at
//! most `limit + stretch × limit / window` sends. The state is one number a window, the theoretical
//! arrival time, kept beside the lane: neither a crash nor a take-over refills it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::domain::Limits;

/// One of the two windows of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
}

impl Window {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }

    fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
        })
    }
}

/// A budget's state: theoretical arrival times in epoch microseconds, 0 = untouched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateState {
    /// Of the minute window.
    pub minute: u64,
    /// Of the hour window.
    pub hour: u64,
}

/// The budget does not allow one more send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The window that holds it back longest.
    pub window: Window,
    /// How long, in milliseconds, rounded up.
    pub retry_after_ms: u64,
}

/// A session's budget.
#[derive(Debug)]
pub struct Budget {
    minute: Option<Limiter>,
    hour: Option<Limiter>,
}

impl Budget {
    /// The budget of `limits`, resumed from `state`.
    #[must_use]
    pub fn new(limits: Limits, state: RateState) -> Self {
        Self {
            minute: Limiter::new(Window::Minute, limits.rate_per_min, state.minute),
            hour: Limiter::new(Window::Hour, limits.rate_per_hour, state.hour),
        }
    }

    /// How many sends, at most `want`, both windows allow at this moment. Spends nothing.
    ///
    /// # Errors
    /// When they allow none: which window forbids it, and for how long.
    pub fn available(&self, now: Millis, want: u32) -> Result<u32, Exceeded> {
        let mut least = want;
        let mut worst: Option<Exceeded> = None;
        for limiter in [&self.minute, &self.hour].into_iter().flatten() {
            match limiter.available(now, want) {
                Ok(cells) => least = least.min(cells),
                Err(exceeded) => {
                    if worst.is_none_or(|known| known.retry_after_ms < exceeded.retry_after_ms) {
                        worst = Some(exceeded);
                    }
                }
            }
        }
        worst.map_or(Ok(least), Err)
    }

    /// Records `claims` made at this moment.
    pub fn spend(&mut self, now: Millis, claims: u32) {
        if claims == 0 {
            return;
        }
        for limiter in [&self.minute, &self.hour].into_iter().flatten() {
            let before = limiter.state.load().max(micros(now));
            limiter
                .state
                .store(before + limiter.each() * u64::from(claims));
        }
    }

    /// The state to resume from.
    #[must_use]
    pub fn state(&self) -> RateState {
        let read = |limiter: &Option<Limiter>| limiter.as_ref().map_or(0, |l| l.state.load());
        RateState {
            minute: read(&self.minute),
            hour: read(&self.hour),
        }
    }
}

#[derive(Debug)]
struct Limiter {
    window: Window,
    quota: Quota,
    state: ArrivalTime,
}

impl Limiter {
    fn new(window: Window, limit: u32, state: u64) -> Option<Self> {
        let limit = NonZeroU32::new(limit)?;
        // Rounded up to the microseconds that Redis keeps, so that nothing is gained by it.
        let each = window
            .length()
            .as_micros()
            .div_ceil(u128::from(limit.get()));
        let each = Duration::from_micros(u64::try_from(each).unwrap_or(u64::MAX));
        let quota = Quota::with_period(each)?.allow_burst(limit);
        let state = ArrivalTime(AtomicU64::new(state));
        Some(Self {
            window,
            quota,
            state,
        })
    }

    fn each(&self) -> u64 {
        u64::try_from(self.quota.replenish_interval().as_micros()).unwrap_or(u64::MAX)
    }

    fn available(&self, now: Millis, want: u32) -> Result<u32, Exceeded> {
        let trial = RateLimiter::<_, _, _, NoOpMiddleware<Duration>>::new(
            self.quota,
            ArrivalTime(AtomicU64::new(self.state.load())),
            Moment::default(),
        );
        trial.clock().0.store(micros(now), Ordering::Relaxed);
        let mut cells = 0;
        while cells < want {
            match trial.check() {
                Ok(()) => cells += 1,
                Err(_) if cells > 0 => break,
                Err(not_until) => {
                    let wait = not_until.earliest_possible().as_micros();
                    let wait = wait.saturating_sub(u128::from(micros(now))).div_ceil(1_000);
                    let retry_after_ms = u64::try_from(wait).unwrap_or(u64::MAX).max(1);
                    return Err(Exceeded {
                        window: self.window,
                        retry_after_ms,
                    });
                }
            }
        }
        Ok(cells)
    }
}

fn micros(now: Millis) -> u64 {
    u64::try_from(now).unwrap_or(0).saturating_mul(1_000)
}

/// governor's state store: one theoretical arrival time in epoch microseconds.
#[derive(Debug)]
struct ArrivalTime(AtomicU64);

impl ArrivalTime {
    fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn store(&self, micros: u64) {
        self.0.store(micros, Ordering::Relaxed);
    }
}

impl StateStore for ArrivalTime {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let known = self.load();
        let (outcome, next) = f((known > 0).then(|| Nanos::from(known.saturating_mul(1_000))))?;
        self.store(next.as_u64().div_ceil(1_000));
        Ok(outcome)
    }
}

/// governor's clock: a moment that is set. Starting at zero it makes arrival times absolute.
#[derive(Debug, Default)]
struct Moment(AtomicU64);

impl Clock for Moment {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

// `Duration` is governor's own choice of reference for clocks that are not the machine's.
const _: fn() = || {
    fn is_reference<R: Reference>() {}
    is_reference::<Duration>();
};

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_763_700_000_000;

    fn limits(rate_per_min: u32, rate_per_hour: u32) -> Limits {
        Limits {
            rate_per_min,
            rate_per_hour,
        }
    }

    #[test]
    fn a_rested_session_may_send_its_limit_at_once_and_then_evenly() {
        let mut budget = Budget::new(limits(20, 0), RateState::default());
        assert_eq!(budget.available(NOW, 64), Ok(20));
        budget.spend(NOW, 20);
        let exceeded = Exceeded {
            window: Window::Minute,
            retry_after_ms: 3_000,
        };
        assert_eq!(budget.available(NOW, 64), Err(exceeded));
        assert_eq!(budget.available(NOW + 3_000, 64), Ok(1));
        assert_eq!(budget.available(NOW + 60_000, 64), Ok(20));
    }

    #[test]
    fn the_state_survives_a_restart() {
        let mut budget = Budget::new(limits(7, 100), RateState::default());
        budget.spend(NOW, 7);
        let resumed = Budget::new(limits(7, 100), budget.state());
        assert!(resumed.available(NOW + 1, 1).is_err());
        assert_eq!(resumed.state(), budget.state());
    }

    #[test]
    fn the_longer_wait_is_told() {
        let mut budget = Budget::new(limits(2, 2), RateState::default());
        budget.spend(NOW, 2);
        let exceeded = budget.available(NOW, 1).unwrap_err();
        assert_eq!(exceeded.window, Window::Hour);
        assert_eq!(exceeded.retry_after_ms, 1_800_000);
    }

    #[test]
    fn no_limit_is_no_limit() {
        let budget = Budget::new(limits(0, 0), RateState::default());
        assert_eq!(budget.available(NOW, 64), Ok(64));
    }
}
