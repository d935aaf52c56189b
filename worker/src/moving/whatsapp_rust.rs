//! The tables of whatsapp-rust's own SQLite store, which waxum and others keep.
//!
//! Addresses and Signal records are those that this worker stores as well.

mod read;
mod wire;
mod write;

pub use read::{devices, read};
pub use write::write;
