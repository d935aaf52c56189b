//! Who calls, and what they may do.

mod authenticators;
mod caller;
mod gate;
mod jwt;
mod key_cache;
mod need;
mod token;

pub(crate) use authenticators::Authenticators;
pub(crate) use caller::{Caller, session_not_found};
pub(crate) use gate::{Gate, admit};
pub(crate) use jwt::Logins;
pub(crate) use key_cache::KeyCache;
pub(crate) use need::Need;
pub(crate) use token::Token;
