//! Who is online, and who is told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, Server};

use crate::accounts::{Account, DeviceAddress};
use crate::clock;
use crate::world::World;

/// Whether one account is online.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The devices that call themselves available; 0 is the phone.
    available: BTreeSet<u16>,
    /// When the last of them ceased to be, in epoch seconds.
    last_seen: Option<u64>,
    /// The devices that asked to be told (phone number and device), each with
    /// the namespace in which it named this account.
    subscribers: BTreeMap<(Arc<str>, u16), Server>,
}

impl Presence {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The `<presence>` that names the account `jid`.
    fn node(&self, jid: Jid) -> Node {
        let node = NodeBuilder::new("presence").attr("from", jid);
        if !self.available.is_empty() {
            return node.attr("type", "available").build();
        }
        let node = node.attr("type", "unavailable");
        match self.last_seen {
            Some(last_seen) => node.attr("last", last_seen),
            None => node.attr("last", "deny"),
        }
        .build()
    }
}

/// One device of an account becomes available, or ceases to be. Subscribers are
/// told when that changes whether the account is online.
pub(crate) fn set(world: &World, device: &DeviceAddress, available: bool) {
    let account = &device.account;
    let mut state = account.presence.lock();
    let online = !state.available.is_empty();
    if available {
        state.available.insert(device.device);
    } else if state.available.remove(&device.device) {
        state.last_seen = Some(clock::now_secs());
    }
    if online != state.available.is_empty() {
        return;
    }
    for ((phone_number, device), namespace) in &state.subscribers {
        let subscriber = world.accounts.by_phone(phone_number);
        let device = subscriber.and_then(|account| account.companion(*device));
        // Presence is of the moment: whoever is not connected misses it.
        if let Some(link) = device.and_then(|device| device.mailbox.link()) {
            link.send(&state.node(account.jid(*namespace)));
        }
    }
}

/// A device asks to be told about an account, and is told the present state.
pub(crate) fn subscribe(account: &Account, subscriber: &DeviceAddress, namespace: Server) {
    let mut state = account.presence.lock();
    let key = (
        Arc::clone(subscriber.account.phone_number()),
        subscriber.device,
    );
    state.subscribers.insert(key, namespace);
    let device = subscriber.account.companion(subscriber.device);
    if let Some(link) = device.and_then(|device| device.mailbox.link()) {
        link.send(&state.node(account.jid(namespace)));
    }
}

/// A device no longer asks to be told.
pub(crate) fn unsubscribe(account: &Account, subscriber: &DeviceAddress) {
    let key = (
        Arc::clone(subscriber.account.phone_number()),
        subscriber.device,
    );
    account.presence.lock().subscribers.remove(&key);
}
