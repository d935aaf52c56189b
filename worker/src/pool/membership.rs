//! Staying a member of the pool: heartbeats, and the fence when they fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gateway_shared::clock::{Clock, Millis, SystemClock};
use gateway_shared::domain::WorkerId;
use gateway_shared::registry::{Heartbeat, Registry, WorkerInfo};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::liveness::Liveness;
use super::usage::Usage;

/// How often a worker proves its life, and how long it may be silent.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// Time between heartbeats.
    pub heartbeat: Duration,
    /// Silence after which others bury the worker.
    pub liveness: Duration,
    /// How long before that it stops acting.
    pub margin: Duration,
}

/// One run of a worker as a member of the pool. A run that was fenced is over; the process then
/// joins again under a new id.
#[derive(Debug, Clone)]
pub struct Membership {
    /// This run's id.
    pub id: WorkerId,
    /// Whether it may act.
    pub liveness: Liveness,
    registry: Registry,
    clock: Arc<SystemClock>,
    rhythm: Rhythm,
    capacity: Arc<AtomicU32>,
    started_at: Millis,
    sessions: Arc<AtomicU32>,
    /// What it is willing to own when nobody drains it; 0 from when it leaves.
    willing: Arc<AtomicU32>,
    usage: Arc<Usage>,
}

impl Membership {
    /// Joins the pool. Waits for Redis as long as `shutdown` lets it; `None` when that came first.
    pub async fn join(
        registry: Registry,
        clock: Arc<SystemClock>,
        rhythm: Rhythm,
        capacity: u32,
        shutdown: &CancellationToken,
    ) -> Option<Self> {
        loop {
            if registry.follow_clock(&clock).await.is_ok() {
                let member = Self {
                    id: WorkerId::generate(clock.now()),
                    liveness: Liveness::new(),
                    registry: registry.clone(),
                    clock: Arc::clone(&clock),
                    rhythm,
                    capacity: Arc::new(AtomicU32::new(capacity)),
                    started_at: clock.now(),
                    sessions: Arc::default(),
                    willing: Arc::new(AtomicU32::new(capacity)),
                    usage: Arc::default(),
                };
                let sent = Instant::now();
                if let Ok(Heartbeat::Alive { .. }) = registry.heartbeat(&member.info(), true).await
                {
                    member.extend(sent);
                    tracing::info!(worker = %member.id, "joined the pool");
                    return Some(member);
                }
            }
            tracing::warn!("Redis does not answer; trying again");
            tokio::select! {
                () = sleep(rhythm.heartbeat) => {}
                () = shutdown.cancelled() => return None,
            }
        }
    }

    /// What this worker says of itself.
    #[must_use]
    pub fn info(&self) -> WorkerInfo {
        WorkerInfo {
            id: self.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: format!("{}:{}", hostname(), std::process::id()),
            sessions: self.sessions.load(Ordering::Relaxed),
            capacity: self.capacity.load(Ordering::Relaxed),
            memory_bytes: Usage::memory_bytes(),
            cpu_percent: self.usage.cpu_percent(),
            draining: false,
            started_at: self.started_at,
            heartbeat_at: self.clock.now(),
        }
    }

    /// Notes how many sessions the worker owns, for its next heartbeat.
    pub fn owns(&self, sessions: usize) {
        self.sessions.store(
            u32::try_from(sessions).unwrap_or(u32::MAX),
            Ordering::Relaxed,
        );
    }

    /// Tells the others that this worker leaves: from now on its share is nothing, and theirs is
    /// larger by what it gives up. Its next heartbeat says it again where this one fails.
    pub async fn drain(&self) {
        self.willing.store(0, Ordering::Relaxed);
        self.capacity.store(0, Ordering::Relaxed);
        if let Err(error) = self.registry.heartbeat(&self.info(), false).await {
            tracing::warn!(worker = %self.id, %error, "could not say yet that it leaves");
        }
    }

    /// An operator drains this worker, or does not any more: its next heartbeat says what it is
    /// willing to own, and the shares follow.
    fn obey(&self, draining: bool) {
        let willing = self.willing.load(Ordering::Relaxed);
        let capacity = if draining { 0 } else { willing };
        if self.capacity.swap(capacity, Ordering::Relaxed) != capacity {
            tracing::info!(worker = %self.id, draining, "an operator drains this worker, or ended it");
        }
    }

    fn extend(&self, sent: Instant) {
        self.liveness.extend(
            sent,
            self.rhythm.liveness.saturating_sub(self.rhythm.margin),
        );
    }

    /// Beats until `stop`, or until the worker must be presumed dead; then it is fenced.
    pub async fn beat(&self, stop: CancellationToken) {
        let mut next = Instant::now() + self.rhythm.heartbeat;
        loop {
            tokio::select! {
                () = sleep_until(next) => {}
                () = stop.cancelled() => return,
                () = sleep_until(self.liveness.expires()) => {}
            }
            if !self.liveness.may_act() {
                tracing::error!(worker = %self.id, "no heartbeat got through in time; fenced");
                return;
            }
            let sent = Instant::now();
            next = sent + self.rhythm.heartbeat;
            let info = self.info();
            let answer = tokio::select! {
                answer = self.registry.heartbeat(&info, false) => answer,
                () = sleep_until(self.liveness.expires()) => continue,
            };
            match answer {
                Ok(Heartbeat::Alive { draining, .. }) => {
                    self.extend(sent);
                    self.obey(draining);
                }
                Ok(Heartbeat::Buried) => {
                    tracing::error!(worker = %self.id, "was presumed dead; fenced");
                    self.liveness.fence();
                    return;
                }
                Err(error) => tracing::warn!(worker = %self.id, %error, "heartbeat failed"),
            }
        }
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
