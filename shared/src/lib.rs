//! What the API and the workers of WhatsApp Gateway agree on.
//!
//! - [`domain`]: ids, sends, statuses, sessions; no Redis, no HTTP
//! - [`redis`]: the one door to Redis: connections, keys, scripts
//! - [`lane`]: the queue of each session: accept, claim, settle
//! - [`messages`]: what each session sent and saw
//! - [`session`]: session records, wishes and ownership
//! - [`installation`]: whether this is the right Redis, and of which schema
//! - [`registry`]: the workers and their liveness
//! - [`apikey`]: API keys: making, finding and revoking them
//! - [`organization`]: the tenants
//! - [`command`]: requests to the worker that owns a session
//! - [`events`]: an organization's event stream and the places in it
//! - [`config`]: the layered configuration of all programs
//! - [`mod@telemetry`]: how programs log
//! - [`clock`]: time as an argument

pub mod apikey;
pub mod clock;
pub mod command;
pub mod config;
pub mod domain;
pub mod events;
pub mod installation;
pub mod lane;
pub mod messages;
pub mod organization;
pub mod redis;
pub mod registry;
pub mod secrets;
pub mod session;
pub mod telemetry;
