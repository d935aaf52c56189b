//! Files: what is sent and received as pictures, films, voice and documents.
//!
//! ```text
//!  API, worker ─ Writing ─▶ sealed object (folder or S3)      bytes, encrypted, kept once
//!                   │
//!                   └─────▶ Redis: file, names, needed-until  what is there, for whom, how long
//! ```
//!
//! A file is kept once for an organization, under the SHA-256 of its content, however often it was
//! handed in. Its object has a name of its own that is never used again, so that removing one can
//! not hit a newer one of the same content. It is written before Redis knows the file, and removed
//! after Redis has forgotten it; what lies between is listed in Redis (`media_objects`), so that a
//! crash leaves nothing that the sweep does not find.
//!
//! Every file has a moment until which it is needed. Naming it, accepting a send of it and reading a
//! message's file into the store only ever move that moment on; the sweep takes what has passed it.
//! An acceptance moves it before the send exists, so no waiting send loses its file.

mod decrypt;
mod error;
mod fetch;
mod format;
mod links;
mod objects;
mod records;
mod s3;
mod sealed;
mod sniff;
mod store;
mod sweep;
mod uploads;
mod writing;

pub use error::MediaError;
pub use fetch::{FetchError, Fetcher, Reference};
pub use format::CHUNK;
pub use links::{MediaLink, MediaLinks};
pub use records::{MediaName, StoredFile};
pub use sniff::sniff;
pub use store::{MediaStore, Reading};
pub use uploads::Uploaded;
pub use writing::{NewName, Writing};
