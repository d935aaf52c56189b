//! The task of one webhook: reads its events, has them delivered, settles what came of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use gateway_shared::clock::{Clock, Millis};
use gateway_shared::domain::DeliveryId;
use gateway_shared::events::{Event, GAP_KIND, Place, gap_event};
use gateway_shared::lane::Epoch;
use gateway_shared::redis::RedisFailure;
use gateway_shared::webhooks::{
    Delivery, DeliveryIds, DeliveryStatus, Kept, OwnedWebhook, Progress, Step, WebhookError,
    WebhookRef, chat_of, render,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::attempt::{Answer, Attempted, Endpoint, Outcome, Work, attempt};
use super::breaker::Breaker;
use super::dispatcher::Shared;
use super::health::Health;
use super::held::Held;
use super::queue::{Item, Queue};
use super::schedule::{Next, Refusal, jittered, next, step};

/// Events read at once.
const PAGE: usize = 100;
/// Events that wait in memory before no more are read.
const AHEAD: usize = 200;
/// Events after the cursor before no more are read: what a successor may have to look up.
const SPAN: usize = 400;
/// Steps that wait to be settled before nothing more goes out.
const UNSETTLED: usize = 400;
/// Deliveries in flight at first; more with every success.
const FIRST_WINDOW: usize = 2;
/// Pause before Redis is tried again.
const AGAIN: Duration = Duration::from_millis(300);
/// How long nothing goes out after an attempt that could not be made, in milliseconds.
const REST: Millis = 300;
/// A cursor that moved past events that nobody wanted is written this often.
const IDLE_CURSOR: Millis = 60_000;
/// Events older than this by Redis' clock may have been outrun by retention.
const BEHIND: u64 = 30_000;
/// How long what is in flight may take when the webhook is given up.
const DRAIN: Duration = Duration::from_secs(5);

/// What the dispatcher tells the task of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// There are events.
    Wake,
    /// Its definition or its state was changed.
    Look,
    /// Give it up.
    Stop,
}

/// Why the task of a webhook ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was given up; another worker may own it.
    Released,
    /// Another worker owns it, or it was changed under this one: look at it again.
    Lost,
    /// Nothing is delivered to it any more, or it is gone.
    Inactive,
}

/// The task of one webhook.
pub(super) struct Delivering {
    shared: Arc<Shared>,
    of: WebhookRef,
    ids: DeliveryIds,
    epoch: Epoch,
    endpoint: Arc<Endpoint>,
    orders: mpsc::UnboundedReceiver<Order>,
    queue: Queue,
    held: Held,
    breaker: Breaker,
    health: Health,
    window: usize,
    in_flight: JoinSet<Attempted>,
    /// Of these, from held chats.
    held_in_flight: usize,
    probed_held: bool,
    progress: Progress,
    /// A settlement that got no answer, and its number.
    unanswered: Option<(u64, Progress)>,
    batch: u64,
    written_cursor: Place,
    written_at: Millis,
    /// What a former owner settled beyond the cursor: up to this place a look is needed.
    known_to: Place,
    /// Nothing more to read at present.
    caught_up: bool,
    /// Redis wakes this worker when there is more.
    waiting: bool,
    disabled: bool,
    /// Nothing goes out before this moment.
    rest_until: Millis,
}

impl Delivering {
    pub(super) fn new(
        shared: Arc<Shared>,
        of: WebhookRef,
        owned: OwnedWebhook,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        let mut held = Held::default();
        let health = Health::of(&owned);
        held.learn(owned.held);
        let now = shared.clock.now();
        Self {
            ids: DeliveryIds::of(&of.webhook),
            epoch: owned.epoch,
            breaker: Breaker::new(owned.open_until, owned.trips, shared.config.down_after),
            endpoint: Arc::new(Endpoint {
                of: of.clone(),
                webhook: owned.webhook,
                secrets: owned.secrets,
            }),
            queue: Queue::after(owned.cursor),
            written_cursor: owned.cursor,
            written_at: now,
            known_to: owned.read,
            of,
            orders,
            held,
            health,
            window: FIRST_WINDOW,
            in_flight: JoinSet::new(),
            held_in_flight: 0,
            probed_held: false,
            progress: Progress::default(),
            unanswered: None,
            batch: 0,
            caught_up: false,
            waiting: false,
            disabled: false,
            rest_until: 0,
            shared,
        }
    }

