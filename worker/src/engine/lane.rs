//! One lane as its owner sees it: what it may do next. No Redis and no tasks in here.

mod made;
mod step;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::domain::{Limits, OutboxId};
use gateway_shared::lane::{
    Attempt, Budget, Claim, Epoch, Recovered, Scope, SessionRef, Settled, Settlement, Turn,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(super) use made::Made;
pub(super) use step::{Call, Step};

use super::dispatch::{Dispatch, LanePause, Verdict};
use crate::Backoff;

/// Most settlements of one turn.
const MOST_SETTLEMENTS: usize = 200;
/// Pause between calls that Redis did not take.
const REDIS_AGAIN: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(2),
};

/// A lane of this worker.
///
/// At most one call to Redis is under way for it, so the order of its steps is never in doubt.
pub(super) struct Lane {
    pub(super) from: SessionRef,
    pub(super) epoch: Epoch,
    pub(super) dispatch: Arc<dyn Dispatch>,
    /// Ends every handler: the session is stale, lost or abandoned.
    pub(super) halt: CancellationToken,
    /// Redis said that the session has a new owner.
    pub(super) stale: CancellationToken,
    /// Becomes true when nothing of the lane is left in the engine.
    pub(super) quiet: watch::Sender<bool>,
    budget: Budget,
    limits: Limits,
    open: bool,
    /// It claims no more, and goes away when all is settled.
    pub(super) leaving: bool,
    /// There may be something to claim.
    may_claim: bool,
    /// It was woken or opened while a call was under way, which may have looked too early.
    woken: bool,
    /// The answer to a claim was lost: some claims may be nobody's.
    lost_claims: bool,
    /// Claimed and not settled.
    busy: HashSet<OutboxId>,
    /// To be settled.
    verdicts: Vec<Settlement>,
    /// Rests to be told to Redis, at most one of a scope.
    pauses: Vec<LanePause>,
    /// A call is under way.
    calling: bool,
    failures: u32,
    /// No call before this moment, since Redis failed.
    again_at: Millis,
    paused_until: Millis,
    /// New chats are held until this moment, as far as this owner caused it.
    held_until: Millis,
    throttled_until: Millis,
    /// Released entries are not claimed again before this moment.
    released_until: Millis,
    /// Something falls due at this moment.
    due: Millis,
    /// The moment of the safety net: a look without a reason.
    sweep_at: Millis,
    /// The earliest timer that is set for this lane.
    pub(super) timer: Millis,
    /// It is on the agenda.
    pub(super) enqueued: bool,
    /// It waits for room.
    pub(super) waiting_for_slot: bool,
}

impl Lane {
    /// How many sends are claimed and not settled.
    pub(super) fn in_flight(&self) -> usize {
        self.busy.len()
    }

    /// Whether a handler may start now.
    pub(super) fn may_start(&self, now: Millis) -> bool {
        self.open && !self.leaving && !self.halt.is_cancelled() && self.paused_until <= now
    }

    /// The link is up: claim.
    pub(super) fn open(&mut self) {
        self.open = true;
        self.released_until = 0;
        self.may_claim = true;
        // A call under way was made for a lane that was closed, or knew of nothing.
        self.woken = true;
    }

    /// The link is down: claim nothing.
    pub(super) fn hold(&mut self) {
        self.open = false;
    }

    /// Something happened in the lane, or may have.
    pub(super) fn wake(&mut self) {
        self.may_claim = true;
        self.woken = true;
        // What is paused and what is due was perhaps just changed: ask anew.
        if !self.pause_is_pending() {
            self.paused_until = 0;
        }
        self.released_until = 0;
        self.due = 0;
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        if limits != self.limits {
            self.limits = limits;
            self.budget = Budget::new(limits, self.budget.state());
            self.throttled_until = 0;
        }
    }

    /// Redis said that somebody else owns the session: nothing can be settled any more.
    pub(super) fn lose(&mut self) {
        self.stale.cancel();
        self.abandon();
    }

    /// Ends the handlers and settles nothing; the next owner finds what is in flight.
    pub(super) fn abandon(&mut self) {
        self.halt.cancel();
        self.leaving = true;
        self.verdicts.clear();
        self.busy.clear();
        self.pauses.clear();
        self.lost_claims = false;
    }

    /// An attempt has ended.
    pub(super) fn conclude(&mut self, id: &OutboxId, verdict: Verdict, now: Millis, rest: Millis) {
        if !self.busy.contains(id) {
            return;
        }
        if matches!(verdict.attempt, Attempt::Release | Attempt::Cut) {
            self.released_until = self.released_until.max(now + rest);
        }
        if let Some(pause) = verdict.pause {
            let known = match pause.scope {
                Scope::All => &mut self.paused_until,
                Scope::NewChats => &mut self.held_until,
            };
            if pause.until > *known {
                *known = pause.until;
                self.pauses.retain(|pending| pending.scope != pause.scope);
                self.pauses.push(pause);
            }
        }
        self.verdicts.push(Settlement {
            id: id.clone(),
            attempt: verdict.attempt,
        });
    }

