//! When a refused event is tried again.

use gateway_shared::clock::Millis;
use gateway_shared::webhooks::{RetryKind, RetryPolicy, WebhookConfig};

/// Longest pause of a policy of one's own.
const LONGEST: u64 = 3_600_000;

/// What follows a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another attempt at this moment.
    At(Millis),
    /// It is a dead letter.
    Never,
}

/// What is known of an attempt that was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    /// Attempts so far, this one included.
    pub(super) attempts: u32,
    /// When the first one began.
    pub(super) first_at: Millis,
    /// The present moment.
    pub(super) now: Millis,
    /// What the answer asked for, in milliseconds.
    pub(super) retry_after: Option<u64>,
    /// A random number from 0 to 1.
    pub(super) chance: f64,
}

/// When a refused event is tried again: by its webhook's policy, or else by the configured
/// schedule, which ends a set time after the first attempt.
pub(super) fn next(config: &WebhookConfig, policy: Option<RetryPolicy>, refusal: Refusal) -> Next {
    let pause = match policy {
        Some(policy) if refusal.attempts >= policy.attempts => return Next::Never,
        Some(policy) => {
            let first = u64::from(policy.delay_seconds) * 1_000;
            let pause = match policy.policy {
                RetryKind::Constant => first,
                RetryKind::Linear => first.saturating_mul(u64::from(refusal.attempts)),
                RetryKind::Exponential => {
                    let doublings = refusal.attempts.saturating_sub(1).min(32);
                    first.saturating_mul(1 << doublings)
                }
            };
            pause.min(LONGEST)
        }
        None => step(config, refusal.attempts.saturating_sub(1)),
    };
    let asked = refusal
        .retry_after
        .unwrap_or(0)
        .min(config.max_retry_after_ms);
    let pause = jittered(pause, refusal.chance).max(asked);
    let at = refusal
        .now
        .saturating_add(Millis::try_from(pause).unwrap_or(Millis::MAX));
    let end = refusal
        .first_at
        .saturating_add(Millis::try_from(config.give_up_after_ms).unwrap_or(Millis::MAX));
    if policy.is_none() && at > end {
        return Next::Never;
    }
    Next::At(at)
}

/// The configured pause after so many others; the last one repeats.
pub(super) fn step(config: &WebhookConfig, passed: u32) -> u64 {
    let steps = &config.schedule_ms;
    let index = usize::try_from(passed).unwrap_or(usize::MAX);
    steps.get(index).or(steps.last()).copied().unwrap_or(0)
}

/// A pause, give or take a fifth. `chance` is from 0 to 1.
pub(super) fn jittered(pause: u64, chance: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "pauses are far below 2^52"
    )]
    let pause = (pause as f64 * (0.8 + 0.4 * chance)) as u64;
    pause
}

#[cfg(test)]
mod tests {
    use gateway_shared::config::Config;

    use super::*;

    fn config() -> WebhookConfig {
        Config::defaults().unwrap().webhooks
    }

    /// The pauses in seconds when every attempt is refused.
    fn pauses(policy: Option<RetryPolicy>) -> Vec<i64> {
        let (mut now, mut pauses) = (0, Vec::new());
        for attempts in 1.. {
            let refusal = Refusal {
                attempts,
                first_at: 0,
                now,
                retry_after: None,
                chance: 0.5,
            };
            match next(&config(), policy, refusal) {
                Next::At(at) => {
                    pauses.push((at - now) / 1_000);
                    now = at;
                }
                Next::Never => break,
            }
        }
        pauses
    }

    #[test]
    fn the_schedule_ends_after_72_hours() {
        let pauses = pauses(None);
        assert_eq!(pauses[..7], [5, 30, 120, 600, 1_800, 3_600, 3_600]);
        let all: i64 = pauses.iter().sum();
        assert!((71 * 3_600..=72 * 3_600).contains(&all), "{all}");
    }

    #[test]
    fn a_policy_of_ones_own() {
        let policy = |policy, delay_seconds, attempts| {
            Some(RetryPolicy {
                policy,
                delay_seconds,
                attempts,
            })
        };
        assert_eq!(pauses(policy(RetryKind::Constant, 7, 4)), [7, 7, 7]);
        assert_eq!(pauses(policy(RetryKind::Linear, 7, 4)), [7, 14, 21]);
        let doubling = pauses(policy(RetryKind::Exponential, 1_000, 5));
        assert_eq!(doubling, [1_000, 2_000, 3_600, 3_600]);
        assert!(pauses(policy(RetryKind::Constant, 7, 1)).is_empty());
    }

    #[test]
    fn what_the_answer_asks_for_is_honoured_up_to_an_hour() {
        let refusal = |retry_after| Refusal {
            attempts: 1,
            first_at: 0,
            now: 0,
            retry_after: Some(retry_after),
            chance: 0.5,
        };
        let at = |retry_after| next(&config(), None, refusal(retry_after));
        assert_eq!(at(60_000), Next::At(60_000));
        assert_eq!(at(1_000), Next::At(5_000));
        assert_eq!(at(86_400_000), Next::At(3_600_000));
    }

    #[test]
    fn jitter_is_a_fifth_to_both_sides() {
        assert_eq!(jittered(1_000, 0.0), 800);
        assert_eq!(jittered(1_000, 1.0), 1_200);
    }
}