    /// Delivers until it is told to stop, the webhook is lost, or nothing is wanted any more.
    pub(super) async fn run(mut self) -> Ended {
        loop {
            while let Some(Ok(attempted)) = self.in_flight.try_join_next() {
                self.take(attempted);
            }
            while let Ok(order) = self.orders.try_recv() {
                if let Some(ended) = self.obey(order).await {
                    return ended;
                }
            }
            self.launch();
            if self.has_news() {
                match self.settle().await {
                    Ok(true) => {}
                    Ok(false) => return Ended::Lost,
                    Err(error) => self.rest("settle", &error).await,
                }
                if self.disabled && self.unanswered.is_none() {
                    return self.leave(Ended::Inactive).await;
                }
                continue;
            }
            if self.may_read() {
                if let Err(error) = self.read().await {
                    self.rest("read", &error).await;
                }
                continue;
            }
            if self.caught_up && !self.waiting {
                match self.wait().await {
                    Ok(()) => {}
                    Err(error) => self.rest("wait", &error).await,
                }
                continue;
            }
            let now = self.now();
            let due = self.next_due().map(|at| {
                // Never at once again: a moment that has passed and could not be used is not due.
                Duration::from_millis(u64::try_from(at - now).unwrap_or(0).max(1))
            });
            tokio::select! {
                Some(done) = self.in_flight.join_next() => {
                    if let Ok(attempted) = done {
                        self.take(attempted);
                    }
                }
                order = self.orders.recv() => {
                    let order = order.unwrap_or(Order::Stop);
                    if let Some(ended) = self.obey(order).await {
                        return ended;
                    }
                }
                () = until(due) => {}
            }
        }
    }

    fn now(&self) -> Millis {
        self.shared.clock.now()
    }

    async fn obey(&mut self, order: Order) -> Option<Ended> {
        match order {
            Order::Wake => {
                self.waiting = false;
                self.caught_up = false;
                None
            }
            Order::Look => match self.look().await {
                Ok(ended) => ended,
                Err(error) => {
                    tracing::warn!(webhook = %self.of.webhook, %error, "can not look at a webhook");
                    sleep(AGAIN).await;
                    Some(Ended::Lost)
                }
            },
            Order::Stop => Some(self.leave(Ended::Released).await),
        }
    }

    /// Reads what others changed: the definition, what is held, whose it is.
    async fn look(&mut self) -> Result<Option<Ended>, WebhookError> {
        let webhooks = &self.shared.webhooks;
        let Some((webhook, secrets)) = webhooks.get(&self.of).await? else {
            self.in_flight.abort_all();
            return Ok(Some(Ended::Inactive));
        };
        if webhooks.epoch(&self.of).await? != Some(self.epoch) {
            self.in_flight.abort_all();
            return Ok(Some(Ended::Lost));
        }
        if !webhook.active {
            return Ok(Some(self.leave(Ended::Inactive).await));
        }
        self.held.learn(webhooks.held(&self.of).await?);
        if webhook.url != self.endpoint.webhook.url {
            // Another endpoint has not failed yet.
            self.breaker.succeeded();
            self.window = FIRST_WINDOW;
        }
        self.endpoint = Arc::new(Endpoint {
            of: self.of.clone(),
            webhook,
            secrets,
        });
        Ok(None)
    }

