//! The files of Baileys (`useMultiFileAuthState`): one JSON a record, its kind and id in its name.
//!
//! Others keep the same records elsewhere (Evolution in its database and folder), so what is read here
//! is a set of named texts and not a folder. In names `/` is `__` and `:` is `-`; some programs
//! replace only the first of each, which is read as well.

mod field;
mod identity;
mod name;
mod read;
mod sender_key;
mod session;
mod write;

pub use read::read;
pub use write::write;
