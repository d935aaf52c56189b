//! Answers from workers to requests that wait in this process.
//!
//! A request registers a [`Ticket`] *before* its send is accepted and gives its token along; the
//! script that settles the send publishes the outcome on this process' reply channel. Messages can
//! be lost with the connection, so a waiting request also looks at the outbox when the
//! subscription was renewed, and every few seconds.

mod command;
mod reply_subscriber;
mod ticket;

pub(crate) use command::{Unanswered, ask};
pub(crate) use reply_subscriber::listen;
pub(crate) use ticket::{Replies, Ticket};
