//! What the owner of a session holds of its lane.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_shared::domain::Limits;
use gateway_shared::lane::{Epoch, SessionRef};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use super::Shared;
use super::dispatch::Dispatch;
use super::lane::Lane;
use super::scheduler::LaneKey;

/// How long handlers that were ended may take to be settled.
const GRACE: Duration = Duration::from_secs(2);

/// A lane that is to be worked on.
pub struct LaneSpec {
    /// The session.
    pub from: SessionRef,
    /// The token of its ownership.
    pub epoch: Epoch,
    /// How much it may send.
    pub limits: Limits,
    /// Cancelled when this worker may not act for the session any more: handlers are dropped and
    /// none starts.
    pub lost: CancellationToken,
    /// What sends.
    pub dispatch: Arc<dyn Dispatch>,
}

impl fmt::Debug for LaneSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneSpec")
            .field("from", &self.from)
            .field("epoch", &self.epoch)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// How a lane was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detached {
    /// All that was in flight has been settled.
    Settled,
    /// Redis did not take the settlements in time, or the session has a new owner: the next one
    /// finds what is in flight and sends it again under the same ids.
    Unsettled,
}

/// A lane in the engine. It starts held; [`open`](Self::open) lets it claim. Dropping the handle
/// abandons the lane.
pub struct LaneHandle {
    shared: Arc<Shared>,
    key: LaneKey,
    stale: CancellationToken,
    quiet: watch::Receiver<bool>,
}

impl LaneHandle {
    pub(super) fn new(
        shared: Arc<Shared>,
        key: LaneKey,
        stale: CancellationToken,
        quiet: watch::Receiver<bool>,
    ) -> Self {
        Self {
            shared,
            key,
            stale,
            quiet,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Lane)) {
        self.shared.scheduler().change(self.key, change);
        self.shared.driver.notify_one();
    }

    /// Lets the lane claim: the link is up. What was released may be claimed again at once.
    pub fn open(&self) {
        self.change(Lane::open);
    }

    /// Claims nothing until the lane is opened again: the link is down. Handlers that run go on;
    /// what was claimed and has not started goes back to its place.
    pub fn hold(&self) {
        self.change(Lane::hold);
    }

    /// Changes how much the session may send. What was spent stays spent.
    pub fn set_limits(&self, limits: Limits) {
        self.change(|lane| lane.set_limits(limits));
    }

    /// Has the lane look at once whether there is something to claim.
    pub fn wake(&self) {
        self.change(Lane::wake);
    }

    /// How many sends are claimed and not settled.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let scheduler = self.shared.scheduler();
        scheduler.lane(self.key).map_or(0, Lane::in_flight)
    }

    /// Completes when Redis has refused a call of this lane because the session has a new owner.
    /// The lane has gone by then.
    pub fn stale(&self) -> WaitForCancellationFuture<'_> {
        self.stale.cancelled()
    }

    /// Leaves in order: claims nothing more, waits up to `limit` for handlers to end, then drops
    /// them, and settles everything.
    pub async fn detach(&self, limit: Duration) -> Detached {
        self.change(|lane| lane.leaving = true);
        if !self.is_quiet(limit).await {
            self.change(|lane| lane.halt.cancel());
            if !self.is_quiet(GRACE).await {
                self.abandon();
                return Detached::Unsettled;
            }
        }
        if self.stale.is_cancelled() {
            Detached::Unsettled
        } else {
            Detached::Settled
        }
    }

    /// Leaves at once: drops the handlers and settles nothing.
    pub fn abandon(&self) {
        self.change(Lane::abandon);
    }

    async fn is_quiet(&self, limit: Duration) -> bool {
        let mut quiet = self.quiet.clone();
        let settled = quiet.wait_for(|quiet| *quiet);
        // A sender that is gone has taken the lane with it.
        tokio::time::timeout(limit, settled).await.is_ok()
    }
}

impl Drop for LaneHandle {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl fmt::Debug for LaneHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneHandle")
            .field("lane", &self.key)
            .finish_non_exhaustive()
    }
}
