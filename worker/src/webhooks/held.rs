//! Chats that wait behind a refused event.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gateway_shared::clock::Millis;

/// Chats that are held, by when their heads are due.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Chat -> due; `None` while its head is out.
    chats: HashMap<Arc<str>, Option<Millis>>,
    due: BTreeSet<(Millis, Arc<str>)>,
}

impl Held {
    pub(super) fn contains(&self, chat: &str) -> bool {
        self.chats.contains_key(chat)
    }

    pub(super) fn len(&self) -> usize {
        self.chats.len()
    }

    /// Holds a chat until a moment.
    pub(super) fn put(&mut self, chat: Arc<str>, due: Millis) {
        if let Some(Some(former)) = self.chats.insert(Arc::clone(&chat), Some(due)) {
            self.due.remove(&(former, Arc::clone(&chat)));
        }
        self.due.insert((due, chat));
    }

    /// Adds chats that this side does not know of: others asked for their deliveries.
    pub(super) fn learn(&mut self, known: HashMap<String, Millis>) {
        for (chat, due) in known {
            if !self.contains(&chat) {
                self.put(chat.into(), due);
            }
        }
    }

    /// A chat is held no more.
    pub(super) fn free(&mut self, chat: &str) {
        if let Some((chat, Some(due))) = self.chats.remove_entry(chat) {
            self.due.remove(&(due, chat));
        }
    }

    /// When the first of them is due.
    pub(super) fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Takes a chat out whose head is due; with `early`, the first one whenever it is due.
    pub(super) fn take(&mut self, now: Millis, early: bool) -> Option<Arc<str>> {
        let (due, _) = self.due.first()?;
        if !early && *due > now {
            return None;
        }
        let (_, chat) = self.due.pop_first()?;
        self.chats.insert(Arc::clone(&chat), None);
        Some(chat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_out_once_and_due_again_when_it_is_put_back() {
        let mut held = Held::default();
        held.put("a".into(), 10);
        held.put("b".into(), 5);
        held.put("a".into(), 20);
        assert_eq!(held.next_due(), Some(5));
        assert_eq!(held.take(4, false), None);
        assert_eq!(held.take(5, false).as_deref(), Some("b"));
        assert_eq!(held.next_due(), Some(20));
        held.learn([("b".to_owned(), 1), ("c".to_owned(), 30)].into());
        assert_eq!(held.take(0, true).as_deref(), Some("a"));
        held.put("b".into(), 40);
        held.free("c");
        assert_eq!((held.next_due(), held.len()), (Some(40), 2));
        held.free("b");
        assert_eq!(held.next_due(), None);
    }
}
