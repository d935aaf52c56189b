//! What goes out next.

use std::sync::Arc;

use gateway_shared::clock::Millis;

use super::super::attempt::{Work, attempt};
use super::{Delivering, IDLE_CURSOR, UNSETTLED};

impl Delivering {
    pub(super) fn launch(&mut self) {
        if self.disabled || self.progress.steps.len() >= UNSETTLED {
            return;
        }
        let now = self.now();
        if now < self.rest_until {
            return;
        }
        while self.breaker.permits(now, self.in_flight.len(), self.window) {
            let Some(work) = self.next_work(now) else {
                return;
            };
            if matches!(work, Work::Held(_)) {
                self.held_in_flight += 1;
            }
            let shared = Arc::clone(&self.shared);
            let endpoint = Arc::clone(&self.endpoint);
            self.in_flight
                .spawn(attempt(shared, endpoint, work, self.breaker.trips()));
        }
    }

    pub(super) fn next_work(&mut self, now: Millis) -> Option<Work> {
        // While it is tried whether the endpoint is up, what is held and what is not take turns: it
        // may be that only one of them is refused.
        let probing = self.breaker.is_open();
        let may_held = self.may_take_held();
        let first_held = !probing || !self.probed_held;
        let held = |this: &mut Self| {
            let chat = this.held.take(now, probing)?;
            this.probed_held = true;
            Some(Work::Held(chat))
        };
        let fresh = |this: &mut Self| {
            let item = this.queue.next()?;
            this.probed_held = false;
            Some(Work::Fresh(item))
        };
        if first_held && may_held {
            held(self).or_else(|| fresh(self))
        } else {
            fresh(self).or_else(|| may_held.then(|| held(self)).flatten())
        }
    }

    /// When something is to be done that nothing else says: only what could be done at that time.
    pub(super) fn next_due(&self) -> Option<Millis> {
        let idle =
            (self.queue.cursor() != self.written_cursor).then(|| self.written_at + IDLE_CURSOR);
        let out = self.in_flight.len();
        let work = match self.breaker.open_until() {
            Some(until) => {
                let any = self.queue.waiting() > 0 || self.held.next_due().is_some();
                (any && out == 0).then_some(until)
            }
            None if self.queue.waiting() > 0 && out == 0 => Some(self.rest_until),
            None if out < self.window && self.may_take_held() => self.held.next_due(),
            None => None,
        };
        let work = work.map(|at| at.max(self.rest_until));
        [work, idle].into_iter().flatten().min()
    }

    /// What is held may take half of the window.
    pub(super) fn may_take_held(&self) -> bool {
        self.held_in_flight * 2 <= self.window
    }
}
