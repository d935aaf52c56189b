//! Requests to addresses that a tenant names: webhooks, media by URL, link previews.
//!
//! Whoever names an address could name one inside the operator's network (server-side request
//! forgery). So every request goes through [`Egress`]:
//!
//! ```text
//!  text ──Target::parse──▶ URL: https, no user, a host that is no special address
//!       ──GuardedResolver──▶ the addresses of the name, special ones removed, at every connect
//!       ──redirects──▶ not followed, or each target checked anew
//!       ──deadlines──▶ connect, first byte, whole; the body is read up to a limit
//! ```
//!
//! The addresses that are checked are those that are dialled: the client has no other resolver,
//! so a name that leads elsewhere after it was checked (DNS rebinding) gains nothing. The proxy
//! variables of the environment are ignored, since behind a proxy no address could be checked.
//!
//! What is special is the table in [`address`]; `[egress]` of the configuration can permit
//! networks by CIDR, and plain http.

pub mod address;
mod client;
mod config;
mod error;
mod resolver;
mod target;

pub use client::{Egress, Limits, Request, Response};
pub use config::EgressConfig;
pub use error::{EgressError, Refusal, Stage};
pub use reqwest::header;
pub use reqwest::{Method, StatusCode};
pub use resolver::{Found, Lookup, SystemLookup};
pub use target::Target;
