//! The harness of WhatsApp Gateway: the whole product as real processes on one machine.
//!
//! - [`baileys`]: a client that nobody here wrote
//! - [`process`]: programs one can start, wait for, freeze and kill, and where their binaries are
//! - [`client`]: what speaks to them from the outside: the HTTP API, its events, the sandbox's admin
//! - [`contract`]: the OpenAPI document, which every answer is held against
//! - [`login`]: a frontend that people log in at
//! - [`receiver`]: an endpoint of webhooks, which answers as it is told
//! - [`world`]: a Redis, a sandbox, APIs and workers for one test, and what must hold at its end
//! - [`stack`]: the same for people: `make run`, `make up`, `make down`
//!
//! Nothing here knows the inside of the product, with one exception: [`world`] looks into Redis at
//! the end of a test to accuse what was left in flight.

pub mod baileys;
pub mod browser;
pub mod client;
pub mod contract;
pub mod login;
pub mod process;
pub mod proxy;
pub mod receiver;
pub mod stack;
pub mod world;
