//! One send: what never changes of it from its acceptance to the wire.
//!
//! The HTTP layer asks for it ([`EnqueueRequest`](crate::lane::EnqueueRequest)), acceptance keeps its
//! [`SendRecord`] and its content whole, the owner of the session claims both
//! ([`ClaimedSend`](crate::lane::ClaimedSend)), and the link makes a protobuf of them.

mod mode;
mod record;

pub use mode::Mode;
pub use record::SendRecord;
