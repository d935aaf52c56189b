//! Who calls, and what they may do.

mod auth_layer;
mod authenticators;
mod caller;
mod jwt;
mod key_cache;
mod requirement;
mod token;

pub(crate) use auth_layer::{AuthLayer, ORGANIZATION, admit};
pub(crate) use authenticators::{AuthFailure, Authenticators};
pub(crate) use caller::{Caller, IdempotencyScope, session_not_found};
pub(crate) use jwt::Logins;
pub(crate) use key_cache::KeyCache;
pub(crate) use requirement::Requirement;
pub(crate) use token::Token;
