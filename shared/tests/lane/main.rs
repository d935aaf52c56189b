//! The lane's scripts against a real Redis.

mod world;

mod accepting;
mod accounts;
mod amending;
mod bounds;
mod claiming;
mod clocks;
mod connects;
mod crashing;
mod following;
mod holding;
mod identity;
mod messages;
mod model;
mod owning;
mod repeating;
mod schema;
mod settling;
mod torn;
