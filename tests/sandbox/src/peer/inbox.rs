//! What a phone does with what arrives.

use std::sync::Arc;

use wacore::messages::decode_plaintext;
use wacore::types::jid::JidExt as _;
use wacore_binary::node::NodeValue;
use wacore_binary::{Jid, Node, NodeContent, Server};
use wacore_libsignal::protocol::SignalProtocolError;
use waproto::whatsapp::Message;

use super::display::{self, Place};
use super::messages::{Direction, Status};
use super::{app_state, retry};
use crate::accounts::{Account, DeviceAddress};
use crate::error::PhoneError;
use crate::receipts::{self, Receipt};
use crate::world::World;

/// The padding that version 2 of the encryption puts around a message.
const PADDED: u8 = 2;

/// Handles one stanza.
pub(super) fn handle(world: &Arc<World>, account: &Arc<Account>, node: &Node) {
    match &*node.tag {
        "message" => {
            if let Some(arrival) = Arrival::read(world, account, node) {
                receive(world, &arrival, node);
            }
        }
        "receipt" => receipt(world, account, node),
        _ => {}
    }
}

/// A message that has arrived at a phone.
pub(super) struct Arrival<'a> {
    pub(super) account: &'a Arc<Account>,
    pub(super) from: DeviceAddress,
    /// The author as the stanza names it; receipts go there.
    pub(super) author: Jid,
    pub(super) id: Arc<str>,
    pub(super) timestamp: u64,
    /// The group, if it was written in one.
    pub(super) group: Option<Jid>,
    chat: Arc<str>,
}

impl<'a> Arrival<'a> {
    fn read(world: &World, account: &'a Arc<Account>, node: &Node) -> Option<Self> {
        let attr = |key| node.attrs.get(key);
        let author = attr("participant")
            .or(attr("from"))
            .and_then(NodeValue::to_jid)?;
        let from = world.accounts.device(&author)?;
        let own = Arc::ptr_eq(&from.account, account);
        let recipient = attr("recipient").and_then(NodeValue::to_jid);
        let recipient = recipient.filter(|_| own);
        let chat = recipient.and_then(|chat| world.accounts.resolve(&chat));
        let chat = chat.as_ref().unwrap_or(&from.account).jid(Server::Pn);
        let group = attr("from").and_then(NodeValue::to_jid);
        let group = group.filter(|group| group.server == Server::Group);
        let chat = group.as_ref().unwrap_or(&chat);
        Some(Self {
            account,
            author,
            id: attr("id")?.as_str().into(),
            timestamp: attr("t")
                .and_then(|t| t.as_str().parse().ok())
                .unwrap_or_default(),
            chat: chat.to_string().into(),
            group,
            from,
        })
    }

    /// What this phone says to the author about the message.
    pub(super) fn receipt(&self, kind: Option<&str>, children: Vec<Node>) -> Receipt {
        let author = self.author.clone();
        let (to, participant) = match &self.group {
            Some(group) => (group.clone(), Some(author)),
            None => (author, None),
        };
        Receipt {
            from: phone_of(self.account),
            to,
            id: self.id.to_string(),
            kind: kind.map(str::to_owned),
            participant,
            children,
        }
    }

    fn own(&self) -> bool {
        Arc::ptr_eq(&self.from.account, self.account)
    }

    fn author_name(&self) -> Arc<str> {
        self.from.account.jid(Server::Pn).to_string().into()
    }
}

/// What became of the payloads of one stanza.
#[derive(Debug, Default)]
struct Opened {
    taken: bool,
    /// A payload was decrypted before.
    repeated: bool,
    /// A payload cannot be decrypted; how often it was sent again already.
    failed: Option<u32>,
}

/// A stanza to a group has two payloads at times: a sender key, then what is
/// encrypted with it. It is confirmed, counted or asked for again as a whole.
fn receive(world: &Arc<World>, arrival: &Arrival<'_>, node: &Node) {
    let phone = &arrival.account.phone;
    let mut opened = Opened::default();
    for payload in node.get_children_by_tag("enc") {
        match open(arrival, payload) {
            Ok(Some(message)) => {
                opened.taken = true;
                take(world, arrival, message);
            }
            Ok(None) => {}
            Err(PhoneError::Signal(SignalProtocolError::DuplicatedMessage(..))) => {
                opened.repeated = true;
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, id = &*arrival.id, "a phone could not decrypt a message");
                let count = payload.attrs.get("count").map(NodeValue::as_str);
                let count = count.and_then(|count| count.parse().ok());
                opened.failed = Some(count.unwrap_or_default());
            }
        }
    }
    if let Some(count) = opened.failed {
        phone.shown().count_undecryptable();
        retry::ask(world, arrival, count);
        return;
    }
    // Decrypted before. Official clients confirm it and show nothing.
    if opened.repeated && !opened.taken {
        let mut shown = phone.shown();
        if !shown.count_copy(&arrival.chat, &arrival.author_name(), &arrival.id) {
            shown.count_undecryptable();
            tracing::warn!("a payload was used twice: the client lost its Signal state");
        }
    }
    if opened.repeated || opened.taken {
        confirm(world, arrival);
    }
}

