//! `gateway-worker import` and `export`.

mod export;
mod import;

pub(super) use export::Export;
pub(super) use import::Import;
