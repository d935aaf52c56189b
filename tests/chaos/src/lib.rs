//! Chaos: the whole product as processes on one machine, clients that keep sending, and a plan
//! that breaks everything around them. In the end what was acknowledged is compared with what the
//! peers were shown, what the server of the sandbox accepted, and what the event log tells.
//!
//! ```text
//!  clients ──▶ APIs ──wire──▶ Redis ◀──wire── workers ──wire──▶ sandbox ──▶ peers
//!               ▲              ▲                ▲      ▲          ▲
//!               └── kill -9, SIGSTOP, SIGTERM ──┘      │          └ drop acks, nack, cut, delay
//!                                      cut, still, slow ┘            by a plan made from a seed
//! ```
//!
//! - [`plan`]: what is broken when; the same seed makes the same plan
//! - [`stage`]: everything that takes part, behind wires
//! - [`inject`]: carries the plan out
//! - [`clients`]: who send, and repeat what they are not sure about
//! - [`lives`]: sessions that come and go meanwhile
//! - [`audit`]: what became of it
//! - [`takeover`]: how long a session goes without service when its worker dies or leaves

pub mod audit;
pub mod clients;
pub mod hooks;
pub mod inject;
pub mod lives;
pub mod plan;
pub mod run;
pub mod stage;
pub mod takeover;

pub use run::{Options, Report, run};