/// Decrypts a payload. A sender key that is in it is taken at once.
fn open(arrival: &Arrival<'_>, payload: &Node) -> Result<Option<Message>, PhoneError> {
    let Some(NodeContent::Bytes(ciphertext)) = &payload.content else {
        return Ok(None);
    };
    let phone = &arrival.account.phone;
    let address = arrival.from.jid(Server::Pn).to_protocol_address();
    let kind = payload.attrs.get("type").map(NodeValue::as_str);
    let kind = kind.unwrap_or_default();
    let plaintext = match (&arrival.group, kind.as_ref()) {
        (Some(_), "skmsg") => {
            let mut keys = phone.sender_keys();
            keys.decrypt(&arrival.chat, &address, ciphertext)?
        }
        _ => phone.signal().decrypt(&address, &kind, ciphertext)?,
    };
    let message = decode_plaintext(&plaintext, PADDED).map_err(PhoneError::Plaintext)?;
    if let Some(distribution) = message.sender_key_distribution_message.as_option()
        && let Some(key) = &distribution.axolotl_sender_key_distribution_message
        && arrival.group.is_some()
    {
        let mut keys = phone.sender_keys();
        keys.accept(&arrival.chat, &address, key)?;
    }
    Ok(Some(message))
}

/// Shows a message, or does what it says if it is for the phone itself.
fn take(world: &Arc<World>, arrival: &Arrival<'_>, mut message: Message) {
    // In a group the person's own companions write to all devices alike.
    let mut direction = if arrival.own() && arrival.group.is_some() {
        Direction::Sent
    } else {
        Direction::Received
    };
    if let Some(sent) = message.device_sent_message.take() {
        if !arrival.own() {
            tracing::warn!("somebody else's message claimed to be the person's own");
            return;
        }
        let Some(inner) = sent.message.into_option() else {
            return;
        };
        message = inner;
        direction = Direction::Sent;
    }
    if let Some(protocol) = message.protocol_message.as_option()
        && arrival.own()
    {
        if protocol.app_state_sync_key_request.is_set() {
            app_state::share_app_state_key(world, &arrival.from);
            return;
        }
        if direction == Direction::Received {
            return;
        }
    }
    display::show(
        world,
        arrival.account,
        &message,
        Place {
            id: Arc::clone(&arrival.id),
            chat: Arc::clone(&arrival.chat),
            from: arrival.from.clone(),
            direction,
            timestamp: arrival.timestamp,
            status: None,
            author: arrival.author.clone(),
        },
    );
}

/// Tells the author that the message was delivered.
fn confirm(world: &Arc<World>, arrival: &Arrival<'_>) {
    if arrival.own() {
        return;
    }
    receipts::relay(world, arrival.receipt(None, Vec::new()));
}

/// The phone as a device.
fn phone_of(account: &Arc<Account>) -> DeviceAddress {
    DeviceAddress {
        account: Arc::clone(account),
        device: 0,
    }
}

/// A receipt for a message of the person's own.
fn receipt(world: &Arc<World>, account: &Arc<Account>, node: &Node) {
    let jid = |key| node.attrs.get(key).and_then(NodeValue::to_jid);
    let Some(chat) = jid("from") else { return };
    let reader = jid("participant").unwrap_or_else(|| chat.clone());
    let Some(from) = world.accounts.device(&reader) else {
        return;
    };
    let Some(id) = node.attrs.get("id").map(NodeValue::as_str) else {
        return;
    };
    let kind = node.attrs.get("type").map(NodeValue::as_str);
    let status = match kind.as_deref() {
        Some("retry") => {
            retry::answer(world, account, &from, reader.server, &id, node);
            return;
        }
        None => Status::Delivered,
        Some("read") => Status::Read,
        Some("played") => Status::Played,
        Some(_) => return,
    };
    let chat = if chat.server == Server::Group {
        chat.to_string()
    } else {
        from.account.jid(Server::Pn).to_string()
    };
    let own = account.jid(Server::Pn).to_string();
    let mut shown = account.phone.shown();
    shown.raise(&chat, &own, &id, status);
    let items = node
        .get_children_by_tag("list")
        .flat_map(|list| list.get_children_by_tag("item"));
    for item in items {
        if let Some(id) = item.attrs.get("id") {
            shown.raise(&chat, &own, &id.as_str(), status);
        }
    }
}

/// The person reads a message. Returns false when there is none with this id
/// from somebody else.
pub(crate) fn read(world: &Arc<World>, account: &Arc<Account>, id: &str) -> bool {
    let (author, chat) = {
        let mut messages = account.phone.shown();
        let Some(shown) = messages.find(id) else {
            return false;
        };
        if shown.direction == Direction::Sent {
            return false;
        }
        shown.read = true;
        (shown.author.clone(), shown.chat.parse::<Jid>().ok())
    };
    let group = chat.filter(|chat| chat.server == Server::Group);
    let (to, participant) = match group {
        Some(group) => (group, Some(author)),
        None => (author, None),
    };
    let receipt = Receipt {
        from: phone_of(account),
        to,
        id: id.to_owned(),
        kind: Some("read".to_owned()),
        participant,
        children: Vec::new(),
    };
    receipts::relay(world, receipt);
    true
}
