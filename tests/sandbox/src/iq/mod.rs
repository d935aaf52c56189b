//! Queries of a logged-in companion. Each namespace has its own file; this one
//! finds the right one and wraps what it says.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;
use wacore_binary::{Node, NodeRef};

use crate::client::{Session, server_jid};

mod app_state;
mod companion;
mod encrypt;
mod groups;
mod media;
mod mex;
mod newsletter;
mod privacy;
mod profile;
mod settings;
mod usync;

/// What a query is answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Success, with these children.
    Result(Vec<Node>),
    /// Failure, with a code and a text.
    Error(u16, &'static str),
    /// The handler has answered by itself.
    Sent,
}

impl Answer {
    const EMPTY: Self = Self::Result(Vec::new());
    const BAD_REQUEST: Self = Self::Error(400, "bad-request");
    const NOT_FOUND: Self = Self::Error(404, "item-not-found");
    const NOT_IMPLEMENTED: Self = Self::Error(501, "feature-not-implemented");

    /// The answer as a stanza; none when it was sent already.
    pub(crate) fn node(&self, query: &NodeRef<'_>) -> Option<Node> {
        let (kind, children) = match self {
            Self::Result(children) => ("result", children.clone()),
            Self::Error(code, text) => {
                let error = NodeBuilder::new("error")
                    .attr("code", *code)
                    .attr("text", *text);
                ("error", vec![error.build()])
            }
            Self::Sent => return None,
        };
        let from = query.get_attr("to").map(ValueRef::to_node_value);
        let answer = NodeBuilder::new("iq")
            .attr("from", from.unwrap_or_else(|| server_jid().into()))
            .attr("type", kind)
            .attr("id", query.get_attr("id")?.to_node_value());
        Some(if children.is_empty() {
            answer.build()
        } else {
            answer.children(children).build()
        })
    }
}

/// Answers a query. Results of queries that the server asked need no answer.
pub(crate) fn handle(session: &Session, query: &NodeRef<'_>) {
    let attr = |key| {
        query
            .get_attr(key)
            .map(ValueRef::as_str)
            .unwrap_or_default()
    };
    let kind = attr("type");
    if kind != "get" && kind != "set" {
        return;
    }
    let namespace = attr("xmlns");
    let answer = match (namespace.as_ref(), kind.as_ref()) {
        ("passive", "set") => settings::passive(session, query),
        ("encrypt", "set") => encrypt::store(session, query),
        ("encrypt", "get") => encrypt::fetch(session, query),
        ("usync", "get") => usync::query(session, query),
        ("w:sync:app:state", "set") => app_state::sync(session, query),
        ("w:g2", kind) => groups::handle(session, query, kind == "set"),
        ("newsletter", _) => newsletter::handle(session, query),
        ("w:mex", _) => mex::handle(session, query),
        ("w:m", _) => media::connection(&session.world),
        ("md", "set") => companion::set(session, query),
        ("abt", "get") => settings::experiments(),
        ("blocklist", "get") => settings::blocklist(),
        ("privacy", "get") => privacy::get(),
        ("privacy", "set") => privacy::set(session, query),
        ("status", "set") => profile::set_about(session, query),
        ("w:profile:picture", "get") => profile::picture(session, query),
        ("w:profile:picture", "set") => profile::set_picture(session, query),
        ("blocklist" | "urn:xmpp:whatsapp:dirty", "set") | ("w:p" | "urn:xmpp:ping", _) => {
            Answer::EMPTY
        }
        _ => {
            let child = query.children().and_then(|children| children.first());
            let child = child.map(|child| child.tag.to_string()).unwrap_or_default();
            tracing::debug!(%namespace, %kind, child, "a query has no answer here");
            Answer::NOT_IMPLEMENTED
        }
    };
    if let Some(node) = answer.node(query) {
        session.link.send(&node);
    }
}
