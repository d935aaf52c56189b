//! Connections: how many there may be, and how long they may keep a place without using it.
//!
//! ```text
//!  accept ─▶ a free place? ──no──▶ 503, closed, counted
//!               │ yes
//!               ▼
//!  ┌──▶ head ──(api.header_timeout_ms)──▶ closed
//!  │      │ a request is there
//!  │      ▼
//!  │    busy   the body has its own deadline (request/body.rs); an answer that the client does
//!  │      │    not take for api.write_timeout_ms ends the connection
//!  │      ▼
//!  └─── idle ──(api.idle_timeout_ms)──▶ closed
//! ```

mod activity;
mod descriptors;
mod places;
mod serve;
mod socket;
mod unread;

pub(crate) use places::Connections;
pub(crate) use serve::serve;