    /// Lets what is in flight end, settles it, and gives the webhook up.
    async fn leave(&mut self, ended: Ended) -> Ended {
        let drained = async {
            while let Some(done) = self.in_flight.join_next().await {
                if let Ok(attempted) = done {
                    self.take(attempted);
                }
            }
        };
        let _ = timeout(DRAIN, drained).await;
        self.in_flight.abort_all();
        let settled = async {
            while self.has_news() || self.unanswered.is_some() {
                match self.settle().await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(_) => sleep(AGAIN).await,
                }
            }
            let released = self.shared.webhooks.release(&self.of, self.epoch).await;
            if let Err(error) = released {
                tracing::warn!(webhook = %self.of.webhook, %error, "could not give a webhook up");
            }
        };
        // Whoever comes next delivers again what could not be settled, under the same ids.
        let _ = timeout(DRAIN, settled).await;
        ended
    }

    fn has_news(&self) -> bool {
        self.unanswered.is_some()
            || !self.progress.steps.is_empty()
            || (self.queue.cursor() != self.written_cursor
                && self.now() - self.written_at >= IDLE_CURSOR)
    }

    async fn rest(&mut self, what: &str, error: &RedisFailure) {
        tracing::debug!(webhook = %self.of.webhook, %error, what, "Redis did not do it");
        sleep(AGAIN).await;
    }

    // ---- what goes out -------------------------------------------------------------------------

    fn launch(&mut self) {
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

    fn next_work(&mut self, now: Millis) -> Option<Work> {
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
    fn next_due(&self) -> Option<Millis> {
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
    fn may_take_held(&self) -> bool {
        self.held_in_flight * 2 <= self.window
    }

    // ---- what came of it -----------------------------------------------------------------------

    fn take(&mut self, attempted: Attempted) {
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

    fn delivered(&mut self, work: Work, mut delivery: Box<Delivery>) {
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
    fn refused(
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

    fn hold(&mut self, work: Work, mut delivery: Box<Delivery>, due: Millis) {
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

    fn bury(&mut self, work: Work, delivery: Box<Delivery>) {
        tracing::info!(
            webhook = %self.of.webhook, event = %delivery.event_id, attempts = delivery.attempts,
            "an event is a dead letter"
        );
        let chat = self.end(&work);
        self.progress.steps.push(Step::Dead(delivery, chat));
        self.count("dead");
    }

    /// A delivery has ended; the chat in which it was held.
    fn end(&mut self, work: &Work) -> Option<String> {
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
    fn back(&mut self, work: Work) {
        match work {
            Work::Fresh(item) => self.queue.back(item),
            Work::Held(chat) => {
                let now = self.now();
                self.held.put(chat, now);
            }
        }
    }

    fn failed(&mut self, why: &str) {
        let steps = self.health.failed(&self.shared.config, self.now(), why);
        self.disabled |= steps.iter().any(|step| matches!(step, Step::Disable(_)));
        self.progress.steps.extend(steps);
    }

    fn down(&mut self, trips: u32, retry_after: Option<u64>) {
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

    fn closed(&mut self) {
        let steps = &mut self.progress.steps;
        steps.push(Step::Field("openUntil", String::new()));
        steps.push(Step::Field("trips", String::new()));
    }

    fn count(&mut self, name: &'static str) {
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

    // ---- Redis ---------------------------------------------------------------------------------

    /// Writes what changed; false where the webhook is somebody else's.
    async fn settle(&mut self) -> Result<bool, RedisFailure> {
        let (batch, progress) = match self.unanswered.take() {
            Some(unanswered) => unanswered,
            None => {
                let mut progress = std::mem::take(&mut self.progress);
                let cursor = self.queue.cursor();
                progress.cursor = (cursor != self.written_cursor).then_some(cursor);
                let read = Step::Field("read", self.queue.read().to_string());
                progress.steps.push(read);
                self.batch += 1;
                (self.batch, progress)
            }
        };
        let now = self.now();
        let config = &self.shared.config;
        let old = now - Millis::try_from(config.dead_ms).unwrap_or(now);
        let kept = Kept {
            delivered: config.kept_deliveries,
            dead: config.kept_dead,
            dead_before: DeliveryId::from_parts(u64::try_from(old).unwrap_or(0), 0),
        };
        let webhooks = &self.shared.webhooks;
        let settled = webhooks.settle(&self.of, self.epoch, batch, &progress, &kept);
        match settled.await {
            Ok(Ok(free)) => {
                if let Some(cursor) = progress.cursor {
                    self.written_cursor = cursor;
                }
                self.written_at = now;
                for chat in free {
                    self.held.free(&chat);
                }
                Ok(true)
            }
            Ok(Err(stale)) => {
                tracing::info!(webhook = %self.of.webhook, %stale, "no longer this worker's");
                self.in_flight.abort_all();
                Ok(false)
            }
            Err(error) => {
                self.unanswered = Some((batch, progress));
                Err(error)
            }
        }
    }

    fn may_read(&self) -> bool {
        !self.caught_up
            && !self.disabled
            && self.queue.waiting() < AHEAD
            && self.queue.span() < SPAN
            && self.held.len() < self.shared.config.max_held
    }

    async fn read(&mut self) -> Result<(), RedisFailure> {
        let from = self.queue.read();
        let organization = &self.of.organization;
        let page = self.shared.log.after(organization, from, PAGE).await?;
        let Some(last) = page.last else {
            self.caught_up = true;
            return Ok(());
        };
        let far = page
            .events
            .first()
            .is_some_and(|event| event.place.millis.saturating_sub(from.millis) > BEHIND);
        if far {
            let edges = self.shared.log.edges(organization).await?;
            if let Some(resumed) = edges.gap_after(from) {
                tracing::warn!(
                    webhook = %self.of.webhook,
                    "retention took events that were not delivered; the webhook is told of a gap"
                );
                if let Some(gap) = gap_event(organization, from, resumed, self.now()) {
                    self.push(gap);
                }
                self.queue.has_read(resumed);
                return Ok(());
            }
        }
        let settled = self.already_settled(&page.events).await?;
        for event in page.events {
            let wanted = self.endpoint.webhook.wants(&event);
            if wanted && !settled.contains(&self.ids.id(event.place)) {
                self.push(event);
            }
        }
        self.queue.has_read(last);
        Ok(())
    }

    /// Which of these a former owner settled beyond its cursor.
    async fn already_settled(&self, events: &[Event]) -> Result<HashSet<DeliveryId>, RedisFailure> {
        let known: Vec<(DeliveryId, &Event)> = events
            .iter()
            .filter(|event| event.place <= self.known_to)
            .map(|event| (self.ids.id(event.place), event))
            .collect();
        let ids: Vec<&str> = known.iter().map(|(id, _)| id.as_str()).collect();
        let webhooks = &self.shared.webhooks;
        let records = webhooks.records(&self.of, &ids).await?;
        let mut settled: HashSet<DeliveryId> =
            records.into_iter().flatten().map(|r| r.id).collect();
        // What waits behind the head of a held chat has no record of its own.
        let mut lists: HashMap<String, Vec<DeliveryId>> = HashMap::new();
        for (id, event) in known {
            let chat = chat_of(event);
            if !settled.contains(&id) && self.held.contains(&chat) {
                if !lists.contains_key(&chat) {
                    let list = webhooks.held_in(&self.of, &chat).await?;
                    lists.insert(chat.clone(), list);
                }
                if lists[&chat].contains(&id) {
                    settled.insert(id);
                }
            }
        }
        Ok(settled)
    }

    /// Adds an event to what goes out, or to what is held.
    fn push(&mut self, event: Event) {
        let Some(body) = render(self.endpoint.webhook.format, &event) else {
            return;
        };
        let id = self.ids.id(event.place);
        let chat = if event.kind == GAP_KIND {
            String::from("gap")
        } else {
            chat_of(&event)
        };
        if self.held.contains(&chat) {
            self.progress.steps.push(Step::Behind(id, chat));
            return;
        }
        self.queue.push(Item {
            id,
            chat: chat.into(),
            event: Arc::new(event),
            body,
        });
    }

    /// Has Redis wake this worker when there is more to read.
    async fn wait(&mut self) -> Result<(), RedisFailure> {
        let webhooks = &self.shared.webhooks;
        let me = &self.shared.member.id;
        let read = self.queue.read();
        self.waiting = webhooks.wait(&self.of.organization, me, read).await?;
        self.caught_up = self.waiting;
        Ok(())
    }
}

/// Waits so long; for ever where nothing is due.
async fn until(pause: Option<Duration>) {
    match pause {
        Some(pause) => sleep(pause).await,
        None => std::future::pending().await,
    }
}
