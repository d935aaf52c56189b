//! Frames whose acknowledgement the library queues before it has looked into them.
//!
//! A post to a status, or in a channel, is acknowledged as soon as it stands in the queue of its chat,
//! whatever becomes of it there. What is acknowledged is not delivered again, so nothing is written to
//! WhatsApp from its arrival until it is committed ([`super::ack_gate`]). Where it turns out to be
//! nothing that is told, or could not be decrypted, a limit of time lets the frames go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wacore::types::message::MessageInfo;
use wacore_binary::node::ValueRef;
use wacore_binary::{Jid, JidExt as _, NodeRef};

use super::ack_gate::{ReceivedFacts, Ticket};

/// For how long at most frames wait for one that arrived. The library's own flush in an offline drain
/// comes after three seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// What arrived and is not committed.
pub(super) struct Arrivals {
    recorded: Arc<ReceivedFacts>,
    waiting: Arc<Mutex<HashMap<(Jid, String), Ticket>>>,
}

impl Arrivals {
    pub(super) fn new(recorded: &Arc<ReceivedFacts>) -> Self {
        Self {
            recorded: Arc::clone(recorded),
            waiting: Arc::default(),
        }
    }

    /// A stanza arrived, before anything is made of it.
    pub(super) fn arrived(&self, node: &NodeRef<'_>, stories: bool) {
        let Some(key) = post(node, stories) else {
            return;
        };
        let ticket = self.recorded.hold();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = waiting.insert(key.clone(), ticket) {
            self.recorded.release(before);
        }
        drop(waiting);
        let (recorded, all) = (Arc::clone(&self.recorded), Arc::clone(&self.waiting));
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            let mut waiting = all.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.get(&key) == Some(&ticket) {
                waiting.remove(&key);
                recorded.release(ticket);
                tracing::debug!(id = key.1, "nothing became of a post");
            }
        });
    }

    /// It is committed, or there is nothing to commit.
    pub(super) fn committed(&self, info: &MessageInfo) {
        let key = (info.source.chat.to_non_ad(), info.id.clone());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ticket) = waiting.remove(&key) {
            self.recorded.release(ticket);
        }
    }

    /// The connection is gone: what waited on it comes again or is fetched.
    pub(super) fn clear(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, ticket) in waiting.drain() {
            self.recorded.release(ticket);
        }
    }
}

/// The chat and id of a post to a channel, or to a status where these are wanted.
fn post(node: &NodeRef<'_>, stories: bool) -> Option<(Jid, String)> {
    if !matches!(node.tag.as_ref(), "message" | "status") {
        return None;
    }
    let from = node.get_attr("from").and_then(ValueRef::to_jid)?;
    let is_post = from.is_newsletter() || (stories && from.is_status_broadcast());
    if !is_post {
        return None;
    }
    let id = node.get_attr("id")?.as_str().into_owned();
    Some((from.to_non_ad(), id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore_binary::builder::NodeBuilder;

    #[test]
    fn posts_are_held_and_nothing_else_is() {
        let node = |tag: &'static str, from: &str| {
            NodeBuilder::new(tag)
                .attr("from", from)
                .attr("id", "A")
                .build()
        };
        let held = |tag: &'static str, from: &str, stories: bool| {
            post(&node(tag, from).as_node_ref(), stories).is_some()
        };
        assert!(held("message", "120363260670839366@newsletter", false));
        assert!(held("message", "status@broadcast", true));
        assert!(held("status", "status@broadcast", true));
        assert!(!held("message", "status@broadcast", false));
        assert!(!held("message", "15550000002@s.whatsapp.net", true));
        assert!(!held("receipt", "status@broadcast", true));
    }
}
