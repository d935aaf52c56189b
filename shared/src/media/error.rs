//! What can go wrong with files.

use crate::redis::RedisFailure;
use crate::secrets::{OpenError, SealError};

/// Why a file could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The organization's store is full.
    #[error("the organization keeps {used} of {quota} bytes; there is no room for this file")]
    Full {
        /// Bytes that are kept or being written.
        used: u64,
        /// The limit.
        quota: u64,
    },
    /// The object is gone, or is none that this gateway has written.
    #[error("the stored file is gone or damaged")]
    Damaged,
    /// The file took longer to be written than is waited for, and was given up.
    #[error("the file took too long to be written")]
    Late,
    /// The folder or bucket is another one than this installation's.
    #[error("{0}")]
    Foreign(String),
    /// The folder or S3 failed.
    #[error("the store of files failed: {0}")]
    Objects(#[from] object_store::Error),
    /// No HTTP client could be made.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// Redis did not answer.
    #[error(transparent)]
    Redis(#[from] RedisFailure),
    /// The system gives no random bytes.
    #[error("a file could not be encrypted: {0}")]
    Seal(#[from] SealError),
    /// The key of a file can not be opened.
    #[error("a file can not be decrypted: {0}")]
    Open(#[from] OpenError),
}
