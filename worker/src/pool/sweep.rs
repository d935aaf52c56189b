//! What the hints and wake-ups may have missed is found by a slow sweep.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::domain::WorkerId;
use gateway_shared::lane::{Lanes, SessionRef};
use gateway_shared::organization::Organizations;
use gateway_shared::redis::{RedisFailure, Store};
use gateway_shared::registry::Registry;
use gateway_shared::secrets::Keyring;
use gateway_shared::session::Sessions;
use tokio::time::Instant;

use crate::keystore::reseal::{Resealed, reseal_all};

/// Sessions looked at at a time.
const AT_ONCE: usize = 32;
/// How often one worker looks for what is to be sealed anew.
const RESEAL: Duration = Duration::from_secs(3_600);
/// Entries of one lane that one step of a sweep looks at.
const PER_STEP: u32 = 200;
/// Steps that one sweep takes in one lane; the rest is the next one's.
const STEPS_PER_LANE: u32 = 50;

/// Sweeps on behalf of the whole pool, whichever worker is the first to find that it is time.
pub(super) struct Sweeper {
    registry: Registry,
    sessions: Sessions,
    lanes: Lanes,
    store: Store,
    keyring: Keyring,
    /// When this worker last looked for what is to be sealed anew.
    resealed: Mutex<Option<Instant>>,
}

impl Sweeper {
    pub(super) fn new(
        registry: Registry,
        sessions: Sessions,
        lanes: Lanes,
        (store, keyring): (Store, Keyring),
    ) -> Self {
        Self {
            registry,
            sessions,
            lanes,
            store,
            keyring,
            resealed: Mutex::new(None),
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
        let lives = |id: &WorkerId| workers.iter().any(|worker| worker.id == *id);
        // What a process was cut off from between two of its steps: every session that there is
        // stands in the directory, and those that there no longer are in one of the sets.
        let mut all: HashSet<SessionRef> = self.registry.directory().await?.into_iter().collect();
        all.extend(self.registry.running().await?);
        let now = clock.now();
        let everyone: Vec<&SessionRef> = all.iter().collect();
        for some in everyone.chunks(AT_ONCE) {
            let settling: Vec<_> = some
                .iter()
                .map(|of| self.sessions.settle(now, of, lives))
                .collect();
            try_join_all(settling).await?;
        }
        // Sends that expire while their session is stopped: their lane has no owner to notice. And
        // what retention is done with, of sessions that nobody touches.
        for of in &all {
            for _ in 0..STEPS_PER_LANE {
                let looked_at = self.lanes.sweep(clock.now(), of, PER_STEP).await?;
                if looked_at < u64::from(PER_STEP) {
                    break;
                }
            }
        }
        let organizations = Organizations::new(self.lanes.store().clone());
        for organization in organizations.all().await? {
            self.lanes.sweep_events(clock.now(), &organization).await?;
        }
        self.reseal(all).await;
        Ok(())
    }

    /// Seals anew, in the background of everything else and seldom, what another key seals or
    /// nothing does.
    async fn reseal(&self, all: HashSet<SessionRef>) {
        let due = {
            let mut last = self.resealed.lock().unwrap_or_else(PoisonError::into_inner);
            let due = last.is_none_or(|at| at.elapsed() >= RESEAL);
            if due {
                *last = Some(Instant::now());
            }
            due
        };
        if !due {
            return;
        }
        let sessions: Vec<_> = all.into_iter().map(|of| of.session).collect();
        match reseal_all(&self.store, &self.keyring, &sessions).await {
            Ok(done) if done == Resealed::default() => {}
            Ok(done) => tracing::info!(
                data_keys = done.data_keys,
                sessions = done.sessions,
                "sealed anew with the active key"
            ),
            Err(error) => tracing::warn!(%error, "could not seal everything anew"),
        }
    }
}
