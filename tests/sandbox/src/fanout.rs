//! Bringing a message to its devices, and knowing whether it went to all.

use std::sync::Arc;

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent, Server};

use crate::accounts::{DeviceAddress, opposite};
use crate::destination::Destination;
use crate::groups::Group;
use crate::ledger::Kind;
use crate::mailbox::Class;
use crate::submission::{DeviceCopy, Submission};
use crate::world::World;

/// How an accepted message is relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Plain,
    Twice,
    Corrupted,
    /// See [`Action::Unconfirmed`](crate::faults::Action::Unconfirmed).
    Unconfirmed,
}

/// The hash of the devices that the message should have gone to, when it did
/// not go to exactly them: so the sender learns that its list is stale.
pub(crate) fn participant_hash(
    world: &World,
    submission: &Submission,
    destination: &Destination,
) -> Option<String> {
    let expected = destination.everyone(&submission.from)?;
    if let Some(group) = destination.group() {
        return group_hash(submission, group, expected);
    }
    let complete = submission.copies.len() == expected.len()
        && submission.copies.iter().all(|copy| {
            world
                .accounts
                .device(&copy.to)
                .is_some_and(|device| destination.includes(&submission.from, &device))
        });
    if complete {
        return None;
    }
    let jids: Vec<Jid> = expected
        .iter()
        .map(|device| device.jid(submission.to.server))
        .collect();
    MessageUtils::participant_list_hash(&jids).ok()
}

/// To a group the sender says itself which devices it knows; its own counts.
fn group_hash(
    submission: &Submission,
    group: &Group,
    mut expected: Vec<DeviceAddress>,
) -> Option<String> {
    let said = submission.participant_hash.as_ref()?;
    expected.push(submission.from.clone());
    let jids = expected.iter().map(|device| device.jid(group.namespace()));
    let jids: Vec<Jid> = jids.collect();
    let hash = MessageUtils::participant_list_hash(&jids).ok()?;
    (hash != *said).then_some(hash)
}

/// Brings each device of the destination the copy that is for it.
pub(crate) fn fan_out(
    world: &Arc<World>,
    mut submission: Submission,
    destination: &Destination,
    now: u64,
    delivery: Delivery,
) {
    for (device, copy) in copies(world, &mut submission, destination) {
        let mut stanza = stanza_for(&submission, destination, copy, &device, now);
        match delivery {
            Delivery::Plain => {}
            Delivery::Twice => {
                world.deliver(&device, Class::Message, &submission.id, "", stanza.clone());
            }
            Delivery::Corrupted => corrupt(&mut stanza),
            Delivery::Unconfirmed => {
                if let Some(device) = device.account.companion(device.device) {
                    device.mailbox.deliver_unconfirmed(&submission.id, &stanza);
                    continue;
                }
            }
        }
        world.deliver(&device, Class::Message, &submission.id, "", stanza);
    }
}

/// What each device gets: its own copy, and in a group what all of them get.
fn copies(
    world: &World,
    submission: &mut Submission,
    destination: &Destination,
) -> Vec<(DeviceAddress, DeviceCopy)> {
    let addressed = std::mem::take(&mut submission.copies).into_iter();
    let addressed = addressed.filter_map(|copy| {
        let device = world.accounts.device(&copy.to)?;
        let included = destination.includes(&submission.from, &device);
        included.then_some((device, copy))
    });
    let Destination::Group { group } = destination else {
        return addressed.collect();
    };
    let mut own: Vec<(DeviceAddress, DeviceCopy)> = addressed.collect();
    let everyone = destination.everyone(&submission.from).unwrap_or_default();
    let all = everyone.into_iter().map(|device| {
        let at = own.iter().position(|(other, _)| other.same_as(&device));
        let mut payloads = at.map_or_else(Vec::new, |at| own.swap_remove(at).1.payloads);
        payloads.extend(submission.common.iter().cloned());
        let to = device.jid(group.namespace());
        (device, DeviceCopy { to, payloads })
    });
    all.collect()
}

/// Changes a byte of each payload, where it belongs to the ciphertext.
fn corrupt(stanza: &mut Node) {
    let Some(NodeContent::Nodes(children)) = &mut stanza.content else {
        return;
    };
    for payload in children.iter_mut().filter(|child| child.tag == "enc") {
        if let Some(NodeContent::Bytes(bytes)) = &mut payload.content {
            let middle = bytes.len() * 3 / 4;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 0xff;
            }
        }
    }
}