    /// What to do next, if there is room for `room` more sends in flight (of which this lane's
    /// fair share is `share`).
    pub(super) fn step(&mut self, now: Millis, room: u32, share: u32, draining: bool) -> Step {
        if self.calling {
            return Step::Rest {
                until: Millis::MAX,
                for_room: false,
            };
        }
        if self.leaving && self.busy.is_empty() && self.pauses.is_empty() {
            return Step::Gone;
        }
        if self.again_at > now {
            return Step::Rest {
                until: self.again_at,
                for_room: false,
            };
        }
        if self.lost_claims {
            return self.call(Call::Recover(self.busy.iter().cloned().collect()));
        }
        if let Some(pause) = self.pauses.first().cloned() {
            return self.call(Call::Pause(pause));
        }
        let idle = draining || self.leaving || self.halt.is_cancelled();
        if now >= self.sweep_at {
            self.may_claim = true;
            self.due = 0;
        }
        let mut for_room = false;
        let mut claim = (!idle && self.due <= now).then_some(Claim { most: 0 });
        if !idle && self.may_claim && self.rests_until() <= now && self.open {
            match self.budget.available(now, share.max(1)) {
                Ok(_) if room == 0 => for_room = true,
                Ok(most) => {
                    claim = Some(Claim {
                        most: most.min(room),
                    });
                }
                Err(exceeded) => {
                    let wait = Millis::try_from(exceeded.retry_after_ms).unwrap_or(Millis::MAX);
                    self.throttled_until = now.saturating_add(wait);
                }
            }
        }
        if self.verdicts.is_empty() && claim.is_none() {
            let claims_at = if !idle && self.may_claim && self.open && !for_room {
                self.rests_until()
            } else {
                Millis::MAX
            };
            let due = if idle {
                Millis::MAX
            } else {
                self.due.min(self.sweep_at)
            };
            return Step::Rest {
                until: claims_at.min(due),
                for_room,
            };
        }
        let most = self.verdicts.len().min(MOST_SETTLEMENTS);
        let settlements = self.verdicts.drain(..most).collect();
        self.call(Call::Turn { settlements, claim })
    }

    fn call(&mut self, call: Call) -> Step {
        self.calling = true;
        self.woken = false;
        Step::Call(call)
    }

    /// Nothing is claimed before this moment.
    fn rests_until(&self) -> Millis {
        self.paused_until
            .max(self.throttled_until)
            .max(self.released_until)
    }

    /// A turn was taken; `sweep` is the time until a look without a reason.
    pub(super) fn took_turn(&mut self, call: &Call, turn: &Turn, now: Millis, sweep: Millis) {
        self.succeeded();
        let Call::Turn { settlements, claim } = call else {
            return;
        };
        // Redis' moments by this engine's clock, whatever that shows.
        let moment = |at: Option<Millis>| at.map(|at| now.saturating_add(at - turn.now));
        let (next_due, paused_until) = (moment(turn.next_due), moment(turn.paused_until));
        for (settlement, settled) in settlements.iter().zip(&turn.settled) {
            self.busy.remove(&settlement.id);
            if *settled == Settled::Dead {
                tracing::info!(session = %self.from.session, outbox = %settlement.id,
                    "the send failed for good");
            }
        }
        self.busy
            .extend(turn.sends.iter().map(|send| send.id.clone()));
        // The turn counts, by Redis' time; governor only knows from it when to ask again.
        self.budget = Budget::new(self.limits, turn.rate);
        let throttled = Millis::try_from(turn.throttled_ms).unwrap_or(Millis::MAX);
        self.throttled_until = match throttled {
            0 => 0,
            wait => now.saturating_add(wait),
        };
        // A settlement may have made a chat ready that an earlier claim could not see.
        self.may_claim = turn.more || self.woken;
        if turn.in_flight > u64::try_from(self.busy.len()).unwrap_or(u64::MAX) {
            self.lost_claims = true;
        }
        if claim.is_some() {
            self.due = if self.woken {
                0
            } else {
                next_due.unwrap_or(Millis::MAX)
            };
            if !self.pause_is_pending() && !self.woken {
                self.paused_until = paused_until.unwrap_or(0);
            }
            self.sweep_at = now.saturating_add(sweep);
        } else {
            // What was put back may fall due before anything the lane knows of.
            self.due = self.due.min(next_due.unwrap_or(Millis::MAX));
        }
    }

    /// Claims of nobody were given back.
    pub(super) fn recovered(&mut self, recovered: Recovered) {
        self.succeeded();
        self.lost_claims = false;
        self.may_claim = true;
        self.due = 0;
        // What the lost claims have spent stays spent.
        self.budget = Budget::new(self.limits, recovered.rate);
    }

    /// A pause is known to Redis.
    pub(super) fn paused(&mut self, pause: &LanePause) {
        self.succeeded();
        self.pauses.retain(|pending| pending != pause);
    }

    /// The whole lane rests, and Redis does not know yet.
    fn pause_is_pending(&self) -> bool {
        self.pauses.iter().any(|pause| pause.scope == Scope::All)
    }

    /// The call under way has come back, and its answer changes nothing.
    pub(super) fn release_call(&mut self) {
        self.calling = false;
    }

    fn succeeded(&mut self) {
        self.calling = false;
        self.failures = 0;
    }

    /// Redis did not answer: the call may have happened or not.
    pub(super) fn failed(&mut self, call: Call, now: Millis) {
        self.calling = false;
        self.failures = self.failures.saturating_add(1);
        self.again_at = REDIS_AGAIN.due(now, self.failures);
        self.may_claim = true;
        if let Call::Turn {
            settlements, claim, ..
        } = call
        {
            self.lost_claims |= claim.is_some_and(|claim| claim.most > 0);
            // Unless it was abandoned meanwhile.
            let known = settlements
                .into_iter()
                .filter(|s| self.busy.contains(&s.id));
            self.verdicts.splice(0..0, known.collect::<Vec<_>>());
        }
    }
}
