//! Keeping the event stream of each organization within its size.
//!
//! Retention by time is part of the step that adds an event; retention by size needs a look at how
//! much memory a stream takes, so it is done every half minute, for each organization by the worker
//! that it falls to.

use std::time::Duration;

use gateway_shared::events::EventLog;
use gateway_shared::organization::Organizations;
use gateway_shared::redis::RedisFailure;
use gateway_shared::registry::Registry;
use tokio::time::sleep;

use crate::pool::Membership;
use crate::webhooks::falls_to;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(30);

/// Bounds the event streams of the organizations that fall to a worker.
#[derive(Debug)]
pub(crate) struct EventRetention {
    /// The streams.
    pub(crate) log: EventLog,
    /// The organizations.
    pub(crate) organizations: Organizations,
    /// The workers.
    pub(crate) registry: Registry,
    /// This worker.
    pub(crate) member: Membership,
    /// Greatest size of one organization's events, in bytes.
    pub(crate) bytes: u64,
}

impl EventRetention {
    /// Looks again and again, until dropped.
    pub(crate) async fn run(self) {
        loop {
            sleep(PERIOD).await;
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "could not bound the event streams");
            }
        }
    }

    async fn look(&self) -> Result<(), RedisFailure> {
        let workers = self.registry.workers().await?;
        for organization in self.organizations.all().await? {
            if !falls_to(organization.as_str(), &self.member.id, &workers) {
                continue;
            }
            let taken = self.log.bound(&organization, self.bytes).await?;
            if taken > 0 {
                tracing::warn!(%organization, taken, "events were taken before their time: too many bytes");
            }
        }
        Ok(())
    }
}
