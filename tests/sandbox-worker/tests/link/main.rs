//! The worker's link to WhatsApp, against the protocol sandbox on the wire.

mod account;
mod connection;
mod inbound;
mod pairing;
mod retry;
mod send;
mod wire;
mod world;
