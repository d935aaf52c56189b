//! Calls: they ring, and they ring no more. Nobody here can answer one.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;

use crate::accounts::{Account, DeviceAddress, opposite};
use crate::clock;
use crate::mailbox::Class;
use crate::world::World;

/// What a caller does.
#[derive(Debug)]
pub(crate) enum Ring {
    /// It rings.
    Offer { video: bool },
    /// It rings no more.
    Terminate { reason: Option<String> },
}

/// Tells the companions of an account of a call.
pub(crate) fn ring(
    world: &Arc<World>,
    caller: &Arc<Account>,
    callee: &Arc<Account>,
    id: &str,
    ring: &Ring,
) {
    let namespace = callee.namespace();
    let creator = caller.jid(namespace);
    let action = match ring {
        Ring::Offer { video } => {
            let audio = NodeBuilder::new("audio")
                .attr("enc", "opus")
                .attr("rate", 16_000);
            let mut children = vec![audio.build()];
            if *video {
                children.push(NodeBuilder::new("video").build());
            }
            NodeBuilder::new("offer")
                .attr("call-id", id)
                .attr("call-creator", creator.clone())
                .attr("caller_pn", caller.jid(wacore_binary::Server::Pn))
                .children(children)
        }
        Ring::Terminate { reason } => {
            let node = NodeBuilder::new("terminate")
                .attr("call-id", id)
                .attr("call-creator", creator.clone());
            match reason {
                Some(reason) => node.attr("reason", reason.as_str()),
                None => node,
            }
        }
    };
    let stanza_id = world.stanza_id();
    let other = caller.jid(opposite(namespace));
    let key = if namespace == wacore_binary::Server::Lid {
        "sender_pn"
    } else {
        "sender_lid"
    };
    let node = NodeBuilder::new("call")
        .attr("from", creator)
        .attr(key, other)
        .attr("id", stanza_id.as_str())
        .attr("t", clock::now_secs())
        .attr("notify", &*caller.name())
        .children([action.build()])
        .build();
    for device in callee.devices() {
        if device.device > 0 {
            let to = DeviceAddress {
                account: Arc::clone(callee),
                device: device.device,
            };
            world.deliver(&to, Class::Call, &stanza_id, "", node.clone());
        }
    }
}
