//! What makes a whole lane wait: an operator's pause, WhatsApp's limits, a hold on new chats.

use serde::Serialize;

use super::{Epoch, LaneError, Lanes, SessionRef, Stale, request_token};
use crate::clock::Millis;
use crate::redis::keys::{PARTITION, key};
use crate::redis::{RedisFailure, unexpected};

/// The moment of a pause without an end.
const FOR_EVER: Millis = 9_000_000_000_000_000;

/// What an owner's rest is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Nothing leaves.
    All,
    /// Chats with one person that the session never wrote to wait; all others go on.
    NewChats,
}

/// How a lane stands, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// An operator paused the lane: nothing leaves until one resumes it.
    pub paused: bool,
    /// Why, as the operator said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_reason: Option<String>,
    /// Nothing leaves before this moment: WhatsApp said so (`rate_overlimit`, `temporary_ban`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resting_until: Option<Millis>,
    /// Which of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest_reason: Option<String>,
    /// People never written to wait until this moment: WhatsApp restricts reaching out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_chats_held_until: Option<Millis>,
    /// How many sends wait.
    pub waiting: u64,
    /// How many are being attempted.
    pub in_flight: u64,
}

impl Lanes {
    /// Pauses a lane by an operator's wish, until a moment or until it is resumed; false where there
    /// is no such session. What is being attempted goes on; asynchronous sends are accepted and wait.
    ///
    /// # Errors
    /// When Redis does not answer; pausing again is harmless.
    pub async fn pause(
        &self,
        now: Millis,
        from: &SessionRef,
        until: Option<Millis>,
        reason: &str,
    ) -> Result<bool, RedisFailure> {
        let desired_change = (Scope::All, until.unwrap_or(FOR_EVER), reason);
        Ok(self.hold(now, from, None, desired_change).await? == "paused")
    }

    /// Ends an operator's pause, and with it what the owner rests for; false where there is no such
    /// session.
    ///
    /// # Errors
    /// When Redis does not answer; resuming again is harmless.
    pub async fn resume(&self, now: Millis, from: &SessionRef) -> Result<bool, RedisFailure> {
        let desired_change = (Scope::All, 0, "");
        Ok(self.hold(now, from, None, desired_change).await? == "paused")
    }

    /// Lets a lane rest by its owner's doing, until a moment. A rest that lasts longer stays.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner.
    pub async fn rest(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        scope: Scope,
        until: Millis,
        reason: &str,
    ) -> Result<(), LaneError> {
        let (from, epoch) = owner;
        let rest = (scope, until, reason);
        match self.hold(now, from, Some(epoch), rest).await?.as_str() {
            "paused" => Ok(()),
            _ => Err(Stale.into()),
        }
    }

    async fn hold(
        &self,
        now: Millis,
        from: &SessionRef,
        epoch: Option<Epoch>,
        (scope, until, reason): (Scope, Millis, &str),
    ) -> Result<String, RedisFailure> {
        let root = self.root(&from.organization);
        let mut call = self.scripts.pause.on(&root);
        call.arg(now)
            .arg(from.session.as_str())
            .arg(epoch.map_or_else(String::new, |epoch| epoch.0.to_string()))
            .arg(match scope {
                Scope::All => "all",
                Scope::NewChats => "new_chats",
            })
            .arg(until)
            .arg(reason)
            .arg(request_token());
        let reply: Vec<String> = self.run_durably(&call).await?;
        reply
            .into_iter()
            .next()
            .ok_or_else(|| unexpected("pause.lua"))
    }

    /// How a lane stands at this moment, by the caller's clock.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn standing(&self, now: Millis, from: &SessionRef) -> Result<Hold, RedisFailure> {
        let root = self.root(&from.organization);
        let place = |name| key(PARTITION, &root, name, &[from.session.as_str()]);
        let fields = [
            "stoppedUntil",
            "stopReason",
            "pausedUntil",
            "pauseReason",
            "newChatsUntil",
            "depth",
        ];
        let (lane, in_flight): (Vec<Option<String>>, u64) = redis::pipe()
            .hmget(place("lane"), &fields[..])
            .hlen(place("flying"))
            .query_async(&mut self.store.connection.clone())
            .await?;
        let text = |index: usize| {
            let value = lane.get(index).cloned().flatten();
            value.filter(|value| !value.is_empty())
        };
        let moment = |index: usize| {
            let at = text(index).and_then(|value| value.parse::<Millis>().ok());
            at.filter(|at| *at > now)
        };
        let paused = moment(0).is_some();
        let resting_until = moment(2);
        Ok(Hold {
            paused,
            pause_reason: text(1).filter(|_| paused),
            resting_until,
            rest_reason: text(3).filter(|_| resting_until.is_some()),
            new_chats_held_until: moment(4),
            waiting: text(5).and_then(|depth| depth.parse().ok()).unwrap_or(0),
            in_flight,
        })
    }
}
