//! What this process knows of the rest: Redis' clock, and whether workers live.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::domain::WorkerId;
use gateway_shared::redis::RedisFailure;
use tokio::time::{MissedTickBehavior, interval};

use crate::state::App;

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// The workers that lived at a moment.
#[derive(Debug, Default)]
struct Live {
    at: Millis,
    ids: HashSet<WorkerId>,
}

/// How far the clock of a worker that joins may be behind ours, in milliseconds.
const SKEW: Millis = 1_000;

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct HealthMonitor {
    no_worker: AtomicBool,
    /// The workers that lived when it was looked last.
    live: Mutex<Live>,
    /// Why Redis took no write, if it did not.
    refused: Mutex<Option<RedisFailure>>,
}

impl HealthMonitor {
    /// Whether at least one worker lives. A negative answer is looked up anew, since a worker may
    /// just have joined.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub(crate) async fn workers_live(&self, app: &App) -> Result<bool, RedisFailure> {
        if self.no_worker.load(Ordering::Relaxed) {
            self.count_workers(app).await?;
        }
        Ok(!self.no_worker.load(Ordering::Relaxed))
    }

    async fn count_workers(&self, app: &App) -> Result<(), RedisFailure> {
        let liveness = i64::try_from(app.config.worker.liveness_ms).unwrap_or(i64::MAX);
        let at = app.now();
        let since = at.saturating_sub(liveness);
        let workers = app.registry.workers().await?;
        let ids: HashSet<WorkerId> = workers
            .into_iter()
            .filter(|worker| worker.heartbeat_at >= since)
            .map(|worker| worker.id)
            .collect();
        self.no_worker.store(ids.is_empty(), Ordering::Relaxed);
        *lock(&self.live) = Live { at, ids };
        Ok(())
    }

    /// Whether this worker lived a moment ago, or has joined since.
    pub(crate) fn lives(&self, worker: &WorkerId) -> bool {
        let live = lock(&self.live);
        live.ids.contains(worker) || worker.created_at() > live.at.saturating_sub(SKEW)
    }

    /// Whether any worker lived a moment ago.
    pub(crate) fn any_worker(&self) -> bool {
        !self.no_worker.load(Ordering::Relaxed)
    }

    /// Why Redis takes no writes, if it was so a moment ago.
    pub(crate) fn refused(&self) -> Option<RedisFailure> {
        lock(&self.refused).clone()
    }

    /// Looks once.
    pub(crate) async fn beat(&self, app: &App) {
        let seen = async {
            app.registry.follow_clock(&app.clock).await?;
            app.installation.look(app.now()).await?;
            self.count_workers(app).await?;
            app.store.probe().await
        };
        let refused = seen.await.err();
        let reason = |failure: &Option<RedisFailure>| failure.as_ref().map(RedisFailure::reason);
        let before = std::mem::replace(&mut *lock(&self.refused), refused.clone());
        if reason(&before) == reason(&refused) {
            return;
        }
        match refused {
            Some(failure) => tracing::error!(
                reason = failure.reason(), error = %failure,
                "Redis does not do what it should; requests get 503"
            ),
            None => tracing::info!("Redis answers and takes writes again"),
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks every second until the process ends.
pub(crate) async fn watch(app: Arc<App>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.ended.cancelled() => return,
            _ = ticks.tick() => app.health_monitor.beat(&app).await,
        }
    }
}
