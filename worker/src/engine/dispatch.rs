//! The seam between the engine and what sends: one claimed send becomes one verdict.

use futures_util::future::BoxFuture;
use gateway_shared::clock::Millis;
use gateway_shared::lane::{Attempt, ClaimedSend, Scope};

/// Attempts claimed sends of one session.
pub trait Dispatch: Send + Sync + 'static {
    /// Makes one attempt and says how it ended. The future may be dropped at any point (the
    /// session was lost, the attempt took too long): a later attempt carries the same id.
    fn dispatch(&self, send: ClaimedSend) -> BoxFuture<'static, Verdict>;
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
