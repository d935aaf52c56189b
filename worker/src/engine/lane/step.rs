//! What a lane can want.

use gateway_shared::clock::Millis;
use gateway_shared::domain::OutboxId;
use gateway_shared::lane::{Claim, Settlement};

use crate::engine::dispatch::LanePause;

/// What a lane is to do next.
#[derive(Debug)]
pub(in crate::engine) enum Step {
    /// Nothing until the timer, or until something happens.
    Rest {
        /// When to look again.
        until: Millis,
        /// It would claim if there were room for more sends in flight.
        for_room: bool,
    },
    /// One call to Redis.
    Call(Call),
    /// Nothing ever again.
    Gone,
}

/// A call to Redis.
#[derive(Debug)]
pub(in crate::engine) enum Call {
    /// Give back the claims that nobody works on, except these.
    Recover(Vec<OutboxId>),
    /// Make a pause known.
    Pause(LanePause),
    /// Settle, and claim.
    Turn {
        settlements: Vec<Settlement>,
        claim: Option<Claim>,
    },
}
