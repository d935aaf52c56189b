//! Events that were read and are not settled yet, chat by chat.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use gateway_shared::domain::DeliveryId;
use gateway_shared::events::{Event, Place};

/// An event to be delivered.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: DeliveryId,
    pub(super) chat: Arc<str>,
    pub(super) event: Arc<Event>,
    pub(super) body: Bytes,
}

/// Events in the order in which they were read. At most one of a chat is out at a time; those that
/// are out stay counted until they are settled.
#[derive(Debug)]
pub(super) struct Queue {
    chats: HashMap<Arc<str>, VecDeque<Item>>,
    out: HashSet<Arc<str>>,
    ready: VecDeque<Arc<str>>,
    waiting: usize,
    /// Places read after the cursor, and whether they are settled.
    places: BTreeMap<Place, bool>,
    cursor: Place,
    read: Place,
}

impl Queue {
    /// Nothing was read after this place.
    pub(super) fn after(cursor: Place) -> Self {
        Self {
            chats: HashMap::new(),
            out: HashSet::new(),
            ready: VecDeque::new(),
            waiting: 0,
            places: BTreeMap::new(),
            cursor,
            read: cursor,
        }
    }

    /// How far was read.
    pub(super) fn read(&self) -> Place {
        self.read
    }

    /// Every event up to here is settled.
    pub(super) fn cursor(&self) -> Place {
        self.cursor
    }

    /// Events that wait to go out.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Events read after the cursor.
    pub(super) fn span(&self) -> usize {
        self.places.len()
    }

    /// Adds an event that was read.
    pub(super) fn push(&mut self, item: Item) {
        let chat = Arc::clone(&item.chat);
        self.read = self.read.max(item.event.place);
        self.places.insert(item.event.place, false);
        let items = self.chats.entry(Arc::clone(&chat)).or_default();
        items.push_back(item);
        self.waiting += 1;
        if items.len() == 1 && !self.out.contains(&chat) {
            self.ready.push_back(chat);
        }
    }

    /// Reading has come so far; whatever was not pushed is settled by itself.
    pub(super) fn has_read(&mut self, place: Place) {
        self.read = self.read.max(place);
        self.advance();
    }

    /// The next event to go out.
    pub(super) fn next(&mut self) -> Option<Item> {
        while let Some(chat) = self.ready.pop_front() {
            let Some(item) = self.chats.get_mut(&chat).and_then(VecDeque::pop_front) else {
                continue;
            };
            self.waiting -= 1;
            self.out.insert(chat);
            return Some(item);
        }
        None
    }

    /// An event that went out comes back to its place; other chats go first.
    pub(super) fn back(&mut self, item: Item) {
        let chat = Arc::clone(&item.chat);
        self.out.remove(&chat);
        self.chats
            .entry(Arc::clone(&chat))
            .or_default()
            .push_front(item);
        self.waiting += 1;
        self.ready.push_back(chat);
    }

    /// An event that went out is settled.
    pub(super) fn settled(&mut self, item: &Item) {
        self.out.remove(&item.chat);
        match self.chats.get(&item.chat) {
            Some(items) if !items.is_empty() => self.ready.push_back(Arc::clone(&item.chat)),
            _ => {
                self.chats.remove(&item.chat);
            }
        }
        self.settle(item.event.place);
    }

    /// The chat of an event that went out is held: what waits behind it, which is settled with it.
    pub(super) fn hold(&mut self, item: &Item) -> VecDeque<Item> {
        self.out.remove(&item.chat);
        let behind = self.chats.remove(&item.chat).unwrap_or_default();
        self.waiting -= behind.len();
        self.settle(item.event.place);
        for item in &behind {
            self.settle(item.event.place);
        }
        behind
    }

    fn settle(&mut self, place: Place) {
        if let Some(settled) = self.places.get_mut(&place) {
            *settled = true;
        }
        self.advance();
    }

    fn advance(&mut self) {
        while let Some(first) = self.places.first_entry() {
            if !first.get() {
                self.cursor = self.cursor.max(first.key().before());
                return;
            }
            self.cursor = self.cursor.max(*first.key());
            first.remove();
        }
        self.cursor = self.read;
    }
}

#[cfg(test)]
mod tests {
    use gateway_shared::domain::{OrganizationId, WebhookId};
    use gateway_shared::events::EventIds;
    use gateway_shared::webhooks::DeliveryIds;

    use super::*;

    fn place(millis: u64) -> Place {
        Place {
            millis,
            sequence: 0,
        }
    }

    fn item(chat: &str, millis: u64) -> Item {
        let place = place(millis);
        let event = Event {
            place,
            id: EventIds::of(&OrganizationId::generate(1)).id(place),
            kind: "message".to_owned(),
            session: String::new(),
            json: String::new(),
        };
        Item {
            id: DeliveryIds::of(&WebhookId::generate(1)).id(place),
            chat: chat.into(),
            event: Arc::new(event),
            body: Bytes::new(),
        }
    }

    fn queue() -> Queue {
        let mut queue = Queue::after(place(1));
        for (chat, millis) in [("a", 2), ("a", 3), ("b", 4), ("a", 6)] {
            queue.push(item(chat, millis));
        }
        queue
    }

    fn millis(item: Option<Item>) -> Option<u64> {
        item.map(|item| item.event.place.millis)
    }

    #[test]
    fn one_of_a_chat_at_a_time_and_in_order() {
        let mut queue = queue();
        let first = queue.next().unwrap();
        assert_eq!(first.event.place, place(2));
        assert_eq!(millis(queue.next()), Some(4));
        assert_eq!(millis(queue.next()), None);
        queue.settled(&first);
        let second = queue.next().unwrap();
        assert_eq!(second.event.place, place(3));
        // It comes back to its place.
        queue.back(second);
        assert_eq!(millis(queue.next()), Some(3));
        assert_eq!(queue.waiting(), 1);
    }

    #[test]
    fn the_cursor_stays_before_what_is_not_settled() {
        let mut queue = queue();
        let a = queue.next().unwrap();
        let b = queue.next().unwrap();
        queue.settled(&b);
        assert_eq!(queue.cursor(), place(2).before());
        queue.settled(&a);
        assert_eq!(queue.cursor(), place(3).before());
        let a = queue.next().unwrap();
        queue.settled(&a);
        // The event at 4 was settled already, the one at 6 waits.
        assert_eq!(queue.cursor(), place(6).before());
        let a = queue.next().unwrap();
        queue.settled(&a);
        assert_eq!(queue.cursor(), place(6));
        queue.has_read(place(9));
        assert_eq!((queue.cursor(), queue.span()), (place(9), 0));
    }

    #[test]
    fn a_held_chat_takes_what_is_behind_with_it() {
        let mut queue = queue();
        let a = queue.next().unwrap();
        let behind = queue.hold(&a);
        assert_eq!(behind.len(), 2);
        assert_eq!(queue.waiting(), 1);
        assert_eq!(queue.cursor(), place(4).before());
        let b = queue.next().unwrap();
        queue.settled(&b);
        assert_eq!(queue.cursor(), place(6));
        assert!(queue.next().is_none());
    }
}
