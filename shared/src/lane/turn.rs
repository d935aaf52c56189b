//! A turn: the one call by which the owner of a lane settles what ended and claims what is next.

use redis::Value;

use super::claim::{self, Claim, ClaimedSend};
use super::lifecycle::json;
use super::{Epoch, LaneError, Lanes, RateState, SessionRef, Stale, request_token};
use crate::clock::Millis;
use crate::domain::{OutboxId, SendFailure};
use crate::redis::unexpected;
use crate::tally::Counter;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// WhatsApp's server acknowledged it at this time.
    Sent(Millis),
    /// WhatsApp could not take it for now, or it did not get so far; the next attempt is due at this
    /// time, unless too many were made.
    Retry(Millis, SendFailure),
    /// Nobody answered: it may have arrived. The next attempt is due at this time, unless too many
    /// were made.
    Silent(Millis, SendFailure),
    /// It was not attempted (no connection, a pause, a shutdown): it keeps its place and is not
    /// counted.
    Release,
    /// The connection was lost before the answer: it may have arrived. It keeps its place and is not
    /// counted.
    Cut,
    /// It failed for good.
    Dead(SendFailure),
}

/// The end of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which send.
    pub id: OutboxId,
    /// How it ended.
    pub attempt: Attempt,
}

/// What a settlement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// As told.
    Done,
    /// It is a dead letter now (told so, or out of attempts).
    Dead,
    /// It had been settled before; nothing was changed.
    Gone,
}

/// What a turn did and found.
#[derive(Debug)]
pub struct Turn {
    /// What became of each settlement, in their order.
    pub settled: Vec<Settled>,
    /// What to send now, at most one of a chat.
    pub sends: Vec<ClaimedSend>,
    /// Whether more could be claimed. If not, the owner is woken when that changes.
    pub more: bool,
    /// How many of the session's entries are in flight now. More than the caller knows of means
    /// that the answer to a claim was lost; [`Lanes::recover`] returns those.
    pub in_flight: u64,
    /// Not before this moment something else falls due (a retry, a schedule, an expiry); the next
    /// turn with a [`Claim`] sees to it.
    pub next_due: Option<Millis>,
    /// The lane is paused until this moment; nothing was claimed.
    pub paused_until: Option<Millis>,
    /// Redis' time at the turn.
    pub now: Millis,
    /// What is spent of the budget after it.
    pub rate: RateState,
    /// The budget allows no further claim before so many milliseconds have passed.
    pub throttled_ms: u64,
}

impl Lanes {
    /// Settles attempts of one session, and then claims further sends of it.
    ///
    /// Repeating a settlement is harmless. Without a `claim` nothing is looked at that fell due.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner: nothing was changed. After
    /// [`LaneError::Redis`] the turn may have happened all the same: settle again, and
    /// [`recover`](Self::recover) what may have been claimed.
    pub async fn turn(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        max_attempts: u32,
        settlements: &[Settlement],
        claim: Option<Claim>,
    ) -> Result<Turn, LaneError> {
        let (from, epoch) = owner;
        let root = self.root(&from.organization);
        let mut call = self.scripts.turn.on(&root);
        call.arg(now)
            .arg(from.session.as_str())
            .arg(epoch.0)
            .arg(claim.map_or(-1, |claim| i64::from(claim.most)))
            .arg(max_attempts)
            .arg(request_token());
        for Settlement { id, attempt } in settlements {
            let (outcome, at, failure) = match attempt {
                Attempt::Sent(at) => ("sent", *at, None),
                Attempt::Retry(at, failure) => ("retry", *at, Some(failure)),
                Attempt::Silent(at, failure) => ("silent", *at, Some(failure)),
                Attempt::Release => ("release", now, None),
                Attempt::Cut => ("cut", now, None),
                Attempt::Dead(failure) => ("dead", now, Some(failure)),
            };
            call.arg(id.as_str()).arg(outcome).arg(at);
            call.arg(failure.map_or_else(String::new, json));
        }
        let reply: Vec<Value> = self.run(&call).await?;
        if reply.len() == 1 {
            return Err(Stale.into());
        }
        let turn = parse(from, reply).ok_or_else(|| unexpected("turn.lua"))?;
        for (settled, Settlement { attempt, .. }) in turn.settled.iter().zip(settlements) {
            match (settled, attempt) {
                // Also where a receipt was faster than the acknowledgement, and nothing was left to do.
                (_, Attempt::Sent(_)) => self.tally.count(Counter::Sent),
                (Settled::Dead, _) => self.tally.count(Counter::Failed),
                (Settled::Done, Attempt::Retry(..)) => self.tally.count(Counter::Retried),
                _ => {}
            }
        }
        Ok(turn)
    }

    /// Settles attempts of one session and claims nothing.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub async fn settle(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        max_attempts: u32,
        settlements: &[Settlement],
    ) -> Result<Vec<Settled>, LaneError> {
        let turn = self.turn(now, owner, max_attempts, settlements, None);
        Ok(turn.await?.settled)
    }
}

fn parse(from: &SessionRef, reply: Vec<Value>) -> Option<Turn> {
    let reply = <[Value; 11]>::try_from(reply).ok()?;
    let [
        _,
        settled,
        sends,
        more,
        in_flight,
        due,
        paused,
        now,
        minute,
        hour,
        throttled,
    ] = reply;
    let moment = |value: Value| -> Option<Option<Millis>> {
        let text: String = redis::from_redis_value(value).ok()?;
        Some(text.parse().ok().filter(|at| *at > 0))
    };
    let number = |value: Value| -> Option<u64> {
        let text: String = redis::from_redis_value(value).ok()?;
        text.parse().ok()
    };
    let settled: Vec<String> = redis::from_redis_value(settled).ok()?;
    let sends: Vec<Value> = redis::from_redis_value(sends).ok()?;
    Some(Turn {
        settled: settled
            .iter()
            .map(|name| match name.as_str() {
                "done" => Some(Settled::Done),
                "dead" => Some(Settled::Dead),
                "gone" => Some(Settled::Gone),
                _ => None,
            })
            .collect::<Option<_>>()?,
        sends: sends
            .into_iter()
            .map(|entry| claim::send(from, entry))
            .collect::<Option<_>>()?,
        more: redis::from_redis_value::<u8>(more).ok()? == 1,
        in_flight: redis::from_redis_value(in_flight).ok()?,
        next_due: moment(due)?,
        paused_until: moment(paused)?,
        now: moment(now)??,
        rate: RateState {
            minute: number(minute)?,
            hour: number(hour)?,
        },
        throttled_ms: number(throttled)?,
    })
}
