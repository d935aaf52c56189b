#![doc = include_str!("../README.md")]

mod access;
mod admin;
pub mod cli;
mod connections;
mod control;
mod envelope;
pub mod error;
mod events;
mod groups;
mod health;
mod health_monitor;
mod keys;
mod link;
mod media;
mod messages;
mod metrics;
mod once;
mod openapi;
mod ops;
mod outbox;
mod page;
mod quota;
mod replies;
mod request;
mod router;
mod routes;
mod server;
mod sessions;
mod state;
mod webhooks;

pub use request::{Problem, Problems};
pub use server::{Listeners, ServeError, run};
