//! Small answers: that the client is there, experiments, blocked people.

use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;

use super::Answer;
use crate::client::Session;

/// `privacy_token_sending_on_all_1_on_1_messages`.
const SHOW_TOKENS: u32 = 10_518;
/// How long a client may keep its experiments, in seconds.
const REFRESH_SECS: u32 = 86_400;

/// The client says whether it is there. When it is, its queue follows the
/// answer.
pub(super) fn passive(session: &Session, query: &NodeRef<'_>) -> Answer {
    if let Some(node) = Answer::EMPTY.node(query) {
        session.link.send(&node);
    }
    if query.get_optional_child("active").is_some()
        && session.device.mailbox.announce(&session.link)
    {
        session.device.chat_states.flush(&session.link);
    }
    Answer::Sent
}

/// One experiment: messages show the token that their recipient gave.
pub(super) fn experiments() -> Answer {
    Answer::Result(vec![
        NodeBuilder::new("props")
            .attr("protocol", 1)
            .attr("ab_key", "sandbox")
            .attr("hash", "sandbox")
            .attr("refresh", REFRESH_SECS)
            .attr("delta_update", false)
            .children([NodeBuilder::new("prop")
                .attr("config_code", SHOW_TOKENS)
                .attr("config_value", 1)
                .build()])
            .build(),
    ])
}

/// Nobody is blocked.
pub(super) fn blocklist() -> Answer {
    Answer::Result(vec![NodeBuilder::new("list").attr("dhash", "0").build()])
}
