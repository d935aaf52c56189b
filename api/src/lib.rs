//! The HTTP side of WhatsApp Gateway: stateless, any number of processes side by side.
//!
//! ```text
//!  request ─▶ envelope (request id, panics) ─▶ router ─▶ gate (who, and may they) ─▶ handler
//!                                                              │
//!  answer  ◀── 200 | 202 | error envelope ◀────────────────────┤ one script: accept
//!                                                              ▼
//!  replies ◀── PUBLISH reply:<instance> ◀── settled by a worker ── Redis
//! ```
//!
//! - [`run`]: from the first connection to the last
//! - `router`: every route and the capability it needs, on one page; `routes` makes it work
//! - `openapi`: the document that is made from that table and from the `docs` beside the handlers
//! - `access`: tokens, callers, and the cache of API keys
//! - `request`: reading requests so that every problem is told at once
//! - `messages`, `outbox`, `sessions`, `events`, `keys`, `admin`: the handlers, by noun
//! - `replies`: how a synchronous send hears of its fate
//! - [`error`]: the error envelope and its table

mod access;
mod admin;
pub mod cli;
mod envelope;
pub mod error;
mod events;
mod groups;
mod health;
mod health_monitor;
mod keys;
mod messages;
mod openapi;
mod outbox;
mod page;
mod replies;
mod request;
mod router;
mod routes;
mod server;
mod sessions;
mod state;

pub use request::{Problem, Problems};
pub use server::{ServeError, run};
