//! Removing what nobody needs any more.

use super::{MediaError, MediaStore};
use crate::domain::OrganizationId;
use crate::redis::{RedisFailure, script};

/// Files and objects that one call looks at.
const BATCH: u32 = 200;

impl MediaStore {
    /// Removes an organization's files that nobody needs any more, and what crashes have left.
    /// Returns how many objects it removed. Several at once do no harm; one that is interrupted is
    /// continued by the next.
    ///
    /// # Errors
    /// When the store or Redis does not answer.
    pub async fn sweep(&self, organization: &OrganizationId) -> Result<u64, MediaError> {
        let mut removed = 0;
        loop {
            let root = self.root(organization);
            let mut call = self.0.scripts.expire.on(&root);
            call.arg(BATCH);
            let objects: Vec<String> = script::run(&self.0.store.connection, &call)
                .await
                .map_err(RedisFailure::from)?;
            if objects.is_empty() {
                return Ok(removed);
            }
            for object in &objects {
                self.remove(organization, object).await?;
                removed += 1;
            }
        }
    }

    /// Removes an object that Redis lists, and takes it off that list.
    pub(super) async fn remove(
        &self,
        organization: &OrganizationId,
        object: &str,
    ) -> Result<(), MediaError> {
        self.objects().await?.remove(object).await?;
        let root = self.root(organization);
        let mut call = self.0.scripts.removed.on(&root);
        call.arg(object);
        let _: Vec<String> = script::run(&self.0.store.connection, &call)
            .await
            .map_err(RedisFailure::from)?;
        Ok(())
    }
}
