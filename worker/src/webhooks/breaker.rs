//! Whether an endpoint counts as down.
//!
//! ```text
//!            unreachable, or a run of refusals of more than one event
//!   closed ───────────────────────────────────────────────▶ open until a moment
//!     ▲  any number at once                                   │ nothing
//!     │                                                       ▼
//!     └────────────────── success ──────────────── probing: one at a time
//!                                                     │ failure: open again, for longer
//! ```
//!
//! While it is open no attempt of an event counts: an endpoint that is down says nothing about the
//! event.

use std::collections::HashSet;

use gateway_shared::clock::Millis;
use gateway_shared::domain::DeliveryId;

/// Whether an endpoint counts as down, and since how many tries.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    open_until: Option<Millis>,
    trips: u32,
    /// Refusals since the last success, and of which deliveries.
    run: u32,
    refused: HashSet<DeliveryId>,
    /// Refusals in a row, of more than one delivery, that open it.
    down_after: u32,
}

impl Breaker {
    /// As a former owner left it.
    pub(super) fn new(open_until: Millis, trips: u32, down_after: u32) -> Self {
        Self {
            open_until: (open_until > 0).then_some(open_until),
            trips,
            down_after,
            ..Self::default()
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open_until.is_some()
    }

    pub(super) fn open_until(&self) -> Option<Millis> {
        self.open_until
    }

    /// How often it was tried in vain since it counts as down.
    pub(super) fn trips(&self) -> u32 {
        self.trips
    }

    /// Whether one more attempt may begin beside so many.
    pub(super) fn permits(&self, now: Millis, in_flight: usize, window: usize) -> bool {
        match self.open_until {
            None => in_flight < window,
            Some(until) => now >= until && in_flight == 0,
        }
    }

    /// An attempt succeeded; whether it counted as down until now.
    pub(super) fn succeeded(&mut self) -> bool {
        self.trips = 0;
        self.run = 0;
        self.refused.clear();
        self.open_until.take().is_some()
    }

    /// An event was refused. True while the endpoint counts as down, so that the attempt does not.
    pub(super) fn refused(&mut self, delivery: &DeliveryId) -> bool {
        self.run = self.run.saturating_add(1);
        if self.refused.len() < 2 {
            self.refused.insert(delivery.clone());
        }
        self.run >= self.down_after && self.refused.len() > 1
    }

    /// It counts as down until a moment. `trips` is what [`Self::trips`] was when the attempt began:
    /// of many that fail together only the first counts.
    pub(super) fn open(&mut self, trips: u32, until: Millis) -> bool {
        if trips < self.trips {
            return false;
        }
        self.trips = self.trips.saturating_add(1);
        self.open_until = Some(until);
        true
    }

    /// It answers again, although not with success.
    pub(super) fn answers(&mut self) -> bool {
        self.trips = 0;
        self.open_until.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(number: u64) -> DeliveryId {
        DeliveryId::from_parts(number, 0)
    }

    #[test]
    fn one_probe_at_a_time_after_the_pause() {
        let mut breaker = Breaker::new(0, 0, 5);
        assert!(breaker.permits(0, 7, 8));
        assert!(!breaker.permits(0, 8, 8));
        assert!(breaker.open(0, 100));
        // Others that were in flight at that time.
        assert!(!breaker.open(0, 900));
        assert!(!breaker.permits(99, 0, 8));
        assert!(breaker.permits(100, 0, 8));
        assert!(!breaker.permits(100, 1, 8));
        assert!(breaker.open(1, 300));
        assert_eq!((breaker.trips(), breaker.open_until()), (2, Some(300)));
        assert!(breaker.succeeded());
        assert!(breaker.permits(0, 7, 8));
        assert!(!breaker.succeeded());
    }

    #[test]
    fn a_run_of_refusals_is_an_endpoint_that_is_down_unless_it_is_all_of_one_event() {
        let mut breaker = Breaker::new(0, 0, 3);
        for _ in 0..10 {
            assert!(!breaker.refused(&delivery(1)));
        }
        assert!(breaker.refused(&delivery(2)));
        breaker.succeeded();
        assert!(!breaker.refused(&delivery(1)));
        assert!(!breaker.refused(&delivery(2)));
        assert!(breaker.refused(&delivery(1)));
    }
}
