//! The pool: membership, fair shares, and the sessions this worker owns.
//!
//! ```text
//!  heartbeat ──▶ liveness ──(expired | buried)──▶ fenced: every session is dropped at once
//!  control channel, tick ──▶ bury the silent ─▶ take free sessions up to the share
//!                                             ─▶ give surplus back, gently
//!  SIGTERM ──▶ a few sessions at a time drain and are released; the successor connects them
//! ```

mod commands;
mod hand_over;
mod liveness;
mod membership;
mod share;
mod sweep;
mod usage;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use gateway_shared::clock::{Clock, Millis, SystemClock};
use gateway_shared::command::CommandError;
use gateway_shared::domain::WorkerId;
use gateway_shared::lane::{Epoch, SessionRef};
use gateway_shared::redis::subscription::{Received, listen};
use gateway_shared::redis::{RedisConfig, RedisFailure, Store};
use gateway_shared::registry::{Registry, WorkerInfo};
use gateway_shared::session::{Acquired, Sessions, parse_member};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};
use tokio_util::sync::CancellationToken;

pub use commands::PendingCommand;
pub use liveness::Liveness;
pub use membership::{Membership, Rhythm};
pub use share::{Standing, standing};

use crate::session::{Ended, Owner, Runtime};
use hand_over::HandOver;
use sweep::Sweeper;

/// How many sessions are acquired at a time.
const ACQUIRE_CONCURRENCY: usize = 32;
/// How long after a worker's silence has become too long it is looked for.
const JUST_AFTER: Duration = Duration::from_millis(5);
/// Time between two looks for what the hints missed.
const SWEEP: Duration = Duration::from_secs(30);

/// Why a run of the pool ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolEnd {
    /// It was told to; all sessions were released.
    Shutdown,
    /// It was fenced; it owns nothing any more. These it owned until then.
    Fenced(Vec<(SessionRef, Epoch)>),
}

/// What the pool works with.
#[derive(Debug, Clone)]
pub struct Pool {
    /// This run's membership.
    pub member: Membership,
    /// The workers.
    pub registry: Registry,
    /// The session records.
    pub sessions: Sessions,
    /// Runs a session that was acquired.
    pub runtime: Arc<Runtime>,
    /// Redis' time.
    pub clock: Arc<SystemClock>,
    /// Where Redis is, for subscriptions.
    pub redis: RedisConfig,
}

struct Owned {
    epoch: Epoch,
    tell: mpsc::UnboundedSender<Order>,
}

/// What the pool tells the task of a session.
#[derive(Debug)]
pub enum Order {
    /// Its record changed: look at it again.
    Look,
    /// Drain, and release it to another worker.
    HandOver,
    /// Do this and answer.
    Command(Box<PendingCommand>),
}

impl Pool {
    /// Owns and runs sessions until `shutdown`, or until the worker is fenced.
    pub async fn run(self, shutdown: CancellationToken) -> PoolEnd {
        let stop = CancellationToken::new();
        let mut helpers = JoinSet::new();
        let store = self.runtime.store.clone();
        let changed = listen(self.redis.clone(), [store.keys.control_channel()]);
        let commands = listen(
            self.redis.clone(),
            [store.keys.command_channel(self.member.id.as_str())],
        );
        {
            let member = self.member.clone();
            let until = stop.clone();
            helpers.spawn(async move { member.beat(until).await });
            let sweeper = Sweeper::new(
                self.registry.clone(),
                self.sessions.clone(),
                self.runtime.lanes(),
                (store.clone(), self.runtime.keyring.clone()),
            );
            let (id, clock, until) = (
                self.member.id.clone(),
                Arc::clone(&self.clock),
                stop.clone(),
            );
            helpers.spawn(async move {
                until
                    .run_until_cancelled(sweeper.run(id, clock, SWEEP))
                    .await
                    .unwrap_or(());
            });
        }
        let end = self.own(&shutdown, changed, commands).await;
        stop.cancel();
        helpers.join_all().await;
        if end == PoolEnd::Shutdown
            && let Err(error) = self.registry.leave(&self.member.id).await
        {
            tracing::warn!(%error, "could not leave the pool; others will notice");
        }
        end
    }

