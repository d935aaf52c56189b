//! How often the connection of a handle became doubtful.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the times a write ended without a reply.
///
/// A connection that breaks can leave a write in a socket buffer, from where it reaches Redis
/// *after* the same record was written again over a new connection, and so bring an older ratchet
/// back: message keys would be used twice. Therefore every write carries a term. A write that ends
/// without a reply (an error, or its future was dropped) begins a new term, Redis remembers the
/// latest term it saw, and refuses a write of an older one. A write that is refused that way while
/// somebody still waits for it is done again under the new term.
#[derive(Debug)]
pub(super) struct WriteGeneration(AtomicU64);

impl WriteGeneration {
    pub(super) fn new(term: u64) -> Self {
        Self(AtomicU64::new(term))
    }

    /// The present term.
    pub(super) fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Goes on to `term`, if it is later.
    pub(super) fn raise(&self, term: u64) {
        self.0.fetch_max(term, Ordering::AcqRel);
    }

    /// Begins a write in the present term.
    pub(super) fn begin(&self) -> PendingWrite<'_> {
        PendingWrite {
            owner: self,
            term: self.now(),
            resolved: false,
        }
    }
}

/// A write without a reply yet; dropped in that state it begins a new term.
pub(super) struct PendingWrite<'a> {
    owner: &'a WriteGeneration,
    term: u64,
    resolved: bool,
}

impl PendingWrite<'_> {
    pub(super) fn term(&self) -> u64 {
        self.term
    }

    /// The reply is here.
    pub(super) fn resolve(mut self) {
        self.resolved = true;
    }
}

impl Drop for PendingWrite<'_> {
    fn drop(&mut self) {
        if !self.resolved {
            self.owner.raise(self.term + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_without_a_reply_begins_a_new_term() {
        let term = WriteGeneration::new(4);
        term.begin().resolve();
        assert_eq!(term.now(), 4);
        let (one, two) = (term.begin(), term.begin());
        drop(one);
        assert_eq!(term.now(), 5);
        drop(two);
        assert_eq!(term.now(), 5, "both were of the same term");
    }
}
