//! `newsletter`: the posts of a channel, and its live updates.

use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;

use super::Answer;
use crate::channels;
use crate::client::Session;

/// For how long live updates are told, in seconds.
const LIVE: u64 = 300;
/// The most posts of a page.
const MOST: usize = 300;

pub(super) fn handle(session: &Session, query: &NodeRef<'_>) -> Answer {
    let channel = query
        .get_attr("to")
        .and_then(ValueRef::to_jid)
        .and_then(|jid| session.world.channels.find(&jid.to_string()));
    let Some(channel) = channel else {
        return Answer::NOT_FOUND;
    };
    if query.get_optional_child("live_updates").is_some() {
        let updates = NodeBuilder::new("live_updates").attr("duration", LIVE);
        return Answer::Result(vec![updates.build()]);
    }
    let Some(messages) = query.get_optional_child("messages") else {
        return Answer::BAD_REQUEST;
    };
    let number = |key: &str| -> Option<u64> { messages.get_attr(key)?.as_str().parse().ok() };
    let count = number("count").and_then(|count| usize::try_from(count).ok());
    let count = count.unwrap_or(MOST).min(MOST);
    Answer::Result(vec![channels::page(&channel, count, number("before"))])
}
