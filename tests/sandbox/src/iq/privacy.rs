//! Privacy settings, and whom the account trusts.

use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;

use super::Answer;
use crate::client::Session;
use crate::clock;
use crate::privacy;

/// What an account can keep to itself, and does not.
const CATEGORIES: [&str; 7] = [
    "last",
    "online",
    "profile",
    "status",
    "readreceipts",
    "groupadd",
    "calladd",
];

/// Everything is open to everyone.
pub(super) fn get() -> Answer {
    let categories = CATEGORIES.map(|name| {
        NodeBuilder::new("category")
            .attr("name", name)
            .attr("value", "all")
            .build()
    });
    Answer::Result(vec![
        NodeBuilder::new("privacy").children(categories).build(),
    ])
}

/// `<tokens>`: the account trusts these people. Settings are taken and change
/// nothing.
pub(super) fn set(session: &Session, query: &NodeRef<'_>) -> Answer {
    let tokens = query.get_optional_child("tokens").into_iter();
    for token in tokens.flat_map(|tokens| tokens.get_children_by_tag("token")) {
        let trusted = token.get_attr("jid").and_then(ValueRef::to_jid);
        let trusted = trusted.and_then(|jid| session.world.accounts.resolve(&jid));
        let since = token.get_attr("t").map(ValueRef::as_str);
        let since = since.and_then(|since| since.parse().ok());
        if let Some(trusted) = trusted {
            privacy::trust(
                &session.world,
                &session.address.account,
                &trusted,
                since.unwrap_or_else(clock::now_secs),
            );
        }
    }
    Answer::EMPTY
}