    async fn own(
        &self,
        shutdown: &CancellationToken,
        mut changed: mpsc::UnboundedReceiver<Received>,
        mut commands: mpsc::UnboundedReceiver<Received>,
    ) -> PoolEnd {
        let fenced = self.member.liveness.fenced();
        let mut owned: HashMap<SessionRef, Owned> = HashMap::new();
        let mut doubtful: HashSet<SessionRef> = HashSet::new();
        let mut tasks: JoinSet<(SessionRef, Ended)> = JoinSet::new();
        let mut tick = tokio::time::interval(self.runtime.heartbeat());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // When the next worker falls silent for too long, if nothing is heard of it.
        let mut silence = None;
        let mut leaving: Option<HandOver> = None;
        loop {
            let mut balance = false;
            tokio::select! {
                biased;
                () = fenced.cancelled() => {
                    tasks.shutdown().await;
                    let owned = owned.into_iter().map(|(of, owned)| (of, owned.epoch));
                    return PoolEnd::Fenced(owned.collect());
                }
                () = shutdown.cancelled(), if leaving.is_none() => {
                    tracing::info!(sessions = owned.len(), "draining");
                    leaving = Some(self.leave(&owned).await);
                }
                () = settled(&mut leaving) => {}
                Some(ended) = tasks.join_next() => match ended {
                    Ok((of, ended)) => {
                        tracing::debug!(session = %of.session, ?ended, "session task ended");
                        let gone = owned.remove(&of);
                        if let Some(leaving) = &mut leaving {
                            leaving.let_go(of.clone());
                        }
                        if let (Some(gone), Ended::Lost) = (gone, ended) {
                            self.report_survival(of, gone.epoch);
                        }
                        self.member.owns(owned.len());
                        balance = ended == Ended::Lost;
                    }
                    Err(error) => {
                        // A panic in a session's task: the session stays this worker's by name,
                        // so the whole run ends and everything is acquired anew.
                        tracing::error!(%error, "a session task panicked; starting anew");
                        self.member.liveness.fence();
                    }
                },
                Some(received) = changed.recv() => {
                    balance = look(&owned, received);
                    while let Ok(received) = changed.try_recv() {
                        balance |= look(&owned, received);
                    }
                }
                Some(Received::Message { text: message, .. }) = commands.recv() => {
                    route(&owned, &self.runtime.store, &message).await;
                }
                _ = tick.tick() => balance = true,
                () = until(silence) => balance = true,
            }
            if let Some(leaving) = &mut leaving {
                if owned.is_empty() {
                    return PoolEnd::Shutdown;
                }
                for session in leaving.next().iter().filter_map(|of| owned.get(of)) {
                    let _ = session.tell.send(Order::HandOver);
                }
            } else if balance {
                match self.balance(&owned, &mut doubtful).await {
                    Ok((taken, workers)) => {
                        silence = self.next_silence(&workers);
                        for owner in taken {
                            let of = owner.of.clone();
                            let (tell, orders) = mpsc::unbounded_channel();
                            let epoch = owner.epoch;
                            owned.insert(of.clone(), Owned { epoch, tell });
                            let runtime = Arc::clone(&self.runtime);
                            tasks.spawn(async move { (of, runtime.run(owner, orders).await) });
                        }
                        self.member.owns(owned.len());
                    }
                    Err(error) => tracing::warn!(%error, "could not look for sessions"),
                }
            }
        }
    }

    /// Begins to leave: says so, and gives everything up.
    async fn leave(&self, owned: &HashMap<SessionRef, Owned>) -> HandOver {
        self.member.drain().await;
        let workers = self.registry.workers().await.unwrap_or_default();
        let others = workers.iter().any(|other| other.capacity > 0);
        HandOver::new(
            self.member.id.clone(),
            self.sessions.clone(),
            owned.keys().cloned().collect(),
            others,
        )
    }

    /// When the next of the other workers is to be buried, if it stays silent.
    fn next_silence(&self, workers: &[WorkerInfo]) -> Option<Instant> {
        let liveness = Millis::try_from(self.runtime.liveness_ms()).unwrap_or(Millis::MAX);
        let others = workers.iter().filter(|other| other.id != self.member.id);
        let last = others.map(|other| other.heartbeat_at).min()?;
        let left = last.saturating_add(liveness) - self.clock.now();
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        Some(Instant::now() + left + JUST_AFTER)
    }

    /// Says that what this worker had in flight for a session that it lost did not kill it.
    fn report_survival(&self, of: SessionRef, epoch: Epoch) {
        let lanes = self.runtime.lanes();
        tokio::spawn(async move {
            if let Err(error) = lanes.survived(&of, epoch).await {
                tracing::warn!(session = %of.session, %error, "could not say that it lives");
            }
        });
    }

