//! What the hints and wake-ups may have missed is found by a slow sweep.

use std::sync::Arc;
use std::time::Duration;

use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::domain::WorkerId;
use gateway_shared::lane::Lanes;
use gateway_shared::organization::Organizations;
use gateway_shared::redis::RedisFailure;
use gateway_shared::registry::Registry;
use gateway_shared::session::Sessions;

/// Entries of one lane that one step of a sweep looks at.
const PER_STEP: u32 = 200;
/// Steps that one sweep takes in one lane; the rest is the next one's.
const STEPS_PER_LANE: u32 = 50;

/// Sweeps on behalf of the whole pool, whichever worker is the first to find that it is time.
pub(super) struct Sweeper {
    registry: Registry,
    sessions: Sessions,
    lanes: Lanes,
}

impl Sweeper {
    pub(super) fn new(registry: Registry, sessions: Sessions, lanes: Lanes) -> Self {
        Self {
            registry,
            sessions,
            lanes,
        }
    }

    /// Has the pool swept every `period`, however short its workers live, and follows Redis' clock,
    /// until dropped.
    pub(super) async fn run(&self, me: WorkerId, clock: Arc<SystemClock>, period: Duration) {
        loop {
            tokio::time::sleep(period / 4).await;
            if let Err(error) = self.sweep(&me, &clock, period).await {
                tracing::warn!(%error, "sweep failed");
            }
        }
    }

    async fn sweep(
        &self,
        me: &WorkerId,
        clock: &SystemClock,
        period: Duration,
    ) -> Result<(), RedisFailure> {
        self.registry.follow_clock(clock).await?;
        let period = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        if !self.registry.claim_sweep(me, period).await? {
            return Ok(());
        }
        let workers = self.registry.workers().await?;
        // Sessions that should run and that nobody owns, although no set says so: a process was
        // killed between two steps.
        for of in self.registry.running().await? {
            let Some(record) = self.sessions.record(&of).await? else {
                continue;
            };
            let owned = record
                .session
                .worker
                .is_some_and(|owner| workers.iter().any(|worker| worker.id == owner));
            if !owned {
                self.sessions.renew_offer(&of).await?;
            }
        }
        // Sends that expire while their session is stopped: their lane has no owner to notice. And
        // what retention is done with, of sessions that nobody touches.
        for of in self.registry.directory().await? {
            for _ in 0..STEPS_PER_LANE {
                let looked_at = self.lanes.sweep(clock.now(), &of, PER_STEP).await?;
                if looked_at < u64::from(PER_STEP) {
                    break;
                }
            }
        }
        let organizations = Organizations::new(self.lanes.store().clone());
        for organization in organizations.all().await? {
            self.lanes.sweep_events(clock.now(), &organization).await?;
        }
        Ok(())
    }
}
