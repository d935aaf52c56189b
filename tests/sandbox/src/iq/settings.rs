//! Small answers: presence of the client, experiments, privacy, blocked people.

use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;

use super::Answer;
use crate::client::Session;

/// How long a client may keep its experiments, in seconds.
const REFRESH_SECS: u32 = 86_400;

/// The client says whether it is there. When it is, its queue follows the
/// answer.
pub(super) fn passive(session: &Session, query: &NodeRef<'_>) -> Answer {
    if let Some(node) = Answer::EMPTY.node(query) {
        session.link.send(&node);
    }
    if query.get_optional_child("active").is_some() {
        session.device.mailbox.announce(&session.link);
    }
    Answer::Sent
}

/// No experiments.
pub(super) fn experiments() -> Answer {
    Answer::Result(vec![
        NodeBuilder::new("props")
            .attr("protocol", 1)
            .attr("ab_key", "sandbox")
            .attr("hash", "sandbox")
            .attr("refresh", REFRESH_SECS)
            .attr("delta_update", false)
            .build(),
    ])
}

/// Nobody is blocked.
pub(super) fn blocklist() -> Answer {
    Answer::Result(vec![NodeBuilder::new("list").attr("dhash", "0").build()])
}

/// Everything is open to everyone.
pub(super) fn privacy() -> Answer {
    let categories = [
        "last",
        "online",
        "profile",
        "status",
        "readreceipts",
        "groupadd",
        "calladd",
    ];
    let categories = categories.map(|name| {
        NodeBuilder::new("category")
            .attr("name", name)
            .attr("value", "all")
            .build()
    });
    Answer::Result(vec![
        NodeBuilder::new("privacy").children(categories).build(),
    ])
}
