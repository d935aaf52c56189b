//! Encrypting what a phone sends, for one device or for a group.

use std::sync::Arc;

use buffa::MessageField;
use wacore::messages::MessageUtils;
use wacore::send::media_type_from_message;
use wacore::types::jid::JidExt as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, Server};
use waproto::whatsapp::Message;
use waproto::whatsapp::message::{DeviceSentMessage, SenderKeyDistributionMessage};

use super::chat::Chat;
use super::signal::Sealed;
use crate::accounts::{Account, DeviceAddress};
use crate::error::PhoneError;
use crate::submission::DeviceCopy;

/// What a message becomes on the wire.
pub(super) struct Payloads {
    /// For one device each.
    pub(super) copies: Vec<DeviceCopy>,
    /// For all devices of a group.
    pub(super) common: Vec<Node>,
    /// Bytes of all of them.
    pub(super) size: usize,
}

/// Encrypts a message for the devices of a chat.
pub(super) fn for_chat(
    sender: &Arc<Account>,
    chat: &Chat,
    message: &Message,
    devices: &[DeviceAddress],
) -> Result<Payloads, PhoneError> {
    match chat {
        Chat::Person(_) => for_each(sender, chat, message, devices),
        Chat::Group(_) => for_group(sender, chat, message, devices),
    }
}

fn for_each(
    sender: &Arc<Account>,
    chat: &Chat,
    message: &Message,
    devices: &[DeviceAddress],
) -> Result<Payloads, PhoneError> {
    let mut copies = Vec::new();
    let mut size = 0;
    for device in devices {
        // The person's own companions follow their account's namespace.
        let own = Arc::ptr_eq(&device.account, sender);
        let namespace = if own {
            sender.namespace()
        } else {
            chat.namespace()
        };
        let payload = for_device(sender, chat, message, device)?;
        size += payload.bytes.len();
        copies.push(DeviceCopy {
            to: device.jid(namespace),
            payloads: vec![enc(payload, message, None)],
        });
    }
    Ok(Payloads {
        copies,
        common: Vec::new(),
        size,
    })
}

/// Encrypts once with the sender key, and gives the key to whoever lacks it.
fn for_group(
    sender: &Arc<Account>,
    chat: &Chat,
    message: &Message,
    devices: &[DeviceAddress],
) -> Result<Payloads, PhoneError> {
    let group = chat.name();
    let own = sender.jid(Server::Pn).to_protocol_address();
    let addresses = devices
        .iter()
        .map(|device| device.jid(Server::Pn).to_protocol_address());
    let addresses: Vec<_> = addresses.collect();
    let mut keys = sender.phone.sender_keys();
    let (distribution, wanting) = keys.distribute(&group, &own, &addresses)?;
    let sealed = keys.encrypt(&group, &own, &MessageUtils::encode_and_pad(message))?;
    drop(keys);
    let distribution = Message {
        sender_key_distribution_message: MessageField::some(SenderKeyDistributionMessage {
            group_id: Some(group.to_string()),
            axolotl_sender_key_distribution_message: Some(distribution),
        }),
        ..Default::default()
    };
    let mut size = sealed.len();
    let mut copies = Vec::new();
    for (device, address) in devices.iter().zip(&addresses) {
        if wanting.contains(address) {
            let payload = seal(sender, device, &distribution)?;
            size += payload.bytes.len();
            copies.push(DeviceCopy {
                to: device.jid(chat.namespace()),
                payloads: vec![enc(payload, &distribution, None)],
            });
        }
    }
    let sealed = Sealed {
        kind: "skmsg",
        bytes: sealed,
    };
    Ok(Payloads {
        copies,
        common: vec![enc(sealed, message, None)],
        size,
    })
}

/// The message for one device. Outside of groups an own companion learns to whom
/// it went.
pub(super) fn for_device(
    sender: &Arc<Account>,
    chat: &Chat,
    message: &Message,
    device: &DeviceAddress,
) -> Result<Sealed, PhoneError> {
    if !Arc::ptr_eq(sender, &device.account) || chat.is_group() {
        return seal(sender, device, message);
    }
    let wrapped = Message {
        device_sent_message: MessageField::some(DeviceSentMessage {
            destination_jid: Some(chat.jid().to_string()),
            message: MessageField::some(message.clone()),
            ..Default::default()
        }),
        ..Default::default()
    };
    seal(sender, device, &wrapped)
}

pub(super) fn seal(
    sender: &Account,
    device: &DeviceAddress,
    message: &Message,
) -> Result<Sealed, PhoneError> {
    let address = device.jid(Server::Pn).to_protocol_address();
    let known = sender.phone.signal().has_session(&address);
    if !known {
        let bundle = if device.device == 0 {
            device.account.phone.bundle()
        } else {
            device
                .account
                .companion(device.device)
                .map(|device| device.prekeys.take())
        };
        let bundle = bundle.ok_or(PhoneError::NoDevice)?;
        sender.phone.signal().begin_session(&address, &bundle)?;
    }
    sender
        .phone
        .signal()
        .encrypt(&address, &MessageUtils::encode_and_pad(message))
}

/// `<enc>`, with the kind of media that is in it; `count` says how often it was
/// asked for again.
pub(super) fn enc(payload: Sealed, message: &Message, count: Option<u32>) -> Node {
    let mut node = NodeBuilder::new("enc")
        .attr("v", 2)
        .attr("type", payload.kind);
    let distributes = message.sender_key_distribution_message.is_set();
    if let Some(kind) = media_type_from_message(message).filter(|_| !distributes) {
        node = node.attr("mediatype", kind);
    }
    if let Some(count) = count {
        node = node.attr("count", count);
    }
    node.bytes(payload.bytes).build()
}