/// The `<message>` that one device gets. It speaks the namespace in which the
/// sender addressed that device, or that of the group, and names the sender in
/// the other one as well.
fn stanza_for(
    submission: &Submission,
    destination: &Destination,
    copy: DeviceCopy,
    device: &DeviceAddress,
    now: u64,
) -> Node {
    let group = destination.group();
    let sender = &submission.from;
    let namespace = match group {
        Some(group) => group.namespace(),
        // What the companions of an account tell each other names them as its chats do; its phone
        // speaks by number.
        None if submission.kind() == Kind::Peer && sender.device != 0 => sender.account.namespace(),
        None => copy.to.server,
    };
    let mut stanza = NodeBuilder::new("message")
        .attr("id", submission.id.as_str())
        .attr("t", now)
        .attr("notify", &*sender.account.name());
    let other = sender.account.jid(opposite(namespace));
    let to_lid = namespace == Server::Lid;
    match group {
        Some(group) => {
            let key = if to_lid {
                "participant_pn"
            } else {
                "participant_lid"
            };
            stanza = stanza
                .attr("from", group.jid())
                .attr("participant", sender.jid(namespace))
                .attr("addressing_mode", group.addressing())
                .attr(key, other);
        }
        None => {
            let key = if to_lid { "sender_pn" } else { "sender_lid" };
            stanza = stanza.attr("from", sender.jid(namespace)).attr(key, other);
            if Arc::ptr_eq(&device.account, &sender.account) && !submission.single_payload {
                stanza = stanza.attr("recipient", submission.to.to_non_ad());
            }
        }
    }
    let mut stanza = stanza.build();
    for (key, value) in &submission.attributes {
        stanza.attrs.insert(key.clone(), value.clone());
    }
    let begins_session = |payload: &Node| {
        payload
            .attrs
            .get("type")
            .is_some_and(|kind| *kind == "pkmsg")
    };
    let mut children = copy.payloads;
    let introduces = children.iter().any(begins_session);
    children.extend(submission.extras.iter().cloned());
    if introduces {
        children.extend(submission.device_identity.clone());
    }
    stanza.content = Some(NodeContent::Nodes(children));
    stanza
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::devices::Device;
    use crate::prekeys::{PreKeys, SignedPreKey};

    fn companion(world: &World, phone_number: &str) -> DeviceAddress {
        let account = world.accounts.open(phone_number, None).unwrap();
        let id = account.reserve_device();
        let signed = SignedPreKey {
            id: 1,
            value: [1; 32],
            signature: [2; 64],
        };
        let prekeys = PreKeys::new(1, [3; 32], signed);
        account
            .link(Arc::new(Device::new(
                id,
                u32::from(id),
                [4; 32],
                Vec::new(),
                prekeys,
                crate::pairing::Listed::default(),
            )))
            .unwrap();
        DeviceAddress {
            account,
            device: id,
        }
    }

    #[test]
    fn a_message_that_misses_a_device_gets_the_hash_of_all() {
        let world = Arc::new(World::new(Config::default()).unwrap());
        let sender = companion(&world, "15550000001");
        let other = companion(&world, "15550000002");
        let second = companion(&world, "15550000002");
        let message = |devices: &[&DeviceAddress]| Submission {
            from: sender.clone(),
            id: "A".to_owned(),
            to: Jid::pn("15550000002"),
            size: 0,
            attributes: Vec::new(),
            copies: devices
                .iter()
                .map(|device| DeviceCopy {
                    to: device.jid(Server::Pn),
                    payloads: Vec::new(),
                })
                .collect(),
            common: Vec::new(),
            participant_hash: None,
            extras: Vec::new(),
            device_identity: None,
            single_payload: false,
        };
        let destination = Destination::resolve(&world, &message(&[])).unwrap();
        let phone_of = |device: &DeviceAddress| DeviceAddress {
            account: Arc::clone(&device.account),
            device: 0,
        };
        let (own_phone, phone) = (phone_of(&sender), phone_of(&other));
        let all = [&own_phone, &phone, &other, &second];
        assert_eq!(participant_hash(&world, &message(&all), &destination), None);
        let expected =
            MessageUtils::participant_list_hash(&all.map(|device| device.jid(Server::Pn))).unwrap();
        let stale = message(&[&own_phone, &phone, &other]);
        assert_eq!(
            participant_hash(&world, &stale, &destination),
            Some(expected.clone())
        );
        // As many as there should be, but one of them is a stranger.
        let stranger = companion(&world, "15550000003");
        let wrong = message(&[&own_phone, &phone, &other, &stranger]);
        assert_eq!(
            participant_hash(&world, &wrong, &destination),
            Some(expected)
        );
    }
}
