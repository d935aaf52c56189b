//! What this process knows of the rest: Redis' clock, and whether workers live.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_shared::redis::RedisFailure;
use tokio::time::{MissedTickBehavior, interval};

use crate::state::App;

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct HealthMonitor {
    no_worker: AtomicBool,
    redis_down: AtomicBool,
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
        let since = app.now().saturating_sub(liveness);
        let workers = app.registry.workers().await?;
        let live = workers.iter().any(|worker| worker.heartbeat_at >= since);
        self.no_worker.store(!live, Ordering::Relaxed);
        Ok(())
    }

    /// Looks once.
    pub(crate) async fn beat(&self, app: &App) {
        let seen = async {
            app.registry.follow_clock(&app.clock).await?;
            app.installation.look(app.now()).await?;
            self.count_workers(app).await
        };
        let down = match seen.await {
            Ok(()) => false,
            Err(failure) => {
                if !self.redis_down.load(Ordering::Relaxed) {
                    tracing::error!(error = %failure, "Redis does not answer; requests get 503");
                }
                true
            }
        };
        if self.redis_down.swap(down, Ordering::Relaxed) && !down {
            tracing::info!("Redis answers again");
        }
    }
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
