//! The facts of a link, in their order.

use tokio::sync::mpsc;

use super::observe::RECEIPTS_AT_ONCE;
use crate::link::{Fact, ReceiptFact};

/// What a link has told and nobody has looked at yet.
pub(super) struct Facts {
    emitted: mpsc::UnboundedReceiver<Fact>,
    /// A fact that was read ahead.
    ahead: Option<Fact>,
}

impl Facts {
    /// What the link says into the sender, and the facts.
    pub(super) fn channel() -> (mpsc::UnboundedSender<Fact>, Self) {
        let (tell, emitted) = mpsc::unbounded_channel();
        (
            tell,
            Self {
                emitted,
                ahead: None,
            },
        )
    }

    /// The next fact; `None` after the last. Dropping it loses nothing.
    pub(super) async fn next(&mut self) -> Option<Fact> {
        match self.ahead.take() {
            Some(fact) => Some(fact),
            None => self.emitted.recv().await,
        }
    }

    /// The receipts that have come already, from `first` on. Recipients answer in crowds, and one
    /// call for many of them costs little more than one for one. The fact after them is read
    /// ahead.
    pub(super) fn receipts(&mut self, first: ReceiptFact) -> Vec<ReceiptFact> {
        let mut receipts = vec![first];
        while receipts.len() < RECEIPTS_AT_ONCE && self.ahead.is_none() {
            match self.emitted.try_recv() {
                Ok(Fact::Receipt(receipt)) => receipts.push(receipt),
                Ok(other) => self.ahead = Some(other),
                // The end of the facts is told by the next look at them.
                Err(_) => break,
            }
        }
        receipts
    }
}
