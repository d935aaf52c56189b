//! Which webhooks this worker delivers for, and who tells their tasks of what happens.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::domain::OrganizationId;
use gateway_shared::egress::Egress;
use gateway_shared::events::EventLog;
use gateway_shared::redis::subscription::{Received, listen};
use gateway_shared::redis::{RedisConfig, Store};
use gateway_shared::registry::{Registry, WorkerInfo};
use gateway_shared::webhooks::{Acquired, WebhookConfig, WebhookError, WebhookRef, Webhooks};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::assign::falls_to;
use super::endpoint::{Delivering, Ended, Order};
use crate::pool::Membership;
use crate::session::Downloads;

/// How often the live workers are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often the directory is read anew, and everybody looks for events that no message told of.
const SWEEP: Duration = Duration::from_secs(30);
/// How long tasks may take to give their webhooks up.
const DRAIN: Duration = Duration::from_secs(12);
/// After which time a name in the directory without a webhook is no creation under way.
const STALE_NAME: i64 = 600_000;

/// What all deliveries of this worker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) webhooks: Webhooks,
    pub(super) log: EventLog,
    pub(super) egress: Egress,
    pub(super) downloads: Downloads,
    pub(super) config: WebhookConfig,
    pub(super) clock: Arc<SystemClock>,
    pub(super) member: Membership,
    /// Deliveries that may be in flight in this worker.
    pub(super) turns: Semaphore,
    organizations: Mutex<HashMap<OrganizationId, Weak<Semaphore>>>,
}

impl Shared {
    /// Deliveries of an organization that may be in flight in this worker.
    pub(super) fn turns_of(&self, organization: &OrganizationId) -> Arc<Semaphore> {
        let mut all = self
            .organizations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = all.get(organization).and_then(Weak::upgrade) {
            return turns;
        }
        all.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(self.config.organization_concurrency.max(1)));
        all.insert(organization.clone(), Arc::downgrade(&turns));
        turns
    }
}

/// Delivers for the webhooks that are this worker's.
#[derive(Debug)]
pub struct Dispatcher {
    shared: Arc<Shared>,
    registry: Registry,
    store: Store,
    redis: RedisConfig,
    /// All webhooks that want an owner.
    known: HashSet<WebhookRef>,
    /// Of these, those that get nothing at present, until they are changed.
    inactive: HashSet<WebhookRef>,
    owned: HashMap<WebhookRef, mpsc::UnboundedSender<Order>>,
    workers: Vec<WorkerInfo>,
}

/// What a dispatcher works with.
#[derive(Debug)]
pub struct Parts {
    /// The webhooks.
    pub webhooks: Webhooks,
    /// The event streams.
    pub log: EventLog,
    /// What posts.
    pub egress: Egress,
    /// What fetches files by itself.
    pub(crate) downloads: Downloads,
    /// `[webhooks]`.
    pub config: WebhookConfig,
    /// Redis' time.
    pub clock: Arc<SystemClock>,
    /// This run's membership.
    pub member: Membership,
    /// The workers.
    pub registry: Registry,
    /// Where Redis is.
    pub store: Store,
    /// The same, for subscriptions.
    pub redis: RedisConfig,
}

