//! The lane engine: runs the lanes of all sessions that this worker owns, under apalis.
//!
//! ```text
//!  wake-ups ─┐                    ┌───────── one call a lane at a time ─────────┐
//!  timers ───┼─▶ agenda ─▶ driver ┤ turn: settle what ended, claim what is next ├─▶ Redis
//!  verdicts ─┘      ▲             └─────────────────────────────────────────────┘
//!                   │ claimed sends
//!                   ▼
//!             apalis worker ─▶ concurrency ─▶ time-out ─▶ trace ─▶ catch-panic ─▶ Dispatch
//! ```
//!
//! - The [`lane`] is a state without tasks: what it may do next follows from what it knows. It
//!   claims what its budget (governor) allows; a lane that is held, paused, throttled or empty
//!   costs nothing but a place in one timer heap.
//! - The [`scheduler`] goes round the lanes that may have something to do and shares the places in
//!   flight among them.
//! - The [`driver`](drive) makes their calls, all lanes concurrently over the shared connection.
//!   A call that failed is made again: a verdict is kept until Redis has taken it or said that the
//!   session has a new owner, and claims whose answer was lost are given back.
//! - [apalis](task) starts the handlers, bounds and traces them, and hands their verdicts back.
//!
//! Wake-ups come over pub/sub; each lane also looks by itself every [`EngineConfig::sweep`].

mod dispatch;
mod drive;
mod handle;
mod lane;
mod scheduler;
mod task;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apalis_core::worker::context::WorkerContext;
use futures_util::task::AtomicWaker;
use gateway_shared::clock::{Millis, SharedClock};
use gateway_shared::config::WorkerConfig;
use gateway_shared::domain::{SessionId, WorkerId};
use gateway_shared::lane::{CrashPolicy, LaneError, Lanes};
use gateway_shared::redis::RedisConfig;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub use dispatch::{Dispatch, LanePause, Verdict, Wire};
pub use handle::{Detached, LaneHandle, LaneSpec};

use lane::{Lane, Made};
use scheduler::Scheduler;

use crate::Backoff;
use crate::session::LONGEST_TYPING;

/// How the engine works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineConfig {
    /// Most sends in flight at once, over all lanes.
    pub concurrency: u32,
    /// Most sends that one call claims; at most `concurrency`.
    pub batch: u32,
    /// Attempts before a send is a dead letter.
    pub max_attempts: u32,
    /// What becomes of a send that workers die with.
    pub crashes: CrashPolicy,
    /// An attempt that takes longer is dropped, and made again later.
    pub attempt_timeout: Duration,
    /// How much longer one with a file may take: the upload.
    pub upload_timeout: Duration,
    /// The wait after an attempt that panicked or took too long.
    pub retry: Backoff,
    /// How long released sends rest before they are claimed again, unless the lane is opened or
    /// woken before.
    pub release_rest: Duration,
    /// A lane that hears nothing looks by itself after about this time.
    pub sweep: Duration,
    /// How long handlers may still take after the signal to end.
    pub drain: Duration,
}

impl From<&WorkerConfig> for EngineConfig {
    fn from(config: &WorkerConfig) -> Self {
        let concurrency = u32::try_from(config.send_concurrency)
            .unwrap_or(u32::MAX)
            .max(1);
        Self {
            concurrency,
            batch: concurrency.min(64),
            max_attempts: config.max_attempts,
            crashes: CrashPolicy {
                most: config.max_crashes,
                ..CrashPolicy::default()
            },
            // The link itself gives up at the acknowledgement's deadline; this is for bugs.
            attempt_timeout: LONGEST_TYPING
                + Duration::from_millis(config.ack_timeout_ms.saturating_mul(2)),
            // Two gibibytes at 600 kB/s.
            upload_timeout: Duration::from_secs(3_600),
            retry: Backoff::from(config),
            release_rest: Duration::from_millis(500),
            sweep: Duration::from_secs(30),
            drain: Duration::from_millis(config.drain_timeout_ms),
        }
    }
}

/// What the parts of the engine share.
struct Shared {
    config: EngineConfig,
    /// The worker's id.
    name: String,
    lanes: Lanes,
    redis: RedisConfig,
    clock: SharedClock,
    scheduler: Mutex<Scheduler>,
    /// The driver has something to look at.
    driver: Notify,
    /// apalis has something to fetch.
    worker: AtomicWaker,
    /// A call came back.
    settled: Notify,
}

