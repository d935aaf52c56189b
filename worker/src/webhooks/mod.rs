//! Posting events to webhooks.
//!
//! ```text
//!  live workers, webhooks ──rendezvous──▶ those that are this worker's
//!        │ acquire (epoch)                              │ one task each
//!        ▼                                              ▼
//!  dispatcher ──woken by events, changes──▶ endpoint: read ─▶ queue ─▶ attempts ─▶ settle
//!                                                      chat by chat │ breaker │ held
//! ```
//!
//! The durable state and its rules are in [`gateway_shared::webhooks`]; here is who acts on them,
//! and when. An endpoint's task is the only one that writes for its webhook, so it keeps in memory
//! what Redis keeps, and writes what changed in one step for all deliveries that ended meanwhile.

mod assign;
mod attempt;
mod breaker;
mod dispatcher;
mod endpoint;
mod files;
mod health;
mod held;
mod queue;
mod schedule;

pub(crate) use assign::falls_to;
pub use dispatcher::{Dispatcher, Parts};
