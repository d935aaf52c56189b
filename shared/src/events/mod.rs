//! An organization's event stream: reading it, and the places in it.
//!
//! Events are written by the scripts whose changes they tell of. An event's id is its place in
//! the stream in another dress ([`EventIds`]), so a client can resume from any id it has seen,
//! nothing has to be looked up, and the id of one organization means nothing in another.

mod envelope;
pub mod inbound;
mod kinds;
mod log;
mod place;
pub mod whapi;

pub use envelope::{Event, gap_event, slow_event};
pub use kinds::{GAP_KIND, KINDS, is_kind};
pub use log::{Edges, EventLog, Page};
pub use place::{EventIds, ForeignEventId, Place};
