//! What people send, of every type: from their phone over the wire and through a worker to the event.

mod loss;
mod social;
mod types;
mod votes;
