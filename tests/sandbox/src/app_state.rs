//! App state: the settings that the devices of an account share.
//!
//! They live in named collections. Each is a row of patches that the devices
//! encrypt with a key of their own; the server numbers them, hands them out and
//! understands none of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use buffa::{Message as _, MessageField};
use waproto::whatsapp::{SyncdPatch, SyncdVersion};

/// The collections of one account.
#[derive(Debug, Default)]
pub(crate) struct AppState {
    collections: Mutex<HashMap<String, Vec<Arc<[u8]>>>>,
}

/// Why a patch was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// It builds on a version that is not the newest.
    Conflict,
    /// It is not a patch.
    Malformed,
}

impl AppState {
    /// The newest version of a collection; 0 while it is empty.
    pub(crate) fn version(&self, collection: &str) -> u64 {
        self.lock()
            .get(collection)
            .map_or(0, |patches| patches.len() as u64)
    }

    /// The patches that follow a version.
    pub(crate) fn since(&self, collection: &str, version: u64) -> Vec<Arc<[u8]>> {
        let skip = usize::try_from(version).unwrap_or(usize::MAX);
        let collections = self.lock();
        let patches = collections
            .get(collection)
            .map(Vec::as_slice)
            .unwrap_or_default();
        patches.iter().skip(skip).cloned().collect()
    }

    /// Takes a patch that builds on `base` and returns its version.
    pub(crate) fn append(
        &self,
        collection: &str,
        base: u64,
        patch: &[u8],
    ) -> Result<u64, Rejection> {
        let mut patch = SyncdPatch::decode_from_slice(patch).map_err(|_| Rejection::Malformed)?;
        let mut collections = self.lock();
        let patches = collections.entry(collection.to_owned()).or_default();
        if base != patches.len() as u64 {
            return Err(Rejection::Conflict);
        }
        let version = base + 1;
        patch.version = MessageField::some(SyncdVersion {
            version: Some(version),
        });
        patches.push(patch.encode_to_vec().into());
        Ok(version)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Arc<[u8]>>>> {
        self.collections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_numbered_and_conflicts_refused() {
        let state = AppState::default();
        let patch = SyncdPatch {
            device_index: Some(1),
            ..Default::default()
        }
        .encode_to_vec();
        assert_eq!(state.append("regular", 0, &patch), Ok(1));
        assert_eq!(state.append("regular", 0, &patch), Err(Rejection::Conflict));
        assert_eq!(state.append("regular", 1, &patch), Ok(2));
        assert_eq!(
            state.append("regular", 2, &[0x0a, 5, 1]),
            Err(Rejection::Malformed)
        );
        assert_eq!(
            (state.version("regular"), state.version("critical_block")),
            (2, 0)
        );
        let since = state.since("regular", 1);
        assert_eq!(since.len(), 1);
        let patch = SyncdPatch::decode_from_slice(&since[0]).unwrap();
        assert_eq!(patch.version.as_option().unwrap().version, Some(2));
    }
}
