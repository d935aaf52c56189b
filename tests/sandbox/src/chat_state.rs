//! Typing and recording: shown to whoever is connected, and for a short while
//! to whoever connects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::ValueRef;
use wacore_binary::{Node, NodeRef};

use crate::client::Session;
use crate::link::Link;

/// A state is of no interest after this long. A client that is still typing
/// says so again before.
const FRESH: Duration = Duration::from_secs(3);

/// The newest state of each chat of a device that was not connected, by sender.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    states: Mutex<BTreeMap<Arc<str>, (Instant, Node)>>,
}

impl Kept {
    fn keep(&self, sender: &Arc<str>, state: Node) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|_, (since, _)| since.elapsed() < FRESH);
        states.insert(Arc::clone(sender), (Instant::now(), state));
    }

    /// Sends what is still of interest to a device that has just connected.
    pub(crate) fn flush(&self, link: &Link) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        for (since, state) in std::mem::take(&mut *states).into_values() {
            if since.elapsed() < FRESH {
                link.send(&state);
            }
        }
    }
}

/// Brings a `<chatstate>` to the other person's companions; their phone notes it.
pub(crate) fn relay(session: &Session, node: &NodeRef<'_>) {
    let Some(to) = node.get_attr("to").and_then(ValueRef::to_jid) else {
        return;
    };
    let Some(account) = session.world.accounts.resolve(&to) else {
        return;
    };
    let sender = &session.address.account;
    let state = node.children().unwrap_or_default();
    if let Some(state) = state.first() {
        let from = sender.phone_number();
        account.phone.sees_typing(from, state.tag.as_ref());
    }
    let state = NodeBuilder::new("chatstate")
        .attr("from", sender.jid(to.server))
        .children(state.iter().map(NodeRef::to_owned))
        .build();
    for device in account.companions() {
        match device.mailbox.link() {
            Some(link) => link.send(&state),
            None => device
                .chat_states
                .keep(sender.phone_number(), state.clone()),
        }
    }
}
