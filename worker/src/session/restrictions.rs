//! The restrictions that WhatsApp has put on a session's account: shown, told once, and acted on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway_shared::clock::Millis;
use gateway_shared::session::{Report, ReportedEvent};
use serde_json::json;
use tokio::time::timeout;

use super::{Owner, Runtime};
use crate::link::{LaneEffect, Link, Restriction, SendOutcome};

/// How long WhatsApp may take to say how long a restriction lasts, while a send waits for it.
const ASKING: Duration = Duration::from_secs(5);

/// Those of one session.
#[derive(Debug)]
pub(super) struct Restrictions {
    runtime: Arc<Runtime>,
    owner: Owner,
    /// Those that were told.
    emitted: Mutex<Vec<Restriction>>,
}

impl Restrictions {
    pub(super) fn new(runtime: &Arc<Runtime>, owner: &Owner) -> Self {
        Self {
            runtime: Arc::clone(runtime),
            owner: owner.clone(),
            emitted: Mutex::default(),
        }
    }

    /// What an attempt's outcome says of the account, and what its lane is to do: a hold on new chats
    /// lasts as long as WhatsApp says that the lock does.
    pub(super) async fn learn(
        &self,
        link: &Link,
        outcome: &SendOutcome,
        effect: LaneEffect,
    ) -> LaneEffect {
        let LaneEffect::HoldNewChats { until } = effect else {
            return effect;
        };
        let code = match outcome {
            SendOutcome::Nacked { code } => *code,
            _ => 0,
        };
        let lock = timeout(ASKING, link.reach_out_timelock()).await;
        let lock = lock.ok().flatten().unwrap_or_else(|| Restriction {
            kind: if code == 475 {
                "new_chat_cap"
            } else {
                "reach_out_timelock"
            },
            until: Some(until),
            code: code.to_string(),
        });
        let until = lock.until.unwrap_or(until);
        self.tell(lock).await;
        LaneEffect::HoldNewChats { until }
    }

    /// The account is banned for a while.
    pub(super) async fn banned(&self, code: i32, until: Millis) {
        self.tell(Restriction {
            kind: "temporary_ban",
            until: Some(until),
            code: code.to_string(),
        })
        .await;
    }

    /// Shows a restriction in the session and tells of it, unless that was done.
    async fn tell(&self, restriction: Restriction) {
        let now = self.runtime.now();
        let all = {
            let mut emitted = self.emitted.lock().unwrap_or_else(PoisonError::into_inner);
            if emitted.contains(&restriction) {
                return;
            }
            emitted.retain(|old| {
                old.kind != restriction.kind && old.until.is_none_or(|until| until > now)
            });
            emitted.push(restriction.clone());
            json!(*emitted).to_string()
        };
        let report = Report {
            status: None,
            fields: vec![("restrictions", all)],
            event: Some(ReportedEvent {
                kind: "session.restriction",
                payload: json!(restriction).to_string(),
            }),
        };
        let owner = (&self.owner.of, self.owner.epoch);
        if let Err(error) = self.runtime.sessions.report(now, owner, &report).await {
            tracing::warn!(session = %self.owner.of.session, %error, kind = restriction.kind,
                "a restriction could not be told");
        }
    }
}
