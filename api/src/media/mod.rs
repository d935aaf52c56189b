//! Files: handed in, looked at, converted where that is needed, and stored.
//!
//! ```text
//!  body, base64 or URL ─▶ spool ─▶ inspect ─▶ (convert) ─▶ store
//!     (receive, fetch)   a file     type, size,   ffmpeg     encrypted,
//!                       of no name  thumbnail, …            under its hash
//! ```
//!
//! Nothing is held in memory whole, except a picture while its thumbnail is made, which
//! `media.most_pixels` and `media.inspect_concurrency` bound.

mod admit;
mod convert;
pub(crate) mod docs;
mod download;
mod fetch;
mod inspect;
mod name;
mod receive;
mod serve;
mod spool;
mod upload;

pub(crate) use admit::{Source, Wanted, admit};
pub(crate) use download::{Fetches, download, linked};
pub(crate) use name::safe_name;
use spool::Spool;
pub(crate) use upload::{create, is_mimetype};

use gateway_shared::media::MediaError;

use crate::error::{ApiError, Code};

impl From<MediaError> for ApiError {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Full { used, quota } => Self::new(
                Code::PayloadTooLarge,
                "the organization's store of files is full",
            )
            .with("reason", "media_quota")
            .with("limitBytes", quota)
            .with("usedBytes", used),
            MediaError::Redis(failure) => failure.into(),
            MediaError::Damaged => Self::new(Code::Gone, "the file is not in the store any more")
                .with("reason", "media_gone"),
            error => Self::unavailable(
                "media_store",
                "files can not be stored or read at the moment",
            )
            .caused_by(error),
        }
    }
}

/// A file over the limit.
fn too_large(limit: u64) -> ApiError {
    ApiError::new(
        Code::PayloadTooLarge,
        format!("the file may have at most {limit} bytes"),
    )
    .with("limitBytes", limit)
}
