//! What the library learns of who is who becomes known to the session's lane and index.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_shared::identity::Mapping;
use gateway_shared::lane::LaneError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Owner, Runtime};
use crate::keystore::Identities;

/// Pause before mappings that Redis did not take are handed in again.
const AGAIN: Duration = Duration::from_millis(250);

/// Records mappings under the owner's epoch.
#[derive(Debug)]
pub(super) struct LaneIdentities {
    runtime: Arc<Runtime>,
    owner: Owner,
    lost: CancellationToken,
}

impl LaneIdentities {
    /// Until `lost` is cancelled, a write that Redis did not take is repeated.
    pub(super) fn new(runtime: &Arc<Runtime>, owner: &Owner, lost: &CancellationToken) -> Self {
        Self {
            runtime: Arc::clone(runtime),
            owner: owner.clone(),
            lost: lost.clone(),
        }
    }
}

#[async_trait]
impl Identities for LaneIdentities {
    async fn learn(&self, mappings: &[Mapping]) {
        while !self.lost.is_cancelled() {
            let (now, owner) = (self.runtime.now(), self.owner.fence());
            match self.runtime.lanes.learn(now, owner, mappings).await {
                Ok(_) | Err(LaneError::Stale(_)) => return,
                Err(LaneError::Redis(error)) => {
                    tracing::warn!(session = %self.owner.of.session, %error,
                        "Redis did not take who is who; again");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    async fn known(&self) -> u64 {
        let known = self.runtime.lanes.people(&self.owner.of).await;
        known.unwrap_or_default()
    }
}
