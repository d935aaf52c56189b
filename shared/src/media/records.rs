//! What Redis knows of files.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::domain::{FileFacts, MediaId};

/// A file of an organization that is in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredFile {
    /// SHA-256 of its content, as hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// The name of its object.
    pub object: String,
    /// What was found in it.
    pub facts: FileFacts,
}

/// A name that a caller can send a file by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaName {
    /// `med_…`.
    pub id: MediaId,
    /// The file.
    pub sha256: String,
    /// What its caller says that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mimetype: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Since when.
    pub created_at: Millis,
    /// Until when it can be used.
    pub expires_at: Millis,
}
