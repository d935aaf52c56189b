//! Reading requests so that every problem is told at once.

mod body;
mod fields;
mod headers;
mod id;
mod intake;
mod json;
mod legible;
mod path;
mod problems;
mod query;

pub(crate) use body::{Larger, Limits, read_body, read_json, too_large};
pub(crate) use fields::{Fields, TIME};
pub(crate) use headers::{idempotency_key, is_idempotency_key};
pub(crate) use id::{HEADER as REQUEST_ID, RequestId};
pub(crate) use intake::{Intake, Share};
pub(crate) use legible::is_blank;
pub(crate) use path::{Named, Verb};
pub use problems::{Problem, Problems};
pub(crate) use query::Query;
