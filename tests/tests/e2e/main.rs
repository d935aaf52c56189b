//! End to end: from HTTP through Redis and a worker to a WhatsApp client that decrypts.
//!
//! Every test has its own Redis, sandbox, APIs and workers, all real processes, and looks at
//! nothing but what the API, the sandbox's people and the wire's ledger say.

mod access;
mod account;
mod accounts;
mod amendments;
mod browser;
mod client_version;
mod clocks;
mod compatibility;
mod crash;
mod disappearing;
mod events;
mod following;
mod group_events;
mod group_invites;
mod group_refusals;
mod groups;
mod holds;
mod idempotency;
mod identity;
mod in_groups;
mod inbound;
mod input;
mod linking;
mod media;
mod moving;
mod operations;
mod ops;
mod outage;
mod ownership;
mod presence;
mod production;
mod proxies;
mod queue;
mod ranks;
mod rate;
mod readme;
mod received;
mod refusal;
mod resting;
mod schemathesis;
mod send;
mod session;
mod stack;
mod topology;
mod torn;
mod types;
mod webhooks;
