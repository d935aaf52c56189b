//! Why a send waits.

use redis::Value;
use serde::{Deserialize, Serialize};

use super::{Lanes, SessionRef};
use crate::clock::Millis;
use crate::domain::OutboxId;
use crate::redis::{RedisFailure, unexpected};

/// What a send waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// Its `sendAt`.
    Scheduled,
    /// That the session is connected.
    SessionNotConnected,
    /// That an operator resumes the lane.
    Paused,
    /// The end of a rest that WhatsApp asked for.
    Resting,
    /// What goes before it in its chat.
    Behind,
    /// The end of a restriction of WhatsApp's on writing to somebody new.
    NewChatsHeld,
    /// The next attempt, after one that failed.
    Retry,
    /// The session's rate limit.
    RateLimited,
    /// Nothing: it is attempted as soon as its worker has room.
    Next,
}

/// Why a send waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingFor {
    /// What for.
    pub reason: WaitReason,
    /// Until when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// The send before it in its chat, where it waits for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbox_id: Option<OutboxId>,
    /// For people.
    pub message: String,
}

impl Lanes {
    /// Why a send of a session waits; `None` where it does not, since it is being attempted or has
    /// ended, or where there is none of this id.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn waiting_for(
        &self,
        now: Millis,
        of: &SessionRef,
        id: &OutboxId,
    ) -> Result<Option<WaitingFor>, RedisFailure> {
        let root = self.root(&of.organization);
        let mut call = self.scripts.waiting.on(&root);
        call.arg(now).arg(of.session.as_str()).arg(id.as_str());
        let reply: Vec<Value> = self.run(&call).await?;
        if reply.is_empty() {
            return Ok(None);
        }
        read(now, &reply)
            .map(Some)
            .ok_or_else(|| unexpected("waiting.lua"))
    }
}

fn read(now: Millis, reply: &[Value]) -> Option<WaitingFor> {
    let text =
        |index: usize| -> Option<String> { redis::from_redis_value_ref(reply.get(index)?).ok() };
    let reason = WaitReason::deserialize(serde_json::Value::String(text(0)?)).ok()?;
    let until: Option<Millis> = text(1)?.parse().ok().filter(|at| *at > 0);
    let detail = text(2)?;
    let rest = until.map_or_else(String::new, |until| format!(", for {}", span(until - now)));
    let because = if detail.is_empty() {
        String::new()
    } else {
        format!(" ({detail})")
    };
    let message = match reason {
        WaitReason::Scheduled => format!("scheduled{rest}"),
        WaitReason::SessionNotConnected => {
            format!("the session is not connected: its status is {detail}")
        }
        WaitReason::Paused => format!("an operator paused the session's sends{because}{rest}"),
        WaitReason::Resting => format!("WhatsApp asked the session to rest{because}{rest}"),
        WaitReason::Behind => format!("behind {detail} in the same chat"),
        WaitReason::NewChatsHeld => {
            format!("WhatsApp does not let the session write to somebody new{rest}")
        }
        WaitReason::Retry => format!("the last attempt failed; it is tried again{rest}"),
        WaitReason::RateLimited => format!("the session's rate limit (per {detail}){rest}"),
        WaitReason::Next => "next in line".to_owned(),
    };
    Some(WaitingFor {
        reason,
        until,
        outbox_id: detail.parse().ok().filter(|_| reason == WaitReason::Behind),
        message: message.replace("again, for", "again in"),
    })
}

/// A stretch of time for people, rounded up.
fn span(millis: Millis) -> String {
    let seconds = u64::try_from(millis).unwrap_or(0).div_ceil(1_000);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        7_200..172_800 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(reason: &str, until: Millis, detail: &str) -> String {
        let reply = [reason, &until.to_string(), detail]
            .map(|text| Value::BulkString(text.as_bytes().to_vec()));
        read(1_000, &reply).unwrap().message
    }

    #[test]
    fn each_reason_is_one_sentence() {
        assert_eq!(emitted("scheduled", 61_000, ""), "scheduled, for 60 s");
        assert_eq!(
            emitted("retry", 4_000, ""),
            "the last attempt failed; it is tried again in 3 s"
        );
        assert_eq!(
            emitted("paused", 0, "maintenance"),
            "an operator paused the session's sends (maintenance)"
        );
        assert_eq!(
            emitted("rate_limited", 3_601_000, "hour"),
            "the session's rate limit (per hour), for 60 min"
        );
        assert_eq!(emitted("next", 0, ""), "next in line");
    }
}
