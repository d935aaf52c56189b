//! The worker of WhatsApp Gateway: it owns sessions and sends what their lanes hold.
//!
//! - [`pool`]: membership by heartbeat, self-fencing, fair shares, hand-over
//! - [`session`]: the task of one owned session; ties link, lane and record together
//! - [`engine`]: the lanes under apalis
//! - [`link`]: everything that touches whatsapp-rust
//! - [`keystore`]: the WhatsApp key material in Redis
//! - [`cli`]: the command line of both flavours

mod backoff;
pub mod cli;
pub mod engine;
pub mod keystore;
pub mod link;
pub mod pool;
mod run;
pub mod session;

pub use backoff::Backoff;
pub use run::{Flavour, RunError, run};