impl Shared {
    /// The agenda; never held across an await.
    fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        self.scheduler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, session: &SessionId) {
        self.scheduler().wake(session);
        self.driver.notify_one();
    }

    fn wake_all(&self) {
        self.scheduler().change_all(Lane::wake);
        self.driver.notify_one();
    }

    /// A handler has ended.
    fn completed(&self, number: u64, verdict: impl FnOnce(u32) -> Verdict) {
        let rest = Millis::try_from(self.config.release_rest.as_millis()).unwrap_or(Millis::MAX);
        let now = self.clock.now();
        self.scheduler().completed(number, now, rest, verdict);
        self.driver.notify_one();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The engine of a worker; cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// The work of an [`Engine`]: nothing moves unless it runs.
#[derive(Debug)]
#[must_use = "nothing moves unless it runs"]
pub struct EngineRun {
    shared: Arc<Shared>,
}

impl Engine {
    /// An engine for the lanes of `worker`, and the work that is to be run.
    pub fn new(
        config: EngineConfig,
        worker: &WorkerId,
        lanes: Lanes,
        redis: RedisConfig,
        clock: SharedClock,
    ) -> (Self, EngineRun) {
        let concurrency = config.concurrency.max(1);
        let config = EngineConfig {
            concurrency,
            batch: config.batch.clamp(1, concurrency),
            ..config
        };
        let shared = Arc::new(Shared {
            config,
            name: worker.as_str().to_owned(),
            lanes,
            redis,
            clock,
            scheduler: Mutex::new(Scheduler::new(config.concurrency, config.batch)),
            driver: Notify::new(),
            worker: AtomicWaker::new(),
            settled: Notify::new(),
        });
        let run = EngineRun {
            shared: Arc::clone(&shared),
        };
        (Self { shared }, run)
    }

    /// Takes a lane on: gives back what an earlier owner had claimed, learns what is left of the
    /// session's budget, and holds the lane until it is [opened](LaneHandle::open).
    ///
    /// # Errors
    /// When the epoch is stale, or Redis does not answer: nothing is attached.
    pub async fn attach(&self, spec: LaneSpec) -> Result<LaneHandle, LaneError> {
        let owner = (&spec.from, spec.epoch);
        let (now, crashes) = (self.shared.clock.now(), self.shared.config.crashes);
        let recovered = self.shared.lanes.recover(now, owner, crashes, &[]).await?;
        if recovered.returned > 0 {
            tracing::info!(session = %spec.from.session, returned = recovered.returned,
                "gave back what an earlier owner had claimed");
        }
        if recovered.dead > 0 {
            tracing::error!(session = %spec.from.session, dead = recovered.dead,
                "gave up sends that owners died with, one after the other");
        }
        let (quiet, is_quiet) = watch::channel(false);
        let lane = Lane::new(Made {
            from: spec.from,
            epoch: spec.epoch,
            limits: spec.limits,
            rate: recovered.rate,
            dispatch: spec.dispatch,
            lost: spec.lost,
            quiet,
        });
        let stale = lane.stale.clone();
        let key = self.shared.scheduler().attach(lane);
        self.shared.driver.notify_one();
        let shared = Arc::clone(&self.shared);
        Ok(LaneHandle::new(shared, key, stale, is_quiet))
    }

    /// Has the lane of a session look at once whether there is something to claim.
    pub fn wake(&self, session: &SessionId) {
        self.shared.wake(session);
    }
}

impl EngineRun {
    /// Runs until `shutdown`, then drains: claims nothing more, lets what is in flight end within
    /// [`EngineConfig::drain`], drops what does not, settles, and returns. Lanes that are still
    /// attached are let go of.
    pub async fn run(self, shutdown: CancellationToken) {
        let context = WorkerContext::new(&self.shared.name);
        let worker = tokio::spawn({
            let (shared, context, shutdown) =
                (Arc::clone(&self.shared), context.clone(), shutdown.clone());
            async move {
                // One task for all three: what one finds, the next one takes up without a switch.
                tokio::select! {
                    biased;
                    () = drive::listen(Arc::clone(&shared)) => Ok(()),
                    () = drive::drive(Arc::clone(&shared), shutdown.clone()) => Ok(()),
                    result = task::work(Arc::clone(&shared), context) => result,
                    () = drain(shared, shutdown) => Ok(()),
                }
            }
        });
        match worker.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the engine ended by itself"),
            Err(error) => tracing::error!(%error, "the engine broke down"),
        }
        let _ = context.stop();
        self.shared.scheduler().close();
    }
}

/// Returns when the engine was told to end and everything is settled, as far as time allows.
async fn drain(shared: Arc<Shared>, shutdown: CancellationToken) {
    const GRACE: Duration = Duration::from_secs(2);
    shutdown.cancelled().await;
    shared.scheduler().draining = true;
    shared.driver.notify_one();
    let settled = async {
        loop {
            let called = shared.settled.notified();
            if shared.scheduler().unfinished() == 0 {
                return;
            }
            called.await;
        }
    };
    tokio::pin!(settled);
    if tokio::time::timeout(shared.config.drain, settled.as_mut())
        .await
        .is_ok()
    {
        return;
    }
    shared.scheduler().change_all(|lane| lane.halt.cancel());
    shared.driver.notify_one();
    let _ = tokio::time::timeout(GRACE, settled).await;
}
