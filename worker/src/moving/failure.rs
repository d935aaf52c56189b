//! Why a store can not be moved.

use std::fmt::Display;

use gateway_shared::redis::RedisFailure;

use crate::keystore::KeystoreError;

/// Why a store can not be moved. Nothing was written, unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MovingError {
    /// The store is not what it should be.
    #[error("{file}: {field}: {reason}")]
    Invalid {
        /// The file, or the table of a database.
        file: String,
        /// Where in it, in the words of its own format.
        field: String,
        /// What is wrong. Never a value of the store.
        reason: String,
    },
    /// A file is missing, too large, or none.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The store holds more than [`super::bounds`] allows.
    #[error("the store holds more than {limit} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
    /// The keys can not be stored or read here.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A record is not one that whatsapp-rust reads.
    #[error("a stored record cannot be read: {0}")]
    Store(#[from] wacore::store::error::StoreError),
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] RedisFailure),
}

impl MovingError {
    pub(crate) fn invalid(file: &str, field: &str, reason: impl Display) -> Self {
        Self::Invalid {
            file: file.to_owned(),
            field: field.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn file(file: impl Display, reason: impl Display) -> Self {
        Self::File {
            file: file.to_string(),
            reason: reason.to_string(),
        }
    }
}
