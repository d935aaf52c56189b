//! Pre-keys: leaving one's own with the server, and asking for others'.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;
use wacore_binary::{Node, NodeRef};

use super::Answer;
use crate::client::Session;
use crate::clock;
use crate::peer;
use crate::world::World;

/// The device does not exist.
const UNREGISTERED: u16 = 406;

/// Uploads and rotations.
pub(super) fn store(session: &Session, query: &NodeRef<'_>) -> Answer {
    let prekeys = &session.device.prekeys;
    if let Some(signed) = query.get_optional_child_by_tag(&["rotate", "skey"]) {
        return if prekeys.rotate(signed) {
            Answer::EMPTY
        } else {
            Answer::BAD_REQUEST
        };
    }
    if !prekeys.upload(query) {
        return Answer::BAD_REQUEST;
    }
    if let Some(node) = Answer::EMPTY.node(query) {
        session.link.send(&node);
    }
    // Now the phone can write to its new companion, which waits for this.
    if session.device.claim_app_state_key() {
        peer::share_app_state_key(&session.world, &session.address);
    }
    Answer::Sent
}

/// `<count>`, `<digest>` and `<key>`.
pub(super) fn fetch(session: &Session, query: &NodeRef<'_>) -> Answer {
    let prekeys = &session.device.prekeys;
    if query.get_optional_child("count").is_some() {
        let count = NodeBuilder::new("count").attr("value", prekeys.count());
        return Answer::Result(vec![count.build()]);
    }
    if query.get_optional_child("digest").is_some() {
        if !prekeys.uploaded() {
            return Answer::NOT_FOUND;
        }
        return Answer::Result(vec![prekeys.digest()]);
    }
    let Some(key) = query.get_optional_child("key") else {
        return Answer::BAD_REQUEST;
    };
    let users = key
        .get_children_by_tag("user")
        .filter_map(|user| bundle(&session.world, user));
    Answer::Result(vec![NodeBuilder::new("list").children(users).build()])
}

/// The keys of one device, under the name by which it was asked for.
fn bundle(world: &World, user: &NodeRef<'_>) -> Option<Node> {
    let jid = user.get_attr("jid")?;
    let answer = NodeBuilder::new("user").attr("jid", jid.to_node_value());
    let device = ValueRef::to_jid(jid).and_then(|jid| world.accounts.device(&jid));
    let device = device.filter(|device| !world.conducts.is_keyless(device.account.phone_number()));
    let children = device.and_then(|device| {
        if device.device == 0 {
            return device.account.phone.bundle().map(|bundle| bundle.nodes());
        }
        let companion = device.account.companion(device.device)?;
        let mut children = companion.prekeys.take().nodes();
        let proof = companion.identity_proof.clone();
        children.push(NodeBuilder::new("device-identity").bytes(proof).build());
        Some(children)
    });
    Some(match children {
        Some(children) => answer
            .attr("t", clock::now_secs())
            .children(children)
            .build(),
        None => {
            let error = NodeBuilder::new("error")
                .attr("code", UNREGISTERED)
                .attr("text", "not-acceptable");
            answer.children([error.build()]).build()
        }
    })
}
