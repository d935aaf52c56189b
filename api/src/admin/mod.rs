//! What the operators of the installation see: all organizations, workers and queues.
//!
//! Lists go through the directory of sessions in the order of their ids, a page at a time, and read
//! the records of that page only.

pub(crate) mod acting;
pub(crate) mod acting_docs;
pub(crate) mod docs;
mod page;
mod queues;
mod sessions;
mod workers;

pub(crate) use queues::{dead_letters, queues};
pub(crate) use sessions::{leases, sessions};
pub(crate) use workers::workers;
