#![doc = include_str!("../README.md")]

mod backoff;
pub mod cli;
pub mod engine;
pub mod keystore;
pub mod link;
pub mod moving;
pub mod pool;
mod retention;
mod run;
pub mod session;
pub mod webhooks;

pub use backoff::Backoff;
pub use run::{Flavour, RunError, run};
