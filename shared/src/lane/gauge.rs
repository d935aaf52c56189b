//! What is in a lane, for those who watch over it.

use redis::Value;
use serde::Serialize;

use super::{Lanes, SessionRef};
use crate::clock::Millis;
use crate::domain::Limits;
use crate::redis::{RedisFailure, unexpected};

/// What is in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gauge {
    /// Sends that wait, the scheduled ones included.
    pub depth: u64,
    /// Those among them that somebody waits for.
    pub urgent: u64,
    /// Sends that are being attempted.
    pub in_flight: u64,
    /// Chats whose first send waits for another attempt.
    pub retrying_chats: u64,
    /// Sends that wait for their `sendAt`.
    pub scheduled: u64,
    /// When the send was accepted that has waited longest at the head of its chat.
    pub oldest_at: Option<Millis>,
    /// How long that one has waited, in milliseconds.
    pub oldest_age_ms: Option<u64>,
    /// Sends accepted in the last minute.
    pub accepted_last_minute: u64,
    /// What is spent of the rate limits; `null` = unlimited.
    pub spent_of_minute: Option<u64>,
    /// What is spent of the limit an hour; `null` = unlimited.
    pub spent_of_hour: Option<u64>,
    /// Until when nothing is attempted, if it is paused.
    pub paused_until: Option<Millis>,
    /// Sends that failed for good and are kept, to be retried or discarded.
    pub dead_letters: u64,
}

impl Lanes {
    /// What is in the lane of a session with these limits.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn gauge(
        &self,
        now: Millis,
        of: &SessionRef,
        limits: Limits,
    ) -> Result<Gauge, RedisFailure> {
        let root = self.root(&of.organization);
        let mut call = self.scripts.gauge.on(&root);
        call.arg(now).arg(of.session.as_str());
        let reply: Vec<Value> = self.run(&call).await?;
        read(limits, &reply).ok_or_else(|| unexpected("gauge.lua"))
    }
}

fn read(limits: Limits, reply: &[Value]) -> Option<Gauge> {
    let number = |index: usize| -> Option<u64> {
        let value = reply.get(index)?;
        let text: String = redis::from_redis_value_ref(value).ok()?;
        text.parse().ok()
    };
    let moment = |index: usize| -> Option<Option<Millis>> {
        let at = Millis::try_from(number(index)?).ok()?;
        Some((at > 0).then_some(at))
    };
    let now = moment(10)??;
    let spent = |index: usize, window_micros: u64, limit: u32| -> Option<Option<u64>> {
        let arrival = number(index)?;
        Some((limit > 0).then(|| {
            let each = window_micros.div_ceil(u64::from(limit));
            let now = u64::try_from(now).unwrap_or(0).saturating_mul(1_000);
            arrival.saturating_sub(now).div_ceil(each)
        }))
    };
    let oldest_at = moment(5)?;
    Some(Gauge {
        depth: number(0)?,
        urgent: number(1)?,
        in_flight: number(2)?,
        retrying_chats: number(3)?,
        scheduled: number(4)?,
        oldest_at,
        oldest_age_ms: oldest_at.map(|at| u64::try_from(now - at).unwrap_or(0)),
        accepted_last_minute: number(6)?,
        spent_of_minute: spent(7, 60_000_000, limits.rate_per_min)?,
        spent_of_hour: spent(8, 3_600_000_000, limits.rate_per_hour)?,
        paused_until: moment(9)?,
        dead_letters: number(11)?,
    })
}
