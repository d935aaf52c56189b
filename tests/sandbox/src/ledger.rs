//! The ledger: every message the server accepted, in order.
//!
//! Tests prove with it what went over the wire, and in which order.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use wacore_binary::Jid;

/// What kind of stanza it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// A message to a chat.
    Message,
    /// A copy for one device that asked for it again.
    Retry,
    /// A message among the devices of one account.
    Peer,
}

/// One accepted message stanza.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) id: Box<str>,
    /// The phone number of the sender.
    pub(crate) from_phone: Arc<str>,
    pub(crate) from_device: u16,
    /// The JID of the chat; a person's has the phone number.
    pub(crate) to: Box<str>,
    pub(crate) kind: Kind,
    /// Bytes of the stanza, decrypted.
    pub(crate) size: usize,
    /// Epoch milliseconds.
    pub(crate) time: u64,
    /// How often this sender had this id accepted, from 1.
    pub(crate) attempt: u32,
}

/// One line of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its place among all that were ever accepted, from 1.
    pub(crate) seq: u64,
    pub(crate) accepted: Accepted,
}

impl Entry {
    /// The line as the admin API shows it. JIDs name people by phone number.
    pub(crate) fn show(&self) -> Value {
        let Accepted {
            id,
            from_phone,
            from_device,
            to,
            kind,
            size,
            time,
            attempt,
        } = &self.accepted;
        json!({
            "seq": self.seq,
            "id": id,
            "from": Jid::pn(&**from_phone).with_device(*from_device).to_string(),
            "to": to,
            "kind": kind,
            "size": size,
            "time": time,
            "attempt": attempt,
        })
    }
}

/// Which entries are wanted.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Sent by this phone number.
    pub(crate) from: Option<String>,
    /// Sent to this phone number or JID.
    pub(crate) to: Option<String>,
    pub(crate) id: Option<String>,
    /// Also what the devices of an account say to each other.
    pub(crate) peer: bool,
    /// Only entries after this one.
    pub(crate) after: u64,
    pub(crate) limit: usize,
}

/// All accepted messages, up to a limit; the oldest are forgotten first.
#[derive(Debug)]
pub(crate) struct Ledger {
    limit: usize,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    last: u64,
    entries: VecDeque<Entry>,
    attempts: HashMap<(Arc<str>, Box<str>), u32>,
}

impl Ledger {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            book: Mutex::default(),
        }
    }

    /// Writes a message down and returns which attempt it is.
    pub(crate) fn append(&self, mut accepted: Accepted) -> u32 {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let book = &mut *book;
        let key = (Arc::clone(&accepted.from_phone), accepted.id.clone());
        let attempts = book.attempts.entry(key).or_default();
        *attempts += 1;
        let attempt = *attempts;
        accepted.attempt = attempt;
        book.last += 1;
        book.entries.push_back(Entry {
            seq: book.last,
            accepted,
        });
        if book.entries.len() > self.limit
            && let Some(Entry { accepted, .. }) = book.entries.pop_front()
        {
            let key = (accepted.from_phone, accepted.id);
            if book.attempts.get(&key) == Some(&accepted.attempt) {
                book.attempts.remove(&key);
            }
        }
        attempt
    }

    /// How many messages were ever accepted.
    pub(crate) fn total(&self) -> u64 {
        self.book
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last
    }

    /// The entries that pass the filter, in order.
    pub(crate) fn entries(&self, filter: &Filter) -> Vec<Entry> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = book
            .entries
            .front()
            .map_or(book.last, |entry| entry.seq - 1);
        let skip = usize::try_from(filter.after.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        let is = |wanted: &Option<String>, phone: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == phone)
        };
        book.entries
            .iter()
            .skip(skip)
            .filter(|Entry { accepted, .. }| {
                (filter.peer || accepted.kind != Kind::Peer)
                    && is(&filter.from, &accepted.from_phone)
                    && filter
                        .to
                        .as_deref()
                        .is_none_or(|to| is_chat(to, &accepted.to))
                    && is(&filter.id, &accepted.id)
            })
            .take(filter.limit)
            .cloned()
            .collect()
    }
}

/// Whether a chat is meant by its JID, or by the phone number of the person.
fn is_chat(wanted: &str, chat: &str) -> bool {
    let rest = chat.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest == "@s.whatsapp.net")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(id: &str, from: &str, to: &str) -> Accepted {
        Accepted {
            id: id.into(),
            from_phone: from.into(),
            from_device: 1,
            to: format!("{to}@s.whatsapp.net").into(),
            kind: Kind::Message,
            size: 1,
            time: 0,
            attempt: 0,
        }
    }

    #[test]
    fn counts_attempts_and_filters() {
        let ledger = Ledger::new(3);
        assert_eq!(ledger.append(accepted("A", "1", "2")), 1);
        assert_eq!(ledger.append(accepted("A", "1", "2")), 2);
        assert_eq!(
            ledger.append(accepted("A", "3", "1")),
            1,
            "ids belong to their sender"
        );
        let seqs = |filter: Filter| -> Vec<u64> {
            ledger
                .entries(&Filter {
                    limit: 10,
                    ..filter
                })
                .iter()
                .map(|entry| entry.seq)
                .collect()
        };
        let shown = ledger.entries(&Filter {
            limit: 1,
            ..Filter::default()
        })[0]
            .show();
        assert_eq!(
            (&shown["from"], &shown["to"]),
            (&json!("1:1@s.whatsapp.net"), &json!("2@s.whatsapp.net"))
        );
        assert_eq!(
            seqs(Filter {
                from: Some("1".into()),
                ..Filter::default()
            }),
            [1, 2]
        );
        assert_eq!(
            seqs(Filter {
                to: Some("1".into()),
                ..Filter::default()
            }),
            [3]
        );
        ledger.append(accepted("B", "1", "2"));
        assert_eq!(
            seqs(Filter {
                after: 2,
                ..Filter::default()
            }),
            [3, 4]
        );
        assert_eq!(
            seqs(Filter::default()),
            [2, 3, 4],
            "the oldest is forgotten"
        );
        assert_eq!(ledger.append(accepted("A", "1", "2")), 3);
        assert_eq!(ledger.total(), 5);
    }
}
