//! What waits for one companion device.
//!
//! Every stanza that must not be lost (messages, receipts, notifications) is
//! kept until the device acknowledges it. While the device is connected and has
//! asked for its queue, it is also pushed at once.
//!
//! ```text
//!            login                 <active/>               <offline_batch/>
//! (offline) ───────▶ Waiting ──┬──────────────▶ Previewed ────────────────▶ Open
//!     ▲                        └── nothing queued ─────────────────────────▶ │
//!     └───────────────── disconnect ────────────────────────────────────────┘
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::marshal::unmarshal_ref;
use wacore_binary::{Jid, Node, Server};

use crate::link::{Link, encode};

/// The kinds of stanza a device acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Message,
    Receipt,
    Notification,
    Call,
}

impl Class {
    /// The class that an `<ack>` names.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "message" => Some(Self::Message),
            "receipt" => Some(Self::Receipt),
            "notification" => Some(Self::Notification),
            "call" => Some(Self::Call),
            _ => None,
        }
    }
}

/// The stanzas that wait for one device, and its connection, if it has one.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    pending: BTreeMap<u64, Pending>,
    /// Where the stanzas with a given class, id and type are.
    index: HashMap<Key, Vec<u64>>,
    line: Option<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    class: Class,
    id: Box<str>,
    kind: Box<str>,
}

#[derive(Debug)]
struct Pending {
    key: Key,
    stanza: Bytes,
    /// The device got it on this connection or one before.
    pushed: bool,
    /// An acknowledgement is not heard until it was pushed again.
    deaf: bool,
}

#[derive(Debug)]
struct Line {
    link: Arc<Link>,
    flow: Flow,
}

impl Line {
    fn is(&self, link: &Link) -> bool {
        self.link.id() == link.id()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Waiting,
    Previewed,
    Open,
}

impl Mailbox {
    /// Puts a connection in charge and returns the one it replaces.
    pub(crate) fn attach(&self, link: Arc<Link>) -> Option<Arc<Link>> {
        let line = Line {
            link,
            flow: Flow::Waiting,
        };
        self.lock().line.replace(line).map(|old| old.link)
    }

    /// Forgets a connection that ended, unless another took its place.
    pub(crate) fn detach(&self, link: u64) {
        let mut state = self.lock();
        if state
            .line
            .as_ref()
            .is_some_and(|line| line.link.id() == link)
        {
            state.line = None;
        }
    }

    /// The connection of the device, if it has one.
    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        self.lock().line.as_ref().map(|line| Arc::clone(&line.link))
    }

