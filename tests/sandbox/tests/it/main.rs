//! The sandbox against clients that nobody here wrote: whatsapp-rust, and
//! Baileys from npm.

mod admin;
mod baileys;
mod client;
mod content;
mod devices;
mod direct;
mod faults;
mod group_rules;
mod groups;
mod handshake;
mod media;
mod mock_phone;
mod offline;
mod pairing;
mod people;
mod privacy;
mod profile;
mod program;
mod retry;
mod unlinking;
