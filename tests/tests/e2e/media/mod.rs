//! Files: handed in, sent, and what arrives of them.

mod files;
mod out;
mod received;
mod refused;
mod upload;
