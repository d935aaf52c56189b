//! Companion devices, and how others learn of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, Server};

use crate::accounts::{Account, DeviceAddress};
use crate::chat_state;
use crate::clock;
use crate::mailbox::{Class, Mailbox};
use crate::pairing::Listed;
use crate::prekeys::PreKeys;
use crate::world::World;

/// A linked companion.
#[derive(Debug)]
pub(crate) struct Device {
    /// Its number within the account; never 0, which is the phone.
    pub(crate) id: u16,
    /// Its number in the account's signed list.
    pub(crate) key_index: u32,
    /// The Noise key that proves it at login.
    pub(crate) noise_key: [u8; 32],
    /// Its signed identity, as it returned it when it was linked.
    pub(crate) identity_proof: Vec<u8>,
    pub(crate) prekeys: PreKeys,
    /// How the phone lists it.
    pub(crate) listed: Listed,
    /// What waits for it.
    pub(crate) mailbox: Mailbox,
    /// Who typed to it lately while it was not connected.
    pub(crate) chat_states: chat_state::Kept,
    app_state_key_sent: AtomicBool,
}

impl Device {
    pub(crate) fn new(
        id: u16,
        key_index: u32,
        noise_key: [u8; 32],
        identity_proof: Vec<u8>,
        prekeys: PreKeys,
        listed: Listed,
    ) -> Self {
        Self {
            id,
            key_index,
            noise_key,
            identity_proof,
            prekeys,
            listed,
            mailbox: Mailbox::default(),
            chat_states: chat_state::Kept::default(),
            app_state_key_sent: AtomicBool::new(false),
        }
    }

    /// True the first time only: the phone shares its app-state key once.
    pub(crate) fn claim_app_state_key(&self) -> bool {
        !self.app_state_key_sent.swap(true, Ordering::AcqRel)
    }
}

/// What happened to a device list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Removed,
}

/// Tells the account's own companions and everyone who knows its device list
/// that a companion came or went.
pub(crate) fn announce(
    world: &Arc<World>,
    account: &Arc<Account>,
    device: &Device,
    change: Change,
) {
    let own = account
        .companions()
        .into_iter()
        .filter(|other| other.id != device.id);
    let watching = account
        .watchers()
        .into_iter()
        .filter(|watcher| watcher != account.phone_number())
        .filter_map(|watcher| world.accounts.by_phone(&watcher))
        .flat_map(|watcher| watcher.companions());
    for companion in own.chain(watching) {
        let id = world.stanza_id();
        let node = notification(&id, account, device, change);
        companion
            .mailbox
            .deliver(Class::Notification, &id, "", &node);
    }
}

fn notification(id: &str, account: &Arc<Account>, device: &Device, change: Change) -> Node {
    let address = DeviceAddress {
        account: Arc::clone(account),
        device: device.id,
    };
    let (key_index_list, signed_at) = account.key_index_list();
    let tag = match change {
        Change::Added => "add",
        Change::Removed => "remove",
    };
    NodeBuilder::new("notification")
        .attr("from", account.jid(Server::Pn))
        .attr("lid", account.jid(Server::Lid))
        .attr("type", "devices")
        .attr("id", id)
        .attr("t", clock::now_secs())
        .children([NodeBuilder::new(tag)
            .children([
                NodeBuilder::new("device")
                    .attr("jid", address.jid(Server::Pn))
                    .attr("lid", address.jid(Server::Lid))
                    .attr("key-index", device.key_index)
                    .build(),
                NodeBuilder::new("key-index-list")
                    .attr("ts", signed_at)
                    .bytes(key_index_list.to_vec())
                    .build(),
            ])
            .build()])
        .build()
}
