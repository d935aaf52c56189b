//! How a lane begins, and how it shows in logs.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use gateway_shared::clock::Millis;
use gateway_shared::domain::Limits;
use gateway_shared::lane::{Budget, Epoch, RateState, SessionRef};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Lane;
use crate::engine::dispatch::Dispatch;

/// What a lane is made of.
pub(in crate::engine) struct Made {
    pub(in crate::engine) from: SessionRef,
    pub(in crate::engine) epoch: Epoch,
    pub(in crate::engine) limits: Limits,
    pub(in crate::engine) rate: RateState,
    pub(in crate::engine) dispatch: Arc<dyn Dispatch>,
    pub(in crate::engine) lost: CancellationToken,
    pub(in crate::engine) quiet: watch::Sender<bool>,
}

impl Lane {
    /// A held lane of which nothing is in flight.
    pub(in crate::engine) fn new(made: Made) -> Self {
        Self {
            halt: made.lost.child_token(),
            stale: CancellationToken::new(),
            budget: Budget::new(made.limits, made.rate),
            from: made.from,
            epoch: made.epoch,
            dispatch: made.dispatch,
            quiet: made.quiet,
            limits: made.limits,
            open: false,
            leaving: false,
            may_claim: true,
            woken: false,
            lost_claims: false,
            busy: HashSet::new(),
            verdicts: Vec::new(),
            pauses: Vec::new(),
            held_until: 0,
            calling: false,
            failures: 0,
            again_at: 0,
            paused_until: 0,
            throttled_until: 0,
            released_until: 0,
            due: 0,
            sweep_at: Millis::MAX,
            timer: Millis::MAX,
            enqueued: false,
            waiting_for_slot: false,
        }
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("session", &self.from.session)
            .field("epoch", &self.epoch)
            .field("open", &self.open)
            .field("busy", &self.busy.len())
            .finish_non_exhaustive()
    }
}
