//! After how long the messages of a chat disappear.

use std::collections::HashMap;

use redis::AsyncCommands;
use serde::Serialize;

use super::{InboundEvent, Sessions};
use crate::clock::Millis;
use crate::lane::{Epoch, LaneError, SessionRef};
use crate::redis::RedisFailure;
use crate::redis::keys::{PARTITION, key};

/// News of a chat's timer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatTimer {
    /// The chat, by each of its names.
    #[serde(rename = "c")]
    pub chats: Vec<String>,
    /// After how many seconds its messages disappear; 0 = they stay.
    #[serde(rename = "s")]
    pub seconds: u32,
    /// When this was said: news replaces what is older.
    #[serde(rename = "t")]
    pub at: Millis,
}

impl Sessions {
    /// The timers of a session's chats: seconds, and when that was said, by chat JID.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn timers(
        &self,
        of: &SessionRef,
    ) -> Result<HashMap<String, (u32, Millis)>, RedisFailure> {
        let key = key(PARTITION, &self.root(of), "timers", &[of.session.as_str()]);
        let rows: HashMap<String, String> = self.store.connection.clone().hgetall(key).await?;
        let read = |row: &str| {
            let (seconds, at) = row.split_once(' ')?;
            Some((seconds.parse().ok()?, at.parse().ok()?))
        };
        let rows = rows.into_iter();
        Ok(rows
            .filter_map(|(chat, row)| Some((chat, read(&row)?)))
            .collect())
    }

    /// Remembers a chat's timer that no message told.
    ///
    /// # Errors
    /// [`LaneError::Stale`] when the session has a new owner: nothing is remembered.
    pub async fn remember_timer(
        &self,
        now: Millis,
        owner: (&SessionRef, Epoch),
        timer: ChatTimer,
    ) -> Result<(), LaneError> {
        let chat = timer.chats.first().map_or("", String::as_str);
        let told = InboundEvent {
            identity: format!("timer|{chat}"),
            timer: Some(timer),
            ..InboundEvent::default()
        };
        self.emit_inbound(now, owner, &[told]).await.map(drop)
    }
}
