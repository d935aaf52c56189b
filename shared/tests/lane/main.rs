//! The lane's scripts against a real Redis.

mod world;

mod accepting;
mod amending;
mod claiming;
mod crashing;
mod holding;
mod messages;
mod model;
mod owning;
mod settling;
