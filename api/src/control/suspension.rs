//! Suspended organizations, in memory: every request of theirs is refused.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use gateway_shared::domain::OrganizationId;
use gateway_shared::organization::Organizations;

/// The organizations that are suspended, as this process knows. The one that suspends knows at once, the
/// others look every other second.
#[derive(Debug, Default)]
pub(crate) struct Suspensions {
    ids: RwLock<HashSet<OrganizationId>>,
}

impl Suspensions {
    /// Whether an organization is suspended.
    pub(crate) fn has(&self, organization: &OrganizationId) -> bool {
        self.ids
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(organization)
    }

    /// Looks them up. While Redis does not answer, what was known stays.
    pub(crate) async fn look(&self, organizations: &Organizations) {
        if let Ok(ids) = organizations.suspended().await {
            *self.ids.write().unwrap_or_else(PoisonError::into_inner) = ids.into_iter().collect();
        }
    }
}
