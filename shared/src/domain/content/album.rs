//! Albums: pictures and films that are shown together.

use serde::{Deserialize, Serialize};

use super::Media;

/// One picture or film of an album: a message of its own, with an id of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlbumItem {
    /// Its WhatsApp message id, pinned at acceptance as the album's is.
    pub id: String,
    /// The file.
    pub media: Media,
}
