//! Asking for a message again, and sending one again.

use std::sync::Arc;

use wacore::types::jid::JidExt as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, Server};

use super::inbox::Arrival;
use super::send;
use crate::accounts::{Account, DeviceAddress};
use crate::certificate::public_bytes;
use crate::prekeys::{Bundle, read_one_time, read_signed, registration};
use crate::receipts;
use crate::world::World;

/// After this many requests nobody asks or answers any more.
const LIMIT: u32 = 5;

/// Asks the author to send the message again, with keys for a new session.
/// `count` is how often it was sent again before.
pub(super) fn ask(world: &Arc<World>, arrival: &Arrival<'_>, count: u32) {
    let count = count + 1;
    if count > LIMIT {
        return;
    }
    let phone = &arrival.account.phone;
    let retry = NodeBuilder::new("retry")
        .attr("v", 1)
        .attr("id", &*arrival.id)
        .attr("t", arrival.timestamp)
        .attr("count", count)
        .build();
    let registration_id = phone.signal().registration_id();
    let mut children = vec![retry, registration(registration_id)];
    if let Some(bundle) = phone.bundle() {
        let mut keys = vec![
            NodeBuilder::new("type").bytes([5_u8]).build(),
            NodeBuilder::new("identity")
                .bytes(public_bytes(phone.identity()))
                .build(),
        ];
        keys.extend(bundle.one_time.map(crate::prekeys::OneTimePreKey::node));
        keys.push(bundle.signed.node());
        children.push(NodeBuilder::new("keys").children(keys).build());
    }
    receipts::relay(world, arrival.receipt(Some("retry"), children));
}

/// A device could not decrypt a message of this phone: sends it again, in a new
/// session if the device gave keys for one or has asked more than once.
/// `namespace` is the one in which the device is named.
pub(super) fn answer(
    world: &Arc<World>,
    account: &Arc<Account>,
    device: &DeviceAddress,
    namespace: Server,
    id: &str,
    receipt: &Node,
) {
    let count = receipt
        .get_optional_child("retry")
        .and_then(|retry| retry.attrs.get("count"))
        .and_then(|count| count.as_str().parse().ok())
        .unwrap_or(1);
    if count > LIMIT {
        return;
    }
    let given = given_bundle(receipt);
    let stored = || {
        device
            .account
            .companion(device.device)
            .map(|device| device.prekeys.take())
    };
    let bundle = if count > 1 {
        given.or_else(stored)
    } else {
        given
    };
    if let Some(bundle) = bundle {
        let address = device.jid(Server::Pn).to_protocol_address();
        if let Err(error) = account.phone.signal().begin_session(&address, &bundle) {
            tracing::warn!(%error, "the keys of a retry receipt are unusable");
        }
    }
    send::again(world, account, device, namespace, id, count);
}

fn given_bundle(receipt: &Node) -> Option<Bundle> {
    let receipt = receipt.as_node_ref();
    let keys = receipt.get_optional_child("keys")?;
    let registration = receipt.get_optional_child("registration")?;
    Some(Bundle {
        registration_id: crate::prekeys::number(registration.content_bytes())?,
        identity: crate::prekeys::fixed(keys.get_optional_child("identity")?.content_bytes())?,
        signed: read_signed(keys.get_optional_child("skey")?)?,
        one_time: keys.get_optional_child("key").and_then(read_one_time),
    })
}