    /// Buries the silent, takes free sessions up to the share, asks for surplus to be given back;
    /// tells what was taken, and who else there is.
    /// `doubtful` are those whose acquisition got no answer; they are tried again.
    async fn balance(
        &self,
        owned: &HashMap<SessionRef, Owned>,
        doubtful: &mut HashSet<SessionRef>,
    ) -> Result<(Vec<Owner>, Vec<WorkerInfo>), RedisFailure> {
        let liveness = self.runtime.liveness_ms();
        for buried in self.registry.evict(self.clock.now(), liveness).await? {
            tracing::warn!(worker = %buried, "buried a silent worker; its sessions are free");
        }
        let workers = self.registry.workers().await?;
        let running = self.registry.running_count().await?;
        let standing = standing(&self.member.id, owned.len(), running, &workers);
        for session in owned.values().take(standing.give_back) {
            let _ = session.tell.send(Order::HandOver);
        }
        let mut wanted = doubtful.clone();
        if standing.take > 0 {
            wanted.extend(self.registry.free(standing.take).await?);
        }
        let tried: Vec<_> = futures_util::stream::iter(wanted)
            .filter(|of| std::future::ready(!owned.contains_key(of)))
            .map(async |of| (self.try_take(&of).await, of))
            .buffer_unordered(ACQUIRE_CONCURRENCY)
            .collect()
            .await;
        let mut taken = Vec::new();
        for (outcome, of) in tried {
            doubtful.remove(&of);
            match outcome {
                Ok(owner) => taken.extend(owner),
                Err(error) => {
                    tracing::warn!(session = %of.session, %error, "could not acquire a session");
                    doubtful.insert(of);
                }
            }
        }
        Ok((taken, workers))
    }

    async fn try_take(&self, of: &SessionRef) -> Result<Option<Owner>, RedisFailure> {
        let record = self.sessions.record(of).await?;
        let former: Option<WorkerId> = record.and_then(|record| record.session.worker);
        // Its own name on a session that it does not run is that of an acquisition, or of a release,
        // that got no answer.
        if let Some(former) = &former
            && *former != self.member.id
            && self.registry.is_registered(former).await?
        {
            // Its owner lives; the hint that it is free was wrong.
            self.sessions.withdraw_offer(of).await?;
            return Ok(None);
        }
        let now = self.clock.now();
        match self
            .sessions
            .acquire(now, of, &self.member.id, former.as_ref())
            .await?
        {
            Acquired::Owned(epoch) => Ok(Some(Owner {
                of: of.clone(),
                epoch,
                worker: self.member.id.clone(),
                liveness: self.member.liveness.clone(),
            })),
            Acquired::Held(_) | Acquired::Unwanted | Acquired::Gone => Ok(None),
        }
    }
}

async fn settled(leaving: &mut Option<HandOver>) {
    match leaving {
        Some(leaving) => leaving.settled().await,
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Lets the sessions that a control message concerns look at their records. True when it concerns
/// a session that is not owned here, and so may be free.
fn look(owned: &HashMap<SessionRef, Owned>, received: Received) -> bool {
    match received {
        Received::Message { text: member, .. } => {
            match parse_member(&member).and_then(|of| owned.get(&of)) {
                Some(session) => {
                    let _ = session.tell.send(Order::Look);
                    false
                }
                None => true,
            }
        }
        // Wishes made while nobody listened are in the records.
        Received::Subscribed => {
            for session in owned.values() {
                let _ = session.tell.send(Order::Look);
            }
            true
        }
        Received::Lost => false,
    }
}

/// Gives a command to its session's task, or answers that it is not here.
async fn route(owned: &HashMap<SessionRef, Owned>, store: &Store, message: &str) {
    let Some(command) = PendingCommand::parse(message, store).map(Box::new) else {
        return;
    };
    let unrouted = match owned.get(&command.request.of()) {
        Some(session) => match session.tell.send(Order::Command(command)) {
            Ok(()) => return,
            Err(mpsc::error::SendError(Order::Command(command))) => command,
            Err(_) => return,
        },
        None => command,
    };
    let message = "the session is owned by another worker".to_owned();
    unrouted
        .answer(Err(CommandError {
            code: "not_owned".to_owned(),
            message,
            wa_code: None,
        }))
        .await;
}
