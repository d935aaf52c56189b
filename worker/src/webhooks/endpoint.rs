//! The task of one webhook: reads its events, has them delivered, settles what came of them.

mod outcome;
mod outgoing;
mod progress;

use std::sync::Arc;
use std::time::Duration;

use gateway_shared::clock::{Clock, Millis};
use gateway_shared::events::Place;
use gateway_shared::lane::Epoch;
use gateway_shared::redis::RedisFailure;
use gateway_shared::webhooks::{DeliveryIds, OwnedWebhook, Progress, WebhookError, WebhookRef};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::attempt::{Attempted, Endpoint};
use super::breaker::Breaker;
use super::dispatcher::Shared;
use super::health::Health;
use super::held::Held;
use super::queue::Queue;

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
    /// A change of the webhook could not be read yet.
    unseen: bool,
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
            unseen: false,
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
            if std::mem::take(&mut self.unseen)
                && let Some(ended) = self.obey(Order::Look).await
            {
                return ended;
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
                // It stays this worker's, and would be nobody's if it ended here: who it falls to next
                // finds that its owner lives.
                Err(error) => {
                    tracing::warn!(webhook = %self.of.webhook, %error, "can not look at a webhook");
                    self.unseen = true;
                    sleep(AGAIN).await;
                    None
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
}

/// Waits so long; for ever where nothing is due.
async fn until(pause: Option<Duration>) {
    match pause {
        Some(pause) => sleep(pause).await,
        None => std::future::pending().await,
    }
}
