//! Claiming: the owner of a session takes what may be sent next.

use redis::Value;

use super::{Epoch, LaneError, Lanes, Mode, RateState, SessionRef, Stale, Turn};
use crate::clock::Millis;
use crate::domain::{Content, Jid, OutboxId};
use crate::redis::{RedisFailure, unexpected};
use crate::send::SendRecord;

/// A wish to claim, as far as the budget allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// At most so many, and not more than the session's budget allows at Redis' time; 0 = only look
    /// what fell due.
    pub most: u32,
}

/// A send in flight.
#[derive(Debug, Clone)]
pub struct ClaimedSend {
    /// Its id.
    pub id: OutboxId,
    /// Its session.
    pub from: SessionRef,
    /// The chat.
    pub to: Jid,
    /// The pinned WhatsApp message id.
    pub wa_message_id: String,
    /// What to send. An error where the stored body can not be read, which only a foreign hand
    /// or an older version of this program can have caused.
    pub content: Result<Content, String>,
    /// How it was accepted.
    pub mode: Mode,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    /// The id of the request that was accepted.
    pub request_id: String,
    /// When it was accepted.
    pub created_at: Millis,
}

/// What becomes of a message whose attempts seem to kill the workers that make them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPolicy {
    /// So many owners in a row that vanished with it in flight make it a dead letter.
    pub most: u32,
    /// How long it rests after the second one, in milliseconds. Doubles from there.
    pub first_rest_ms: u32,
    /// The longest rest, in milliseconds.
    pub longest_rest_ms: u32,
}

impl Default for CrashPolicy {
    fn default() -> Self {
        Self {
            most: 5,
            first_rest_ms: 1_000,
            longest_rest_ms: 60_000,
        }
    }
}

/// What a new owner finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// How many claims of nobody were taken back: returned to their places, or dead letters.
    pub returned: u64,
    /// How many of them are dead letters, since too many owners vanished with them.
    pub dead: u64,
    /// The state of the session's budget: what its owners have spent so far.
    pub rate: RateState,
}

impl Lanes {
    /// Claims sends of a session and spends their share of the budget.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub async fn claim(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        claim: Claim,
    ) -> Result<Turn, LaneError> {
        self.turn(now, owner, u32::MAX, &[], Some(claim)).await
    }

    /// Puts back the claims of a session that nobody works on: those of an earlier owner, or those
    /// whose answer was lost. `busy` are the ones the caller is working on.
    ///
    /// Those that an earlier owner vanished with are counted by `crashes`.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner.
    pub async fn recover(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        crashes: CrashPolicy,
        busy: &[OutboxId],
    ) -> Result<Recovered, LaneError> {
        let (from, epoch) = owner;
        let root = self.root(&from.organization);
        let mut call = self.scripts.recover.on(&root);
        call.arg(now).arg(from.session.as_str()).arg(epoch.0);
        call.arg(crashes.most)
            .arg(crashes.first_rest_ms)
            .arg(crashes.longest_rest_ms)
            .arg(rand::random::<f64>());
        for id in busy {
            call.arg(id.as_str());
        }
        let reply: Vec<String> = self.run(&call).await?;
        match reply.as_slice() {
            [_] => Err(Stale.into()),
            [_, returned, minute, hour, dead] => {
                let number = |text: &String| text.parse::<u64>();
                let (Ok(returned), Ok(minute), Ok(hour), Ok(dead)) =
                    (number(returned), number(minute), number(hour), number(dead))
                else {
                    return Err(unexpected("recover.lua").into());
                };
                let rate = RateState { minute, hour };
                Ok(Recovered {
                    returned,
                    dead,
                    rate,
                })
            }
            _ => Err(unexpected("recover.lua").into()),
        }
    }

    /// Says that a former owner of a session lives: it was cut off from Redis, and none of what it
    /// had in flight has killed it. Returns how many entries that acquits.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn survived(&self, from: &SessionRef, epoch: Epoch) -> Result<u64, RedisFailure> {
        let root = self.root(&from.organization);
        let mut call = self.scripts.survived.on(&root);
        call.arg(from.session.as_str()).arg(epoch.0);
        self.run(&call).await
    }
}

/// Reads one claimed entry of a turn's reply.
pub(super) fn send(from: &SessionRef, entry: Value) -> Option<ClaimedSend> {
    let fields: Vec<String> = redis::from_redis_value(entry).ok()?;
    let [id, record, body, attempts, created] = <[String; 5]>::try_from(fields).ok()?;
    let record: SendRecord = serde_json::from_str(&record).ok()?;
    Some(ClaimedSend {
        id: id.parse().ok()?,
        from: from.clone(),
        to: record.chat,
        wa_message_id: record.wa_message_id,
        content: serde_json::from_str(&body).map_err(|error| error.to_string()),
        mode: record.mode,
        attempt: attempts.parse().ok()?,
        request_id: record.request_id,
        created_at: created.parse().ok()?,
    })
}
