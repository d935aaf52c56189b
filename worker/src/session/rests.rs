//! How long a session rests after WhatsApp ended its connection, before it connects again.
//!
//! None of these ends a session: what WhatsApp refuses today it may take tomorrow, and a session
//! that stopped by itself would have to be found and started by a person. So each cause has pauses
//! that grow while it lasts, and the session says when it tries again.

use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::config::WhatsAppConfig;
use gateway_shared::domain::SessionStatus;

use crate::Backoff;

/// How long a connection must stand, in milliseconds, before another client that took its place
/// counts as new.
const STABLE: Millis = 600_000;
/// From which time in a row on a cause is a failure and no longer an interruption.
const PERSISTENT: u32 = 3;

/// Why WhatsApp ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It rejects the client's version.
    Outdated,
    /// It refused the login with a code that says nothing about how to go on.
    Refused,
    /// Another client connected with the same keys.
    Replaced,
    /// It locked the account.
    Locked,
    /// All QR codes of a connection ran out.
    QrCodes,
}

/// A rest that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    /// How often the cause has come in a row, this time included.
    pub(super) times: u32,
    /// When the session connects again.
    pub(super) until: Millis,
    /// What it is until then.
    pub(super) status: SessionStatus,
}

/// The rests of one session, as long as this worker owns it.
#[derive(Debug)]
pub(super) struct Rests {
    pauses: Backoff,
    times: [u32; 5],
    connected: Option<Millis>,
}

impl Rests {
    pub(super) fn new(config: &WhatsAppConfig) -> Self {
        Self {
            pauses: Backoff {
                base: Duration::from_millis(config.rest_base_ms),
                cap: Duration::from_millis(config.rest_max_ms),
            },
            times: [0; 5],
            connected: None,
        }
    }

    /// WhatsApp let the session in, at `now`.
    pub(super) fn connected(&mut self, now: Millis) {
        // Whoever is replaced was let in a moment before: only a connection that stands says that
        // the other client is gone.
        let replaced = self.times[Cause::Replaced as usize];
        self.times = [0; 5];
        self.times[Cause::Replaced as usize] = replaced;
        self.connected = Some(now);
    }

    /// A cause came, at `now`: counts it and gives the rest that follows.
    pub(super) fn next(&mut self, cause: Cause, now: Millis) -> Rest {
        let stood = self.connected.take().map(|since| now - since);
        let times = &mut self.times[cause as usize];
        if cause == Cause::Replaced && stood.is_some_and(|stood| stood >= STABLE) {
            *times = 0;
        }
        *times = times.saturating_add(1);
        Rest {
            times: *times,
            until: self.pauses.due(now, *times),
            status: if *times >= PERSISTENT || cause == Cause::Locked {
                SessionStatus::Failed
            } else {
                SessionStatus::Starting
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rests() -> Rests {
        Rests::new(&WhatsAppConfig {
            rest_base_ms: 1_000,
            rest_max_ms: 8_000,
            ..WhatsAppConfig::default()
        })
    }

    #[test]
    fn pauses_grow_to_the_longest_and_failures_are_called_so() {
        let mut rests = rests();
        let rest: Vec<Rest> = (0..6).map(|_| rests.next(Cause::Refused, 0)).collect();
        for (rest, longest) in rest.iter().zip([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]) {
            assert!((longest / 2..=longest).contains(&rest.until), "{rest:?}");
        }
        let statuses: Vec<_> = rest.iter().map(|rest| rest.status).collect();
        assert_eq!(statuses[1], SessionStatus::Starting);
        assert_eq!(statuses[2], SessionStatus::Failed);
        // Another cause has pauses of its own, and a connection ends them all.
        assert_eq!(rests.next(Cause::Outdated, 0).times, 1);
        rests.connected(0);
        assert_eq!(rests.next(Cause::Refused, 0).times, 1);
    }

    #[test]
    fn a_short_connection_does_not_end_a_fight_over_it() {
        let mut rests = rests();
        for times in 1..4 {
            rests.connected(0);
            assert_eq!(rests.next(Cause::Replaced, 900).times, times);
        }
        rests.connected(0);
        assert_eq!(rests.next(Cause::Replaced, STABLE).times, 1);
    }
}
