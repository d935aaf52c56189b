//! Moving in and out, with programs that others wrote.

mod company;
mod from_baileys;
mod many;
mod through_stores;

pub(crate) use company::{Company, moved_session, worker};
