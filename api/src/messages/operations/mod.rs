//! Operations on messages: reactions, votes, edits, revokes and forwarding.
//!
//! Each is a send of its own: it goes through the same lane with a message id of its own, keeps its
//! place in the chat, spends the same budget, takes an `Idempotency-Key` and has its events. What
//! sets it apart is that it is about another message, which the session must know.

pub(crate) mod docs;
mod edit;
mod emoji;
mod forward;
mod media;
mod reaction;
mod request;
mod revoke;
mod target;
mod vote;

pub(crate) use edit::edit;
pub(crate) use forward::forward;
pub(crate) use reaction::{react, unreact};
pub(crate) use revoke::revoke;
pub(in crate::messages) use target::message_not_found;
pub(crate) use vote::vote;
