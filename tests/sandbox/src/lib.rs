//! A WhatsApp server for one machine: Noise, pairing, Signal relay and
//! simulated people, for testing WhatsApp software.
#![doc = include_str!("../README.md")]

mod accounts;
mod admin;
mod adv;
mod app_state;
mod calls;
mod certificate;
mod channels;
mod chat_state;
mod client;
mod clock;
mod conduct;
mod config;
mod destination;
mod devices;
mod error;
mod fanout;
mod faults;
mod groups;
mod iq;
mod ledger;
mod link;
mod login;
mod mailbox;
mod media;
mod noise;
mod pairing;
mod peer;
mod prekeys;
mod presence;
mod privacy;
mod profile;
mod receipts;
mod relay;
mod removal;
mod sandbox;
mod socket;
mod submission;
mod versions;
mod world;

pub use config::Config;
pub use error::StartError;
pub use sandbox::Sandbox;
