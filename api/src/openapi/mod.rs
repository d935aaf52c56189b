//! The OpenAPI document: made from the table of routes (path, method, capabilities) and from what
//! each route says of itself in the `docs` beside its handler.
//!
//! - [`Operation`]: what a route says of itself; most of its errors follow from its shape
//! - [`Object`], [`text`] and the like: the schemas of request bodies, made with the very limits
//!   that the readers use
//! - the schemas of answers are derived from the types that are serialized (`JsonSchema`)
//! - [`Document`]: all of it, served at `/api/v1/openapi.json`; `docs/openapi.json` is its snapshot

mod components;
pub(crate) mod docs;
mod document;
mod errors;
mod operation;
mod parameters;
mod schema;
mod serve;

pub(crate) use document::Document;
pub(crate) use operation::Operation;
pub(crate) use schema::{
    Object, flag, integer, list, number, one_of, one_of_by, person, phone, recipient, text, time,
};
pub(crate) use serve::{page, serve};
