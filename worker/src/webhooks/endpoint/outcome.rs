//! What an attempt came to, and what follows from it.

use std::sync::Arc;

use gateway_shared::clock::Millis;
use gateway_shared::events::Event;
use gateway_shared::webhooks::{Delivery, DeliveryStatus, Step};

use super::super::attempt::{Answer, Attempted, Outcome, Work};
use super::super::schedule::{Next, Refusal, jittered, next, step};
use super::{Delivering, REST};

impl Delivering {
    pub(super) fn take(&mut self, attempted: Attempted) {
        let Attempted {
            work,
            outcome,
            trips,
        } = attempted;
        if matches!(work, Work::Held(_)) {
            self.held_in_flight = self.held_in_flight.saturating_sub(1);
        }
        match outcome {
            Outcome::Delivered(delivery) => self.delivered(work, delivery),
            Outcome::Refused(delivery, event, answer) => {
                self.refused(work, delivery, &event, &answer, trips);
            }
            Outcome::Unreachable(answer) => {
                self.failed(&answer.why);
                self.down(trips, answer.retry_after);
                self.back(work);
            }
            Outcome::Gone(answer) => {
                let steps = self.health.disabled("gone", self.now(), &answer.why);
                self.progress.steps.extend(steps);
                self.disabled = true;
                self.back(work);
            }
            Outcome::Lost(mut delivery) => {
                delivery.status = DeliveryStatus::Dead;
                delivery.next_attempt_at = None;
                self.bury(work, delivery);
            }
            Outcome::Empty => {
                if let Work::Held(chat) = work {
                    self.held.free(&chat);
                }
            }
            Outcome::NotAttempted => {
                self.rest_until = self.now() + REST;
                self.back(work);
            }
        }
    }

    pub(super) fn delivered(&mut self, work: Work, mut delivery: Box<Delivery>) {
        let steps = self.health.succeeded(self.now());
        self.progress.steps.extend(steps);
        if self.breaker.succeeded() {
            self.closed();
        }
        self.window = (self.window + 1).min(self.shared.config.endpoint_concurrency.max(1));
        delivery.status = DeliveryStatus::Delivered;
        let chat = self.end(&work);
        self.progress.steps.push(Step::Done(delivery, chat));
        self.count("delivered");
    }

    /// The endpoint answered that it does not take this event.
    pub(super) fn refused(
        &mut self,
        work: Work,
        mut delivery: Box<Delivery>,
        event: &Arc<Event>,
        answer: &Answer,
        trips: u32,
    ) {
        self.failed(&answer.why);
        if self.breaker.refused(&delivery.id) {
            // It refuses everything: that is the endpoint, and not this event.
            self.down(trips, answer.retry_after);
            self.back(work);
            return;
        }
        if self.breaker.answers() {
            self.closed();
            self.window = 1;
        }
        let now = self.now();
        delivery.attempts += 1;
        let refusal = Refusal {
            attempts: delivery.attempts,
            first_at: delivery.first_attempt_at.unwrap_or(now),
            now,
            retry_after: answer.retry_after,
            chance: rand::random(),
        };
        let policy = self.endpoint.webhook.retry_policy;
        match next(&self.shared.config, policy, refusal) {
            Next::At(due) => self.hold(work, delivery, due),
            Next::Never => {
                delivery.status = DeliveryStatus::Dead;
                delivery.envelope = Some(event.json.clone());
                self.bury(work, delivery);
            }
        }
    }

    pub(super) fn hold(&mut self, work: Work, mut delivery: Box<Delivery>, due: Millis) {
        delivery.status = DeliveryStatus::Pending;
        delivery.next_attempt_at = Some(due);
        match work {
            Work::Fresh(item) => {
                let chat = Arc::clone(&item.chat);
                let behind = self.queue.hold(&item);
                let name = chat.to_string();
                self.progress
                    .steps
                    .push(Step::Retry(delivery, name.clone(), due));
                let behind = behind.into_iter();
                let steps = behind.map(|item| Step::Behind(item.id, name.clone()));
                self.progress.steps.extend(steps);
                self.held.put(chat, due);
            }
            Work::Held(chat) => {
                let step = Step::Retry(delivery, chat.to_string(), due);
                self.progress.steps.push(step);
                self.held.put(chat, due);
            }
        }
    }

    pub(super) fn bury(&mut self, work: Work, delivery: Box<Delivery>) {
        tracing::info!(
            webhook = %self.of.webhook, event = %delivery.event_id, attempts = delivery.attempts,
            "an event is a dead letter"
        );
        let chat = self.end(&work);
        self.progress.steps.push(Step::Dead(delivery, chat));
        self.count("dead");
    }

    /// A delivery has ended; the chat in which it was held.
    pub(super) fn end(&mut self, work: &Work) -> Option<String> {
        match work {
            Work::Fresh(item) => {
                self.queue.settled(item);
                None
            }
            Work::Held(chat) => {
                // What is behind it is due at once; the settlement says if nothing is.
                self.held.put(Arc::clone(chat), self.now());
                Some(chat.to_string())
            }
        }
    }

    /// A delivery goes back to its place, and the attempt does not count.
    pub(super) fn back(&mut self, work: Work) {
        match work {
            Work::Fresh(item) => self.queue.back(item),
            Work::Held(chat) => {
                let now = self.now();
                self.held.put(chat, now);
            }
        }
    }

    pub(super) fn failed(&mut self, why: &str) {
        let steps = self.health.failed(&self.shared.config, self.now(), why);
        self.disabled |= steps.iter().any(|step| matches!(step, Step::Disable(_)));
        self.progress.steps.extend(steps);
    }

    pub(super) fn down(&mut self, trips: u32, retry_after: Option<u64>) {
        let config = &self.shared.config;
        let asked = retry_after.unwrap_or(0).min(config.max_retry_after_ms);
        let pause = jittered(step(config, trips), rand::random()).max(asked);
        let until = self.now() + Millis::try_from(pause).unwrap_or(Millis::MAX / 2);
        if self.breaker.open(trips, until) {
            self.window = 1;
            let steps = &mut self.progress.steps;
            steps.push(Step::Field("openUntil", until.to_string()));
            steps.push(Step::Field("trips", self.breaker.trips().to_string()));
        }
    }

    pub(super) fn closed(&mut self) {
        let steps = &mut self.progress.steps;
        steps.push(Step::Field("openUntil", String::new()));
        steps.push(Step::Field("trips", String::new()));
    }

    pub(super) fn count(&mut self, name: &'static str) {
        for step in &mut self.progress.steps {
            if let Step::Count(known, more) = step
                && *known == name
            {
                *more += 1;
                return;
            }
        }
        self.progress.steps.push(Step::Count(name, 1));
    }
}
