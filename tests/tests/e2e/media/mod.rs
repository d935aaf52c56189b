//! Files: handed in, sent, and what arrives of them.

mod album;
mod eager;
mod files;
mod killed;
mod named;
mod out;
mod received;
mod refused;
mod upload;
