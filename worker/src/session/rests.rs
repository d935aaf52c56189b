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

/// The rests of one session. They go with it from worker to worker, until a user wants something else
/// of the session.
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

    /// As the record keeps it, beside how many changes were desired of the session.
    pub(super) fn text(&self, desired_changes: u64) -> String {
        let times = self.times.map(|times| times.to_string()).join(",");
        let connected = self.connected.unwrap_or_default();
        format!("{desired_changes}:{times}:{connected}")
    }

    /// What a former owner kept. It is past where something else was desired since.
    pub(super) fn restore(&mut self, text: &str, desired_changes: u64) {
        let mut parts = text.split(':');
        let same = parts.next() == Some(desired_changes.to_string().as_str());
        let times = parts.next().unwrap_or_default().split(',');
        let times: Vec<u32> = times.filter_map(|times| times.parse().ok()).collect();
        let connected = parts.next().and_then(|text| text.parse().ok());
        if let (true, Ok(times)) = (same, <[u32; 5]>::try_from(times)) {
            self.times = times;
            self.connected = connected.filter(|at| *at > 0);
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
    fn they_go_from_worker_to_worker_until_something_else_is_desired() {
        let mut first = rests();
        first.next(Cause::Refused, 0);
        first.connected(0);
        for _ in 0..2 {
            first.next(Cause::QrCodes, 0);
            first.next(Cause::Replaced, 0);
        }
        let kept = first.text(7);
        let mut second = rests();
        second.restore(&kept, 7);
        assert_eq!(second.next(Cause::QrCodes, 0).times, 3);
        assert_eq!(second.next(Cause::Replaced, 0).times, 3);
        assert_eq!(second.next(Cause::Refused, 0).times, 1);
        let mut other = rests();
        other.restore(&kept, 8);
        assert_eq!(other.next(Cause::QrCodes, 0).times, 1);
        other.restore("what no version wrote", 8);
        assert_eq!(other.next(Cause::QrCodes, 0).times, 2);
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
