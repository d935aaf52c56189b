//! The tables of whatsmeow, as WAHA's GOWS engine, GOWA, wuzapi and Evolution Go keep them in SQLite.
//!
//! Its Signal records are the protobufs that whatsapp-rust stores as well; addresses are
//! `user[_domain]:device`.

mod read;
mod write;

pub use read::{devices, read};
pub use write::write;
