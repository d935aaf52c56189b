//! The history that a phone sends to a companion it has linked.

use std::sync::Arc;

use buffa::{Message as _, MessageField};
use rand::RngExt as _;
use wacore_binary::Server;
use wacore_binary::node::NodeValue;
use waproto::whatsapp::message::protocol_message::Type;
use waproto::whatsapp::message::{HistorySyncNotification, HistorySyncType, ProtocolMessage};
use waproto::whatsapp::{
    Conversation, HistorySync, Message, PhoneNumberToLIDMapping, Pushname, history_sync,
};

use super::send;
use crate::accounts::{Account, DeviceAddress};
use crate::clock;
use crate::error::PhoneError;
use crate::world::World;

/// Most bytes of a block that is stored as it is.
const BLOCK: usize = 0xffff;

/// Sends the history of an account's chats with `contacts` to a companion. Gives the trusted-contact
/// tokens, in hex, in the order of the contacts.
pub(crate) fn send_history(
    world: &Arc<World>,
    account: &Arc<Account>,
    device: u16,
    contacts: &[Arc<Account>],
) -> Result<Vec<String>, PhoneError> {
    let mut history = HistorySync {
        sync_type: history_sync::HistorySyncType::INITIAL_BOOTSTRAP,
        nct_salt: Some(rand::rng().random::<[u8; 32]>().to_vec()),
        progress: Some(100),
        ..Default::default()
    };
    let mut tokens = Vec::new();
    for contact in contacts {
        let token: [u8; 16] = rand::rng().random();
        tokens.push(hex::encode(token));
        // What it says is true: with this token they let the account in.
        contact.privacy.give(account, token);
        let number = contact.jid(Server::Pn).to_string();
        let lid = contact.jid(Server::Lid).to_string();
        history.conversations.push(Conversation {
            id: number.clone(),
            tc_token: Some(token.to_vec()),
            tc_token_timestamp: Some(clock::now_secs()),
            ..Default::default()
        });
        history.pushnames.push(Pushname {
            id: Some(number.clone()),
            pushname: Some(contact.name().to_string()),
        });
        history
            .phone_number_to_lid_mappings
            .push(PhoneNumberToLIDMapping {
                pn_jid: Some(number),
                lid_jid: Some(lid),
            });
    }
    let notification = HistorySyncNotification {
        sync_type: Some(HistorySyncType::INITIAL_BOOTSTRAP),
        initial_hist_bootstrap_inline_payload: Some(stored(&history.encode_to_vec())),
        progress: Some(100),
        ..Default::default()
    };
    let message = Message {
        protocol_message: MessageField::some(ProtocolMessage {
            r#type: Some(Type::HISTORY_SYNC_NOTIFICATION),
            history_sync_notification: MessageField::some(notification),
            ..Default::default()
        }),
        ..Default::default()
    };
    let attributes = vec![
        ("type".into(), NodeValue::from("text")),
        ("category".into(), NodeValue::from("peer")),
    ];
    let companion = DeviceAddress {
        account: Arc::clone(account),
        device,
    };
    send::to_companion(world, &companion, &message, attributes)?;
    Ok(tokens)
}

/// A zlib stream that holds `bytes` as they are.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = bytes.len().div_ceil(BLOCK).max(1);
    for (index, block) in bytes.chunks(BLOCK).enumerate() {
        stream.push(u8::from(index + 1 == blocks));
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    stream.extend_from_slice(&((high << 16) | low).to_be_bytes());
    stream
}