    /// How many stanzas were not acknowledged yet.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().pending.len()
    }

    /// Keeps a stanza until it is acknowledged and pushes it when the device is
    /// ready for it. Receipts of one message differ by `kind`.
    pub(crate) fn deliver(&self, class: Class, id: &str, kind: &str, node: &Node) {
        self.keep(class, id, kind, node, false);
    }

    /// As [`deliver`](Self::deliver), for a message of which no acknowledgement
    /// is heard before it has come again on another connection.
    pub(crate) fn deliver_unconfirmed(&self, id: &str, node: &Node) {
        self.keep(Class::Message, id, "", node, true);
    }

    fn keep(&self, class: Class, id: &str, kind: &str, node: &Node, deaf: bool) {
        let Some(stanza) = encode(node) else { return };
        let key = Key {
            class,
            id: id.into(),
            kind: kind.into(),
        };
        let mut state = self.lock();
        let position = state.next;
        state.next += 1;
        state.index.entry(key.clone()).or_default().push(position);
        let flow = state.line.as_ref().map(|line| line.flow);
        state.pending.insert(
            position,
            Pending {
                key,
                stanza: stanza.clone(),
                pushed: flow == Some(Flow::Open),
                deaf,
            },
        );
        if let Some(line) = &state.line
            && line.flow == Flow::Open
        {
            line.link.send_encoded(stanza);
        }
    }

    /// Drops what a device has acknowledged: the copy that it has had for
    /// longest. A message that it asked for again comes under the same id, and
    /// the acknowledgement of the first copy says nothing of the second.
    pub(crate) fn settle(&self, class: Class, id: &str, kind: &str) {
        let key = Key {
            class,
            id: id.into(),
            kind: kind.into(),
        };
        let state = &mut *self.lock();
        let Some(positions) = state.index.get_mut(&key) else {
            return;
        };
        let received = |position: &u64| {
            let pending = state.pending.get(position);
            pending.is_some_and(|pending| pending.pushed && !pending.deaf)
        };
        if let Some(first) = positions.iter().position(received) {
            state.pending.remove(&positions.remove(first));
        }
        if positions.is_empty() {
            state.index.remove(&key);
        }
    }

    /// The device is ready: announces the queue, or opens at once when it is
    /// empty. Returns whether it has opened.
    pub(crate) fn announce(&self, link: &Link) -> bool {
        let mut state = self.lock();
        let mut counts = [0_usize; 4];
        for pending in state.pending.values() {
            counts[pending.key.class as usize] += 1;
        }
        let total = state.pending.len();
        link.send(&from_server(
            NodeBuilder::new("offline_preview")
                .attr("count", total)
                .attr("message", counts[Class::Message as usize])
                .attr("receipt", counts[Class::Receipt as usize])
                .attr("notification", counts[Class::Notification as usize])
                .attr("appdata", 0)
                .build(),
        ));
        let Some(line) = state.line.as_mut().filter(|line| line.is(link)) else {
            return false;
        };
        if total > 0 {
            line.flow = Flow::Previewed;
        } else {
            line.flow = Flow::Open;
            link.send(&offline_end(0));
        }
        total == 0
    }

    /// The device asks for its queue: sends all of it and opens.
    ///
    /// The size of batch it asks for is not kept: some clients ask once only,
    /// however long the queue is.
    pub(crate) fn flush(&self, link: &Link) {
        let state = &mut *self.lock();
        let Some(line) = state.line.as_mut().filter(|line| line.is(link)) else {
            return;
        };
        if line.flow != Flow::Previewed {
            return;
        }
        line.flow = Flow::Open;
        for pending in state.pending.values_mut() {
            pending.deaf &= !pending.pushed;
            pending.pushed = true;
            link.send_encoded(mark_offline(&pending.stanza));
        }
        link.send(&offline_end(state.pending.len()));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn offline_end(count: usize) -> Node {
    from_server(NodeBuilder::new("offline").attr("count", count).build())
}

fn from_server(child: Node) -> Node {
    NodeBuilder::new("ib")
        .attr("from", Jid::new("", Server::Pn))
        .children([child])
        .build()
}

/// The stanza with the attribute that tells the client it comes from the queue.
fn mark_offline(stanza: &Bytes) -> Bytes {
    // Marshalled stanzas begin with the flag byte of the frame.
    let Some(Ok(node)) = stanza.get(1..).map(unmarshal_ref) else {
        return stanza.clone();
    };
    let mut node = node.to_owned();
    node.attrs.insert("offline", "0");
    encode(&node).unwrap_or_else(|| stanza.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Outgoing;
    use crate::noise::Pattern;
    use tokio::sync::mpsc;

    fn line(id: u64) -> (Arc<Link>, mpsc::UnboundedReceiver<Outgoing>) {
        let (outbox, sent) = mpsc::unbounded_channel();
        (Arc::new(Link::new(id, Pattern::Xx, outbox)), sent)
    }

    fn sent(outbox: &mut mpsc::UnboundedReceiver<Outgoing>) -> Vec<String> {
        let mut tags = Vec::new();
        while let Ok(Outgoing::Stanza(stanza)) = outbox.try_recv() {
            let node = unmarshal_ref(&stanza[1..]).unwrap().to_owned();
            let inner = node.children().and_then(|children| children.first());
            let offline = node.attrs.contains_key("offline");
            tags.push(format!(
                "{}{}{}",
                node.tag,
                inner
                    .map(|inner| format!("/{}", inner.tag))
                    .unwrap_or_default(),
                if offline { " offline" } else { "" }
            ));
        }
        tags
    }

    fn message(id: &str) -> Node {
        NodeBuilder::new("message").attr("id", id).build()
    }

    #[test]
    fn what_waits_is_announced_then_sent_then_settled() {
        let mailbox = Mailbox::default();
        mailbox.deliver(Class::Message, "A", "", &message("A"));
        let (link, mut outbox) = line(1);
        assert!(mailbox.attach(Arc::clone(&link)).is_none());
        mailbox.deliver(Class::Message, "B", "", &message("B"));
        assert!(
            sent(&mut outbox).is_empty(),
            "nothing is pushed before <active/>"
        );
        mailbox.announce(&link);
        assert_eq!(sent(&mut outbox), ["ib/offline_preview"]);
        mailbox.deliver(Class::Message, "C", "", &message("C"));
        assert!(sent(&mut outbox).is_empty(), "nothing overtakes the queue");
        mailbox.flush(&link);
        let queue = [
            "message offline",
            "message offline",
            "message offline",
            "ib/offline",
        ];
        assert_eq!(sent(&mut outbox), queue);
        mailbox.deliver(Class::Message, "D", "", &message("D"));
        assert_eq!(sent(&mut outbox), ["message"]);
        for id in ["A", "B", "D"] {
            mailbox.settle(Class::Message, id, "");
        }
        assert_eq!(mailbox.waiting(), 1);

        let (second, mut outbox) = line(2);
        assert_eq!(mailbox.attach(Arc::clone(&second)).unwrap().id(), 1);
        mailbox.detach(1);
        assert_eq!(
            mailbox.link().unwrap().id(),
            2,
            "an old connection cannot detach a new one"
        );
        mailbox.announce(&second);
        mailbox.flush(&second);
        assert_eq!(
            sent(&mut outbox),
            ["ib/offline_preview", "message offline", "ib/offline"]
        );
    }

    #[test]
    fn an_empty_queue_opens_at_once() {
        let mailbox = Mailbox::default();
        let (link, mut outbox) = line(1);
        mailbox.attach(Arc::clone(&link));
        mailbox.announce(&link);
        assert_eq!(sent(&mut outbox), ["ib/offline_preview", "ib/offline"]);
        mailbox.deliver(
            Class::Receipt,
            "A",
            "read",
            &NodeBuilder::new("receipt").build(),
        );
        assert_eq!(sent(&mut outbox), ["receipt"]);
        mailbox.settle(Class::Receipt, "A", "");
        assert_eq!(
            mailbox.waiting(),
            1,
            "a delivery receipt is another stanza than a read receipt"
        );
        mailbox.settle(Class::Receipt, "A", "read");
        assert_eq!(mailbox.waiting(), 0);
    }
}