impl Dispatcher {
    /// A dispatcher that owns nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let turns = Semaphore::new(parts.config.concurrency.max(1));
        Self {
            shared: Arc::new(Shared {
                webhooks: parts.webhooks,
                log: parts.log,
                egress: parts.egress,
                downloads: parts.downloads,
                config: parts.config,
                clock: parts.clock,
                member: parts.member,
                turns,
                organizations: Mutex::default(),
            }),
            registry: parts.registry,
            store: parts.store,
            redis: parts.redis,
            known: HashSet::new(),
            inactive: HashSet::new(),
            owned: HashMap::new(),
            workers: Vec::new(),
        }
    }

    /// Delivers until `shutdown`, then gives everything up; or until the worker is fenced, then it
    /// drops everything at once.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let fenced = self.shared.member.liveness.fenced();
        let changes = self.store.keys.webhooks_channel();
        let events = self
            .store
            .keys
            .events_channel(self.shared.member.id.as_str());
        let mut received = listen(self.redis.clone(), [changes.clone(), events]);
        let mut tasks: JoinSet<(WebhookRef, Ended)> = JoinSet::new();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut swept: Option<Instant> = None;
        loop {
            let balance = tokio::select! {
                biased;
                () = fenced.cancelled() => {
                    tasks.shutdown().await;
                    return;
                }
                () = shutdown.cancelled() => break,
                Some(ended) = tasks.join_next() => {
                    match ended {
                        Ok((of, ended)) => {
                            self.owned.remove(&of);
                            tracing::debug!(webhook = %of.webhook, ?ended, "a webhook's task ended");
                        }
                        Err(error) => {
                            // Which one it was is not known: everything is acquired anew.
                            tracing::error!(%error, "the task of a webhook panicked");
                            tasks.shutdown().await;
                            self.owned.clear();
                        }
                    }
                    // If nothing is to be delivered any more, the next look finds out.
                    true
                }
                Some(received) = received.recv() => {
                    self.receive(received, &changes, &mut swept)
                }
                _ = tick.tick() => true,
            };
            if balance && let Err(error) = self.balance(&mut tasks, &mut swept).await {
                tracing::warn!(%error, "could not look for webhooks");
            }
        }
        // The others take over what is given up here.
        self.shared.member.drain().await;
        for task in self.owned.values() {
            let _ = task.send(Order::Stop);
        }
        let drained = async { while tasks.join_next().await.is_some() {} };
        tokio::select! {
            () = fenced.cancelled() => {}
            _ = timeout(DRAIN, drained) => {}
        }
        tasks.shutdown().await;
    }

    /// Whether it may be that something is to be acquired.
    fn receive(&mut self, received: Received, changes: &str, swept: &mut Option<Instant>) -> bool {
        match received {
            Received::Message { channel, text } if channel == changes => {
                let Some(of) = WebhookRef::parse(&text) else {
                    return false;
                };
                self.inactive.remove(&of);
                if let Some(task) = self.owned.get(&of) {
                    let _ = task.send(Order::Look);
                    return false;
                }
                self.known.insert(of);
                true
            }
            Received::Message { text, .. } => {
                for (of, task) in &self.owned {
                    if self.store.keys.partition(&of.organization) == text {
                        let _ = task.send(Order::Wake);
                    }
                }
                false
            }
            // Messages may have been missed.
            Received::Subscribed => {
                *swept = None;
                for task in self.owned.values() {
                    let _ = task.send(Order::Look);
                }
                true
            }
            Received::Lost => false,
        }
    }

    async fn balance(
        &mut self,
        tasks: &mut JoinSet<(WebhookRef, Ended)>,
        swept: &mut Option<Instant>,
    ) -> Result<(), WebhookError> {
        self.workers = self.registry.workers().await?;
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            self.known = self.shared.webhooks.active().await?.into_iter().collect();
            self.inactive.retain(|of| self.known.contains(of));
            *swept = Some(Instant::now());
            for task in self.owned.values() {
                let _ = task.send(Order::Wake);
            }
        }
        let me = self.shared.member.id.clone();
        for (of, task) in &self.owned {
            if !falls_to(of.webhook.as_str(), &me, &self.workers) {
                let _ = task.send(Order::Stop);
            }
        }
        let wanted: Vec<WebhookRef> = self
            .known
            .iter()
            .filter(|of| !self.owned.contains_key(of) && !self.inactive.contains(of))
            .filter(|of| falls_to(of.webhook.as_str(), &me, &self.workers))
            .cloned()
            .collect();
        for of in wanted {
            match self.acquire(&of).await {
                Ok(Acquired::Owned(owned)) => {
                    let (tell, orders) = mpsc::unbounded_channel();
                    let delivering =
                        Delivering::new(Arc::clone(&self.shared), of.clone(), *owned, orders);
                    self.owned.insert(of.clone(), tell);
                    tasks.spawn(async move { (of, delivering.run().await) });
                }
                Ok(Acquired::Inactive) => {
                    self.inactive.insert(of);
                }
                Ok(Acquired::Gone) => self.forget(of).await?,
                // Its owner gives it up, or is missed, before long.
                Ok(Acquired::Held(_)) => {}
                Err(error @ WebhookError::Redis(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(webhook = %of.webhook, %error, "a webhook can not be used");
                    self.inactive.insert(of);
                }
            }
        }
        Ok(())
    }

    async fn acquire(&self, of: &WebhookRef) -> Result<Acquired, WebhookError> {
        let me = &self.shared.member.id;
        let acquired = self.shared.webhooks.acquire(of, me, None).await?;
        let Acquired::Held(owner) = &acquired else {
            return Ok(acquired);
        };
        if self
            .workers
            .iter()
            .any(|worker| worker.id.as_str() == owner)
        {
            return Ok(acquired);
        }
        self.shared.webhooks.acquire(of, me, Some(owner)).await
    }

    async fn forget(&mut self, of: WebhookRef) -> Result<(), WebhookError> {
        let age = self.shared.clock.now() - of.webhook.made_at();
        if age > STALE_NAME {
            self.shared.webhooks.unlist(&of).await?;
        }
        self.known.remove(&of);
        Ok(())
    }
}
