#![doc = include_str!("../README.md")]

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
pub mod send;
pub mod session;
pub mod telemetry;
