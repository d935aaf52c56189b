//! When API keys were last used: counted in memory, written down now and then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gateway_shared::apikey::{ApiKeys, KeyHash};
use gateway_shared::clock::Millis;

/// Most keys whose use is remembered between two writes.
const MOST: usize = 10_000;

/// The latest uses of keys that were not written down yet.
#[derive(Debug, Default)]
pub(crate) struct KeyUses {
    latest: Mutex<HashMap<KeyHash, Millis>>,
}

impl KeyUses {
    /// A key was used.
    pub(crate) fn note(&self, hash: &KeyHash, now: Millis) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = latest.get_mut(hash) {
            *at = now;
        } else if latest.len() < MOST {
            latest.insert(hash.clone(), now);
        }
    }

    /// Writes them down. What Redis does not take is of no further interest: the next use is.
    pub(super) async fn write(&self, keys: &ApiKeys) {
        let latest = {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *latest)
        };
        let latest: Vec<_> = latest.into_iter().collect();
        if let Err(error) = keys.used(&latest).await {
            tracing::debug!(%error, "the uses of keys were not noted");
        }
    }
}
