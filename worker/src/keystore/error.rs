//! How the key material can refuse to be read or written.

use std::sync::Arc;

use gateway_shared::redis::RedisFailure;
use gateway_shared::secrets::{OpenError, SealError};
use wacore::store::error::StoreError;

use super::recall::Unsettled;

/// Why a call on the key material failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// Another worker owns the session by now; nothing was changed. Whoever gets this stops acting
    /// for the session.
    #[error("another owner has taken this session; the write of epoch {epoch} was refused")]
    Stale {
        /// The epoch that was refused.
        epoch: i64,
    },
    /// The key material that was claimed was erased since, by the same owner; nothing was changed.
    /// What comes after begins with a new claim.
    #[error("the key material of this session was erased")]
    Erased,
    /// This worker may not act for the session any more; nothing was changed.
    #[error("the session was lost; nothing is written any more")]
    Lost,
    /// A message that came again is not known to be told.
    #[error(transparent)]
    Unsettled(#[from] Unsettled),
    /// Writes from other connections overtook this one again and again; nothing was changed.
    #[error("the write was overtaken too often")]
    Overtaken,
    /// Redis did not do what was asked; a write may or may not have happened, and doing it again
    /// is safe.
    #[error(transparent)]
    Redis(#[from] RedisFailure),
    /// A record can not be decrypted: its key is not among those of the configuration, or it was
    /// changed, or moved from another place.
    #[error("a stored {record} cannot be decrypted: {source}")]
    Sealed {
        /// What kind of record; never its contents.
        record: &'static str,
        /// Why not.
        source: OpenError,
    },
    /// A record can not be encrypted.
    #[error(transparent)]
    Sealing(#[from] SealError),
    /// A record that Redis holds makes no sense to this version.
    #[error("a stored {record} cannot be read")]
    Corrupt {
        /// What kind of record; never its contents.
        record: &'static str,
        /// What the decoder said, where there was one.
        #[source]
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    },
}

impl KeystoreError {
    /// The keystore's own error somewhere below `error`, which whatsapp-rust wraps more than once.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut layer = Some(error);
        while let Some(error) = layer {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            layer = error.source();
        }
        None
    }

    pub(super) fn corrupt(record: &'static str) -> Self {
        Self::Corrupt {
            record,
            source: None,
        }
    }
}

impl From<redis::RedisError> for KeystoreError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(RedisFailure(error))
    }
}

impl From<KeystoreError> for StoreError {
    fn from(error: KeystoreError) -> Self {
        match &error {
            KeystoreError::Redis(RedisFailure(cause)) if cause.is_io_error() => {
                Self::Connection(Box::new(error))
            }
            KeystoreError::Corrupt { .. } | KeystoreError::Sealed { .. } => {
                Self::Serialization(Box::new(error))
            }
            _ => Self::Database(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_found_below_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] StoreError);
        let error = Outer(KeystoreError::Stale { epoch: 7 }.into());
        assert!(matches!(
            KeystoreError::find(&error),
            Some(KeystoreError::Stale { epoch: 7 })
        ));
        assert!(KeystoreError::find(&std::io::Error::other("else")).is_none());
    }
}
