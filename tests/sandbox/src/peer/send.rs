//! Writing a message with a phone.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rand::RngExt as _;
use wacore::send::stanza_type_from_message;
use wacore::types::jid::JidExt as _;
use wacore::types::message::EditAttribute;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::NodeValue;
use wacore_binary::{Node, Server};
use waproto::whatsapp::Message;

use super::chat::Chat;
use super::content;
use super::display::{self, Place};
use super::messages::{Direction, Status};
use super::payload;
use crate::accounts::{Account, DeviceAddress};
use crate::clock;
use crate::error::PhoneError;
use crate::relay;
use crate::submission::{DeviceCopy, Submission};
use crate::world::World;

/// How many sent messages a phone keeps for devices that ask again.
const KEPT: usize = 1_000;

/// A message that a person wants to send.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) message: Message,
    /// The id, if the person insists on one.
    pub(crate) id: Option<String>,
}

/// The messages that a phone sent lately.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    order: VecDeque<Arc<str>>,
    sent: HashMap<Arc<str>, Sent>,
}

#[derive(Debug, Clone)]
struct Sent {
    chat: Chat,
    message: Arc<Message>,
}

impl Sent {
    /// What the stanza says about the message without showing it.
    fn attributes(&self) -> Vec<(Cow<'static, str>, NodeValue)> {
        let kind = stanza_type_from_message(&self.message);
        let mut attributes = vec![("type".into(), NodeValue::from(kind))];
        if let Some(edit) = EditAttribute::infer_from_message(&self.message) {
            attributes.push(("edit".into(), NodeValue::from(edit.to_string_val())));
        }
        attributes
    }

    /// What stands beside the payloads: that a poll is a poll, and a vote a vote.
    fn extras(&self) -> Vec<Node> {
        let kind = if content::poll(&self.message).is_some() {
            "creation"
        } else if self.message.poll_update_message.is_set() {
            "vote"
        } else {
            return Vec::new();
        };
        vec![NodeBuilder::new("meta").attr("polltype", kind).build()]
    }
}

impl Outbox {
    fn keep(&mut self, id: &str, sent: Sent) {
        let id: Arc<str> = id.into();
        if self.sent.insert(Arc::clone(&id), sent).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.sent.remove(&oldest);
        }
    }
}

/// Sends a message to everybody in the chat, and to the sender's companions.
/// Returns its id.
pub(crate) fn send(
    world: &Arc<World>,
    sender: &Arc<Account>,
    chat: &Chat,
    draft: Draft,
) -> Result<String, PhoneError> {
    let id = draft.id.unwrap_or_else(message_id);
    let sent = Sent {
        chat: chat.clone(),
        message: Arc::new(draft.message),
    };
    let from = DeviceAddress {
        account: Arc::clone(sender),
        device: 0,
    };
    let devices = chat.destination().everyone(&from).unwrap_or_default();
    let payloads = payload::for_chat(sender, chat, &sent.message, &devices)?;
    sender.phone.outbox().keep(&id, sent.clone());
    show_own(world, sender, &id, &sent);
    relay::accept_from_phone(
        world,
        Submission {
            from,
            id: id.clone(),
            to: chat.jid(),
            size: payloads.size,
            attributes: sent.attributes(),
            copies: payloads.copies,
            common: payloads.common,
            participant_hash: None,
            extras: sent.extras(),
            device_identity: None,
            single_payload: false,
        },
    );
    Ok(id)
}

/// Sends a message once more to one device that could not decrypt it.
pub(super) fn again(
    world: &Arc<World>,
    sender: &Arc<Account>,
    device: &DeviceAddress,
    namespace: Server,
    id: &str,
    count: u32,
) {
    let Some(sent) = sender.phone.outbox().sent.get(id).cloned() else {
        tracing::warn!("a device asks again for a message that is not kept");
        return;
    };
    if sent.chat.is_group() {
        let address = device.jid(Server::Pn).to_protocol_address();
        let mut keys = sender.phone.sender_keys();
        keys.give_again(&sent.chat.name(), &address);
    }
    let payload = match payload::for_device(sender, &sent.chat, &sent.message, device) {
        Ok(payload) => payload,
        Err(error) => {
            tracing::warn!(%error, "a message could not be encrypted again");
            return;
        }
    };
    let mut submission = single(
        sender,
        device,
        namespace,
        id,
        payload::enc(payload, &sent.message, Some(count)),
        sent.attributes(),
    );
    if sent.chat.is_group() {
        submission.to = sent.chat.jid();
    }
    relay::accept_from_phone(world, submission);
}

/// Sends a message to one companion of the same account, outside every chat.
pub(super) fn to_companion(
    world: &Arc<World>,
    companion: &DeviceAddress,
    message: &Message,
    attributes: Vec<(Cow<'static, str>, NodeValue)>,
) -> Result<(), PhoneError> {
    let account = &companion.account;
    let payload = payload::seal(account, companion, message)?;
    let id = message_id();
    let payload = payload::enc(payload, message, None);
    let submission = single(account, companion, Server::Pn, &id, payload, attributes);
    relay::fan_out_from_phone(world, submission);
    Ok(())
}

fn single(
    sender: &Arc<Account>,
    device: &DeviceAddress,
    namespace: Server,
    id: &str,
    payload: Node,
    attributes: Vec<(Cow<'static, str>, NodeValue)>,
) -> Submission {
    let to = device.jid(namespace);
    Submission {
        from: DeviceAddress {
            account: Arc::clone(sender),
            device: 0,
        },
        id: id.to_owned(),
        to: to.clone(),
        size: 0,
        attributes,
        copies: vec![DeviceCopy {
            to,
            payloads: vec![payload],
        }],
        common: Vec::new(),
        participant_hash: None,
        extras: Vec::new(),
        device_identity: None,
        single_payload: true,
    }
}

fn show_own(world: &World, sender: &Arc<Account>, id: &str, sent: &Sent) {
    display::show(
        world,
        sender,
        &sent.message,
        Place {
            id: id.into(),
            chat: sent.chat.name(),
            from: DeviceAddress {
                account: Arc::clone(sender),
                device: 0,
            },
            direction: Direction::Sent,
            timestamp: clock::now_secs(),
            status: Some(Status::Sent),
            author: sender.jid(Server::Pn),
        },
    );
}

/// An id such as phones make.
pub(crate) fn message_id() -> String {
    let bytes: [u8; 10] = rand::rng().random();
    format!("3A{}", hex::encode_upper(bytes))
}
