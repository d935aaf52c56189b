//! Moving in and out: the keys of a number that another program paired, and ours in its form.
//!
//! ```text
//!   a folder, a tar, a database          ImportedAccount            the session's keys in Redis
//!   (baileys, whatsmeow, whatsapp_rust) ────────────────▶ settle ──▶ (all of them, or none)
//!                                       ◀──────────────── read_out ◀──
//! ```
//! What is read was written by somebody else and is taken for hostile: [`bounds`] says how much of
//! it there may be, every value is checked before any is stored, and an error names the file and the
//! field, never a value.

pub mod account;
pub mod baileys;
pub mod bounds;
mod failure;
pub mod files;
pub mod read_out;
mod records;
pub mod settle;
mod sqlite;
pub mod whatsapp_rust;
pub mod whatsmeow;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod sample;

pub use account::{ImportedAccount, LeftOut, Summary};
pub use failure::MovingError;
