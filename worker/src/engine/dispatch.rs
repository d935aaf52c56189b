//! The seam between the engine and what sends: one claimed send becomes one verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use gateway_shared::clock::Millis;
use gateway_shared::lane::{Attempt, ClaimedSend, Scope};

/// Attempts claimed sends of one session.
pub trait Dispatch: Send + Sync + 'static {
    /// Makes one attempt and says how it ended. The future may be dropped at any point (the
    /// session was lost, the attempt took too long): a later attempt carries the same id.
    fn dispatch(&self, send: ClaimedSend, wire: Wire) -> BoxFuture<'static, Verdict>;
}

/// Whether an attempt may have put anything on the wire yet. It may have, unless the attempt says
/// that it only prepares: one that is cut short then certainly did not leave.
#[derive(Debug, Clone, Default)]
pub struct Wire(Arc<AtomicBool>);

impl Wire {
    /// The attempt prepares what it sends: files are uploaded, nothing is written.
    pub fn prepares(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// From here on it may leave.
    pub fn opens(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether anything may have left.
    #[must_use]
    pub fn may_have_carried(&self) -> bool {
        !self.0.load(Ordering::Acquire)
    }
}

/// How an attempt ended, and what that means for the rest of the lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The end of this attempt.
    pub attempt: Attempt,
    /// The lane rests, or its new chats, because what ended this attempt would end every other.
    pub pause: Option<LanePause>,
}

/// A rest of a lane. It survives a take-over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanePause {
    /// What rests.
    pub scope: Scope,
    /// Nothing of that is claimed before this moment.
    pub until: Millis,
    /// Why, for operators.
    pub reason: String,
}

impl Verdict {
    /// It was not attempted: it keeps its place, and the attempt is not counted.
    #[must_use]
    pub fn released() -> Self {
        Attempt::Release.into()
    }

    /// It was cut short, and may have left: it keeps its place, and the attempt is not counted.
    #[must_use]
    pub fn cut() -> Self {
        Attempt::Cut.into()
    }
}

impl From<Attempt> for Verdict {
    fn from(attempt: Attempt) -> Self {
        Self {
            attempt,
            pause: None,
        }
    }
}
