//! How long what failed waits for its next attempt: sends, calls to Redis, dials.

use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::config::WorkerConfig;
use rand::RngExt;

/// Pauses that double, with jitter. The story of a send that keeps failing for now:
///
/// 1. The first attempt fails. The next one comes after `base`, or up to half of it sooner: a
///    hundred sends that failed together do not come back together.
/// 2. Each further failure doubles the wait, as whatever is broken seems to need longer.
/// 3. No wait is longer than `cap`, so that what recovers is noticed.
/// 4. After the greatest number of attempts the send is a dead letter. That is not decided here but
///    by the script that settles it, since only Redis counts across workers.
///
/// With the default of 1 s, 60 s and 8 attempts a send is given up after about three minutes of
/// attempts. Waiting for a connection, for the rate limit or for a pause is no attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first attempt.
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
}

impl From<&WorkerConfig> for Backoff {
    fn from(config: &WorkerConfig) -> Self {
        Self {
            base: Duration::from_millis(config.backoff_base_ms),
            cap: Duration::from_millis(config.backoff_max_ms),
        }
    }
}

impl Backoff {
    /// The wait after failed attempt number `attempt` (the first is 1), for a random number of
    /// `0.0..1.0`: at least half of what the attempt asks for.
    #[must_use]
    pub fn wait(&self, attempt: u32, random: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(30);
        let full = self.base.saturating_mul(1 << doublings).min(self.cap);
        full.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }

    /// When the next attempt is due after attempt number `attempt` failed at `now`.
    #[must_use]
    pub fn due(&self, now: Millis, attempt: u32) -> Millis {
        let wait = self.wait(attempt, rand::rng().random_range(0.0..1.0));
        now.saturating_add(Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
    };

    #[test]
    fn waits_double_up_to_the_cap() {
        let longest = |attempt| BACKOFF.wait(attempt, 1.0).as_secs();
        assert_eq!(
            [1, 2, 3, 6, 7, 8, 99].map(longest),
            [1, 2, 4, 32, 60, 60, 60]
        );
    }

    #[test]
    fn half_of_a_wait_is_chance() {
        assert_eq!(BACKOFF.wait(3, 0.0), Duration::from_secs(2));
        assert_eq!(BACKOFF.wait(3, 0.5), Duration::from_secs(3));
        let due = BACKOFF.due(1_000, 1);
        assert!((1_500..=2_000).contains(&due), "{due}");
    }
}
