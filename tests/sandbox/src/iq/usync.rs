//! Looking people up: whether they exist, their LIDs, their devices.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::{NodeValue, ValueRef};
use wacore_binary::{Jid, Node, NodeRef, Server};

use super::Answer;
use crate::accounts::Account;
use crate::client::Session;

/// Answers each question about each user.
pub(super) fn query(session: &Session, query: &NodeRef<'_>) -> Answer {
    let Some(usync) = query.get_optional_child("usync") else {
        return Answer::BAD_REQUEST;
    };
    let questions: Vec<&str> = usync
        .get_optional_child("query")
        .and_then(NodeRef::children)
        .unwrap_or_default()
        .iter()
        .map(|question| &*question.tag)
        .collect();
    let users = usync
        .get_optional_child("list")
        .into_iter()
        .flat_map(|list| list.get_children_by_tag("user"))
        .filter_map(|user| describe(session, &questions, user));
    let list = NodeBuilder::new("list").children(users).build();
    let results = questions
        .iter()
        .map(|question| NodeBuilder::new_dynamic((*question).to_owned()).build());
    let result = NodeBuilder::new("result").children(results).build();

    let mut answer = NodeBuilder::new("usync").children([result, list]).build();
    for (key, default) in [
        ("sid", ""),
        ("index", "0"),
        ("last", "true"),
        ("mode", "query"),
        ("context", "message"),
    ] {
        let value = usync.get_attr(key).map(ValueRef::to_node_value);
        answer
            .attrs
            .insert(key, value.unwrap_or_else(|| NodeValue::from(default)));
    }
    Answer::Result(vec![answer])
}

fn describe(session: &Session, questions: &[&str], user: &NodeRef<'_>) -> Option<Node> {
    let asked = user.get_attr("jid").and_then(ValueRef::to_jid);
    let number = user
        .get_optional_child("contact")
        .and_then(NodeRef::content_as_string);
    let digits = number
        .as_deref()
        .map(|number| number.trim_start_matches('+'));
    let jid = asked.clone().or_else(|| digits.map(Jid::pn))?;
    let account = session.world.accounts.resolve(&jid);

    let children = questions.iter().filter_map(|question| match *question {
        "contact" => {
            let found = if account.is_some() { "in" } else { "out" };
            let contact = NodeBuilder::new("contact").attr("type", found);
            Some(match &number {
                Some(number) => contact.string_content(number.as_str()).build(),
                None => contact.build(),
            })
        }
        "lid" => {
            let lid = account.as_ref()?.jid(Server::Lid);
            Some(NodeBuilder::new("lid").attr("val", lid).build())
        }
        "devices" => Some(devices(session, account.as_ref())),
        "status" => {
            let about = account.as_ref().map(|account| account.profile.about());
            let status = NodeBuilder::new("status");
            Some(match about.filter(|about| !about.is_empty()) {
                Some(about) => status.string_content(&*about).build(),
                None => status.build(),
            })
        }
        other => Some(NodeBuilder::new_dynamic(other.to_owned()).build()),
    });
    let mut node = NodeBuilder::new("user")
        .attr("jid", jid.to_non_ad())
        .children(children)
        .build();
    if jid.server == Server::Lid
        && let Some(account) = &account
    {
        node.attrs.insert("pn_jid", account.jid(Server::Pn));
    }
    Some(node)
}

fn devices(session: &Session, account: Option<&Arc<Account>>) -> Node {
    // Nobody is known to have no devices: a stranger has a phone without keys.
    let Some(account) = account else {
        let phone = NodeBuilder::new("device").attr("id", 0).build();
        let list = NodeBuilder::new("device-list").children([phone]).build();
        return NodeBuilder::new("devices").children([list]).build();
    };
    account.watched_by(&session.address.account);
    let companions = account.companions();
    let phone = NodeBuilder::new("device").attr("id", 0).build();
    let list = companions.iter().map(|device| {
        NodeBuilder::new("device")
            .attr("id", device.id)
            .attr("key-index", device.key_index)
            .build()
    });
    let list = NodeBuilder::new("device-list")
        .children(std::iter::once(phone).chain(list))
        .build();
    if companions.is_empty() {
        return NodeBuilder::new("devices").children([list]).build();
    }
    let (signed, signed_at) = account.key_index_list();
    let signed = NodeBuilder::new("key-index-list")
        .attr("ts", signed_at)
        .bytes(signed.to_vec())
        .build();
    NodeBuilder::new("devices").children([list, signed]).build()
}
