//! Which number and which LID are one person, as the library learns it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_shared::identity::Mapping;
use wacore::store::traits::LidPnMappingEntry;

use super::{KeystoreError, RedisKeystore};

/// Whoever keeps who is who beside the key material, for chats to be known by either name.
#[async_trait]
pub trait Identities: fmt::Debug + Send + Sync {
    /// Records that these names are of the same people. Returns once that is durable, or the session
    /// is lost. It must not send on the same link and wait for it.
    async fn learn(&self, mappings: &[Mapping]);

    /// How many people it knows by both names; 0 where nobody answers.
    async fn known(&self) -> u64;
}

impl RedisKeystore {
    /// The same handle, which tells `identities` of every mapping before it stores it.
    #[must_use]
    pub fn identifying(mut self, identities: Arc<dyn Identities>) -> Self {
        self.identities = Some(identities);
        self
    }

    /// Hands mappings on that were learnt just now.
    pub(super) async fn identify(&self, entries: &[LidPnMappingEntry]) {
        if let Some(identities) = &self.identities {
            identities.learn(&mappings(entries)).await;
        }
    }

    /// Every mapping that is stored, as the library asks for them when it starts. What an older
    /// version stored, or was cut off before it handed it on, is handed on now.
    pub(super) async fn identify_all(&self) -> Result<Vec<LidPnMappingEntry>, KeystoreError> {
        let entries = self.all_mappings().await?;
        if let Some(identities) = &self.identities
            && identities.known().await < entries.len() as u64
        {
            identities.learn(&mappings(&entries)).await;
        }
        Ok(entries)
    }
}

/// What is no address is nobody that one could write to.
fn mappings(entries: &[LidPnMappingEntry]) -> Vec<Mapping> {
    entries
        .iter()
        .filter_map(|entry| Mapping::from_users(&entry.phone_number, &entry.lid))
        .collect()
}
