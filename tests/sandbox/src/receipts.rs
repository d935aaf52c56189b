//! Receipts: delivered, read, played, and the request to send again.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;
use wacore_binary::{Jid, Node, NodeContent, NodeRef, Server};

use crate::accounts::{Account, DeviceAddress};
use crate::client::Session;
use crate::clock;
use crate::mailbox::Class;
use crate::media;
use crate::world::World;

/// A receipt on its way to the author of the message.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) from: DeviceAddress,
    /// The author, or the group in which the author wrote.
    pub(crate) to: Jid,
    pub(crate) id: String,
    /// None when the message was delivered.
    pub(crate) kind: Option<String>,
    /// In a group: the author.
    pub(crate) participant: Option<Jid>,
    pub(crate) children: Vec<Node>,
}

/// Takes a receipt from a connected client: what it confirms need not wait any
/// longer, the client gets its acknowledgement, the author its receipt.
pub(crate) fn accept(session: &Session, node: &NodeRef<'_>) {
    let Some(id) = node.get_attr("id").map(|id| id.as_str().into_owned()) else {
        return;
    };
    let Some(to) = node.get_attr("to").and_then(ValueRef::to_jid) else {
        return;
    };
    let kind = node.get_attr("type").map(|kind| kind.as_str().into_owned());

    // Who asks for a message again does not have it; it acknowledges the copy it got by itself.
    if kind.as_deref() != Some("retry") {
        let mailbox = &session.device.mailbox;
        mailbox.settle(Class::Message, &id, "");
        for list in node.get_children_by_tag("list") {
            for item in list.get_children_by_tag("item") {
                if let Some(id) = item.get_attr("id") {
                    mailbox.settle(Class::Message, &id.as_str(), "");
                }
            }
        }
    }

    let ack = NodeBuilder::new("ack")
        .attr("class", "receipt")
        .attr("id", id.as_str())
        .attr("from", &to)
        .attr("t", clock::now_secs());
    let ack = match &kind {
        Some(kind) => ack.attr("type", kind.as_str()),
        None => ack,
    };
    session.link.send(&ack.build());

    let children = node.children().unwrap_or_default();
    let receipt = Receipt {
        from: session.address.clone(),
        to,
        id,
        kind,
        participant: node.get_attr("participant").and_then(ValueRef::to_jid),
        children: children.iter().map(NodeRef::to_owned).collect(),
    };
    relay(&session.world, receipt);
}

/// Brings a receipt to the devices of the message's author.
pub(crate) fn relay(world: &Arc<World>, mut receipt: Receipt) {
    let Some(author) = world.accounts.device(receipt.author()) else {
        return;
    };
    match receipt.kind.as_deref() {
        Some("retry") => {
            deliver(world, &author, &receipt);
            return;
        }
        Some("server-error") => {
            media::ask(world, &receipt);
            return;
        }
        // Between the devices of one account; only the server needs them.
        Some("sender" | "peer_msg" | "read-self") => return,
        // It was delivered; that nobody looks at the device is no news to the author.
        Some("inactive") => receipt.kind = None,
        _ => {}
    }
    if Arc::ptr_eq(&author.account, &receipt.from.account) {
        return;
    }
    if !receipt.is_from_the_chat(world, &author.account) {
        return;
    }
    for device in author.account.devices() {
        deliver(world, &device, &receipt);
    }
}

impl Receipt {
    fn in_group(&self) -> bool {
        self.to.server == Server::Group
    }

    /// Whether both are in the group that it names; in a direct chat they always are.
    fn is_from_the_chat(&self, world: &World, author: &Account) -> bool {
        !self.in_group()
            || world.groups.get(&self.to).is_some_and(|group| {
                group.role(author).is_some() && group.role(&self.from.account).is_some()
            })
    }

    /// The device that wrote the message.
    fn author(&self) -> &Jid {
        let participant = self.participant.as_ref().filter(|_| self.in_group());
        participant.unwrap_or(&self.to)
    }
}

fn deliver(world: &Arc<World>, to: &DeviceAddress, receipt: &Receipt) {
    let reader = receipt.from.jid(receipt.author().server);
    let (from, participant) = if receipt.in_group() {
        (receipt.to.clone(), Some(reader))
    } else {
        (reader, receipt.participant.clone())
    };
    let mut node = NodeBuilder::new("receipt")
        .attr("from", from)
        .attr("id", receipt.id.as_str())
        .attr("t", clock::now_secs())
        .build();
    if let Some(kind) = &receipt.kind {
        node.attrs.insert("type", kind.as_str());
    }
    if let Some(participant) = participant {
        node.attrs.insert("participant", participant);
    }
    if !receipt.children.is_empty() {
        node.content = Some(NodeContent::Nodes(receipt.children.clone()));
    }
    let kind = receipt.kind.as_deref().unwrap_or_default();
    world.deliver(to, Class::Receipt, &receipt.id, kind, node);
}
