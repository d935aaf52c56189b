//! Profiles: the line of text and the picture.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;
use wacore_binary::{Node, NodeRef};

use super::Answer;
use crate::client::Session;
use crate::{privacy, profile};

/// `<status>`: the line of text changes.
pub(super) fn set_about(session: &Session, query: &NodeRef<'_>) -> Answer {
    let Some(status) = query.get_optional_child("status") else {
        return Answer::BAD_REQUEST;
    };
    let text = status.content_as_string();
    let text = text.as_deref().unwrap_or_default();
    profile::set_about(&session.world, &session.address.account, text);
    Answer::EMPTY
}

/// Sets one's own picture; without a `<picture>` it is removed. Pictures of
/// groups are not kept.
pub(super) fn set_picture(session: &Session, query: &NodeRef<'_>) -> Answer {
    if query.get_attr("target").is_some() {
        return Answer::NOT_IMPLEMENTED;
    }
    let remove = query.get_optional_child("picture").is_none();
    let account = &session.address.account;
    match profile::set_picture(&session.world, account, remove) {
        Some(id) => Answer::Result(vec![NodeBuilder::new("picture").attr("id", &*id).build()]),
        None => Answer::EMPTY,
    }
}

/// Where somebody's picture is. Nothing is at that address: pictures are not
/// kept.
pub(super) fn picture(session: &Session, query: &NodeRef<'_>) -> Answer {
    let target = query.get_attr("target").and_then(ValueRef::to_jid);
    let account = target.and_then(|jid| session.world.accounts.resolve(&jid));
    let Some(account) = account else {
        return Answer::NOT_FOUND;
    };
    let asked = query.get_optional_child("picture");
    let token = asked
        .and_then(|asked| asked.get_optional_child("tctoken"))
        .and_then(NodeRef::content_bytes);
    let shown = privacy::admits(&account, &session.address.account, token);
    let Some(id) = account.profile.picture().filter(|_| shown) else {
        return Answer::Result(vec![missing()]);
    };
    let kind = asked.and_then(|asked| asked.get_attr("type"));
    let kind = kind.map_or_else(|| "image".into(), ValueRef::as_str);
    let path = format!("/v/{}/{kind}/{id}", account.phone_number());
    Answer::Result(vec![described(&id, &kind, &path)])
}

fn described(id: &Arc<str>, kind: &str, path: &str) -> Node {
    NodeBuilder::new("picture")
        .attr("id", &**id)
        .attr("type", kind)
        .attr("url", format!("https://pps.invalid{path}"))
        .attr("direct_path", path)
        .build()
}

fn missing() -> Node {
    let error = NodeBuilder::new("error")
        .attr("code", 404)
        .attr("text", "item-not-found");
    NodeBuilder::new("picture")
        .children([error.build()])
        .build()
}
