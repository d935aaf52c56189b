//! Reading and writing app state.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;
use wacore_binary::{Node, NodeRef};

use super::Answer;
use crate::app_state::Rejection;
use crate::client::{Session, server_jid};
use crate::clock;
use crate::mailbox::Class;

/// Answers each `<collection>`: takes the patch it brings and gives those it
/// does not know yet.
pub(super) fn sync(session: &Session, query: &NodeRef<'_>) -> Answer {
    let Some(sync) = query.get_optional_child("sync") else {
        return Answer::BAD_REQUEST;
    };
    let collections = sync
        .get_children_by_tag("collection")
        .filter_map(|asked| collection(session, asked));
    Answer::Result(vec![NodeBuilder::new("sync").children(collections).build()])
}

fn collection(session: &Session, asked: &NodeRef<'_>) -> Option<Node> {
    let state = &session.address.account.app_state;
    let name = asked.get_attr("name")?.as_str();
    let base = asked.get_attr("version").map(ValueRef::as_str);
    let base: u64 = base.and_then(|base| base.parse().ok()).unwrap_or_default();
    let answer = NodeBuilder::new("collection").attr("name", name.as_ref());

    let patch = asked
        .get_optional_child("patch")
        .and_then(NodeRef::content_bytes);
    match patch.map(|patch| state.append(&name, base, patch)) {
        Some(Ok(version)) => {
            tell_others(session, &name, version);
            return Some(answer.attr("version", version).build());
        }
        Some(Err(rejection)) => {
            let (code, text) = match rejection {
                Rejection::Conflict => (409, "conflict"),
                Rejection::Malformed => (400, "bad-request"),
            };
            let error = NodeBuilder::new("error")
                .attr("code", code)
                .attr("text", text);
            return Some(
                answer
                    .attr("type", "error")
                    .children([error.build()])
                    .build(),
            );
        }
        None => {}
    }
    let patches = state.since(&name, base);
    let answer = answer.attr("version", state.version(&name));
    if patches.is_empty() {
        return Some(answer.build());
    }
    let patches = patches
        .iter()
        .map(|patch| NodeBuilder::new("patch").bytes(patch.to_vec()).build());
    Some(
        answer
            .children([NodeBuilder::new("patches").children(patches).build()])
            .build(),
    )
}

/// Tells the account's other companions that there is something new.
fn tell_others(session: &Session, collection: &str, version: u64) {
    for companion in session.address.account.companions() {
        if companion.id == session.address.device {
            continue;
        }
        let id = session.world.stanza_id();
        let collection = NodeBuilder::new("collection")
            .attr("name", collection)
            .attr("version", version);
        let node = NodeBuilder::new("notification")
            .attr("from", server_jid())
            .attr("type", "server_sync")
            .attr("id", id.as_str())
            .attr("t", clock::now_secs())
            .children([collection.build()])
            .build();
        companion
            .mailbox
            .deliver(Class::Notification, &id, "", &node);
    }
}
