//! Files: handed in, sent, and what arrives of them.

mod album;
mod files;
mod out;
mod received;
mod refused;
mod upload;
