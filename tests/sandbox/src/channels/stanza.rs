//! Channels on the wire: what owners post, what followers get, and what they ask for. The shapes are
//! those that whatsapp-rust writes and reads in `features::newsletter`.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;
use wacore_binary::{Jid, Node, NodeRef, Server};

use super::{Channel, Draft, Post};
use crate::accounts::Account;
use crate::client::Session;
use crate::clock;
use crate::relay::{NOT_ALLOWED, UNKNOWN_RECIPIENT};

/// A connected client writes to a channel: a post, a change to one, or a reaction. False when the
/// message is for somebody else.
pub(crate) fn handle(session: &Session, node: &NodeRef<'_>) -> bool {
    let Some(to) = node.get_attr("to").and_then(ValueRef::to_jid) else {
        return false;
    };
    if to.server != Server::Newsletter {
        return false;
    }
    let text = |key: &str| node.get_attr(key).map(|value| value.as_str().into_owned());
    let id = text("id").unwrap_or_default();
    let account = &session.address.account;
    let Some(channel) = session.world.channels.find(&to.to_string()) else {
        answer(session, &to, &id, None, Some(UNKNOWN_RECIPIENT));
        return true;
    };
    if let Some(reaction) = node.get_optional_child("reaction") {
        let number = text("server_id").and_then(|number| number.parse().ok());
        let emoji = reaction
            .get_attr("code")
            .map(|code| code.as_str().into_owned());
        channel.react(account, number.unwrap_or(0), &emoji.unwrap_or_default());
        answer(session, &to, &id, number, None);
        return true;
    }
    let plaintext = node.get_optional_child("plaintext");
    let draft = Draft {
        id: id.clone(),
        kind: text("type").unwrap_or_else(|| "text".to_owned()),
        mediatype: plaintext
            .and_then(|plaintext| plaintext.get_attr("mediatype"))
            .map(|kind| kind.as_str().into_owned()),
        plaintext: plaintext
            .and_then(|plaintext| plaintext.content_bytes())
            .map(<[u8]>::to_vec)
            .unwrap_or_default(),
        edit: text("edit"),
    };
    let number = channel.post(&session.world, account, draft);
    let refused = number.is_none().then_some(NOT_ALLOWED);
    answer(session, &to, &id, number, refused);
    true
}

fn answer(session: &Session, to: &Jid, id: &str, number: Option<u64>, refused: Option<u16>) {
    let mut ack = NodeBuilder::new("ack")
        .attr("class", "message")
        .attr("id", id)
        .attr("from", to.clone())
        .attr("t", clock::now_secs());
    if let Some(number) = number {
        ack = ack.attr("server_id", number);
    }
    if let Some(code) = refused {
        ack = ack.attr("error", code);
    }
    session.link.send(&ack.build());
}

fn post(post: &Post) -> NodeBuilder {
    let mut node = NodeBuilder::new("message")
        .attr("id", post.id.as_str())
        .attr("server_id", post.number)
        .attr("t", post.at)
        .attr("type", post.kind.as_str());
    if let Some(edit) = &post.edit {
        node = node.attr("edit", edit.as_str());
    }
    node
}

fn plaintext(post: &Post) -> Node {
    let mut node = NodeBuilder::new("plaintext");
    if let Some(kind) = &post.mediatype {
        node = node.attr("mediatype", kind.as_str());
    }
    node.bytes(post.plaintext.clone()).build()
}

fn reactions(post: &Post) -> Node {
    let reactions = post
        .reactions
        .iter()
        .filter(|(_, people)| !people.is_empty());
    let reactions = reactions.map(|(emoji, people)| {
        NodeBuilder::new("reaction")
            .attr("code", emoji.as_str())
            .attr("count", people.len())
            .build()
    });
    let reactions: Vec<Node> = reactions.collect();
    NodeBuilder::new("reactions").children(reactions).build()
}

/// What a connected follower gets of a post.
pub(super) fn delivered(channel: &Jid, of: &Post) -> Node {
    post(of)
        .attr("from", channel.clone())
        .children([plaintext(of)])
        .build()
}

/// Brings a post to every device of the followers that is connected now, but not to those of its
/// author: they have it.
pub(super) fn bring(followers: &[Arc<Account>], author: &Account, node: &Node) {
    for follower in followers {
        if !std::ptr::eq(&**follower, author) {
            send_to(follower, node);
        }
    }
}

fn send_to(account: &Account, node: &Node) {
    for address in account.companions() {
        if let Some(link) = address.mailbox.link() {
            link.send(node);
        }
    }
}

/// Tells followers how a post is reacted to.
pub(super) fn tell_reactions(channel: &Jid, of: &Post, followers: &[Arc<Account>]) {
    let message = NodeBuilder::new("message")
        .attr("server_id", of.number)
        .children([reactions(of)])
        .build();
    let messages = NodeBuilder::new("messages")
        .attr("t", clock::now_secs())
        .children([message])
        .build();
    let updates = NodeBuilder::new("live_updates")
        .children([messages])
        .build();
    let node = NodeBuilder::new("notification")
        .attr("from", channel.clone())
        .attr("type", "newsletter")
        .attr("id", format!("nl-{}-{}", of.number, clock::now_millis()))
        .attr("t", clock::now_secs())
        .children([updates])
        .build();
    for follower in followers {
        send_to(follower, &node);
    }
}

/// `<messages>`: a page of posts.
pub(crate) fn page(channel: &Channel, count: usize, before: Option<u64>) -> Node {
    let posts = channel.posts(count, before);
    let posts = posts
        .iter()
        .map(|of| post(of).children([plaintext(of), reactions(of)]).build());
    let posts: Vec<Node> = posts.collect();
    NodeBuilder::new("messages")
        .attr("jid", channel.jid())
        .attr("t", clock::now_secs())
        .children(posts)
        .build()
}
