//! What a phone shows: each message once, however often it came.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::Value;
use wacore_binary::Jid;

use super::content::{Change, Effect};

/// How many messages one phone remembers; the oldest are forgotten first.
const LIMIT: usize = 100_000;

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Direction {
    /// Somebody else.
    Received,
    /// The person themself, with this phone or with a companion.
    Sent,
}

/// One message as the person sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// Its place among all that this phone ever showed, from 1.
    pub(crate) seq: u64,
    pub(crate) id: Arc<str>,
    /// The JID of the chat: of the group, or of the other person with the phone
    /// number.
    pub(crate) chat: Arc<str>,
    /// The JID of the author, with the phone number.
    pub(crate) from: Arc<str>,
    pub(crate) from_device: u16,
    pub(crate) direction: Direction,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// The text of a text message; an object for every other type.
    pub(crate) content: Value,
    /// What it quotes and whom it mentions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context: Option<Value>,
    /// When it disappears, where it or its chat says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timer: Option<Timer>,
    /// The server's time, epoch seconds.
    pub(crate) timestamp: u64,
    /// When the first copy was decrypted, epoch milliseconds.
    pub(crate) received_at: u64,
    /// How often the id came over the wire.
    pub(crate) copies: u32,
    /// Whether the person has read it.
    pub(crate) read: bool,
    /// The strongest receipt for a message of the person's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Status>,
    /// The protobuf as it was decrypted, in base64.
    #[serde(serialize_with = "in_base64")]
    pub(crate) raw: Arc<[u8]>,
    /// What others have done to it since.
    #[serde(flatten)]
    pub(super) effects: Option<Box<Effects>>,
    /// Where a receipt for it goes.
    #[serde(skip)]
    pub(crate) author: Jid,
}

/// After how many seconds a message disappears, and how many it should be: where they differ, the
/// person is warned.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Timer {
    pub(super) seconds: u32,
    pub(super) wanted: u32,
}

/// What later messages did to one.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Effects {
    /// The reactions that stand, one from each person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<Reaction>,
    /// The votes that stand, one from each person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    votes: Vec<Vote>,
    /// What its author made of it: type and content.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited: Option<Value>,
    /// Who revoked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_by: Option<Arc<str>>,
}

#[derive(Debug, Clone, Serialize)]
struct Reaction {
    from: Arc<str>,
    emoji: String,
}

#[derive(Debug, Clone, Serialize)]
struct Vote {
    from: Arc<str>,
    options: Vec<String>,
}

fn in_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

/// How far an own message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Status {
    Sent,
    Delivered,
    Read,
    Played,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    chat: Arc<str>,
    from: Arc<str>,
    id: Arc<str>,
}

/// The messages of one phone, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Messages {
    last: u64,
    list: VecDeque<Shown>,
    index: HashMap<Key, u64>,
    undecryptable: u64,
}

impl Messages {
    /// Shows a message, or counts one more copy of one that is shown already.
    /// Returns whether it is new.
    pub(super) fn show(&mut self, mut shown: Shown) -> bool {
        let key = Key {
            chat: Arc::clone(&shown.chat),
            from: Arc::clone(&shown.from),
            id: Arc::clone(&shown.id),
        };
        if let Some(known) = self.index.get(&key).copied().and_then(|seq| self.at(seq)) {
            known.copies += 1;
            return false;
        }
        self.last += 1;
        shown.seq = self.last;
        self.index.insert(key, self.last);
        self.list.push_back(shown);
        if self.list.len() > LIMIT
            && let Some(Shown { chat, from, id, .. }) = self.list.pop_front()
        {
            self.index.remove(&Key { chat, from, id });
        }
        true
    }

    /// Counts a copy that could not be decrypted because it was decrypted
    /// before. Returns whether the message is known.
    pub(super) fn count_copy(&mut self, chat: &str, from: &str, id: &str) -> bool {
        let key = Key {
            chat: chat.into(),
            from: from.into(),
            id: id.into(),
        };
        let known = self.index.get(&key).copied().and_then(|seq| self.at(seq));
        known.map(|known| known.copies += 1).is_some()
    }

    pub(super) fn count_undecryptable(&mut self) {
        self.undecryptable += 1;
    }

    pub(super) fn undecryptable(&self) -> u64 {
        self.undecryptable
    }

    /// The messages after `after` that pass, in order.
    pub(super) fn list(
        &self,
        after: u64,
        limit: usize,
        pass: impl Fn(&Shown) -> bool,
    ) -> Vec<Shown> {
        let forgotten = self.list.front().map_or(self.last, |shown| shown.seq - 1);
        let skip = usize::try_from(after.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        let later = self.list.iter().skip(skip);
        later
            .filter(|shown| pass(shown))
            .take(limit)
            .cloned()
            .collect()
    }

    /// The newest message with this id.
    pub(super) fn find(&mut self, id: &str) -> Option<&mut Shown> {
        self.list.iter_mut().rev().find(|shown| &*shown.id == id)
    }

    /// The newest message of a chat with this id.
    pub(super) fn find_in(&mut self, chat: &str, id: &str) -> Option<&mut Shown> {
        let mut newest_first = self.list.iter_mut().rev();
        newest_first.find(|shown| &*shown.id == id && &*shown.chat == chat)
    }

    /// Does to a message of the chat what `from` wants, unless it is theirs
    /// alone who wrote it. An admin of the group may revoke anybody's.
    pub(super) fn apply(&mut self, chat: &str, from: &Arc<str>, admin: bool, effect: Effect) {
        let Some(shown) = self.find_in(chat, &effect.target) else {
            return;
        };
        let own = shown.from == *from;
        let effects = shown.effects.get_or_insert_default();
        match effect.change {
            Change::Reaction(emoji) => {
                effects.reactions.retain(|reaction| reaction.from != *from);
                if !emoji.is_empty() {
                    let from = Arc::clone(from);
                    effects.reactions.push(Reaction { from, emoji });
                }
            }
            Change::Vote(options) => {
                effects.votes.retain(|vote| vote.from != *from);
                if !options.is_empty() {
                    let from = Arc::clone(from);
                    effects.votes.push(Vote { from, options });
                }
            }
            Change::Edit(edited) if own => effects.edited = Some(edited),
            Change::Revoke if own || admin => effects.revoked_by = Some(Arc::clone(from)),
            Change::Edit(_) | Change::Revoke => {}
        }
    }

    /// Raises the status of an own message.
    pub(super) fn raise(&mut self, chat: &str, own: &str, id: &str, status: Status) {
        let key = Key {
            chat: chat.into(),
            from: own.into(),
            id: id.into(),
        };
        let known = self.index.get(&key).copied().and_then(|seq| self.at(seq));
        if let Some(known) = known
            && known.status.is_none_or(|present| present < status)
        {
            known.status = Some(status);
        }
    }

    fn at(&mut self, seq: u64) -> Option<&mut Shown> {
        let first = self.list.front()?.seq;
        self.list
            .get_mut(usize::try_from(seq.checked_sub(first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(id: &str, from: &str, text: &str) -> Shown {
        Shown {
            seq: 0,
            id: id.into(),
            chat: "1".into(),
            from: from.into(),
            from_device: 0,
            direction: Direction::Received,
            kind: "text",
            content: text.into(),
            context: None,
            timer: None,
            timestamp: 0,
            received_at: 0,
            copies: 1,
            read: false,
            status: None,
            raw: Arc::default(),
            effects: None,
            author: Jid::pn("1"),
        }
    }

    #[test]
    fn later_messages_change_what_they_are_about() {
        let mut messages = Messages::default();
        messages.show(shown("A", "1", "first"));
        let mut apply = |from: &str, change: Change| {
            let target = "A".to_owned();
            messages.apply(
                "1",
                &from.into(),
                from == "admin",
                Effect { target, change },
            );
            serde_json::to_value(&messages.list(0, 1, |_| true)[0]).unwrap()
        };
        apply("2", Change::Reaction("👍".to_owned()));
        apply("3", Change::Reaction("👎".to_owned()));
        apply("2", Change::Reaction(String::new()));
        let shown = apply("2", Change::Edit("not mine".into()));
        assert_eq!(
            shown["reactions"],
            serde_json::json!([{ "from": "3", "emoji": "👎" }])
        );
        assert!(shown.get("edited").is_none() && shown.get("votes").is_none());
        apply("2", Change::Vote(vec!["a".to_owned()]));
        let shown = apply("2", Change::Vote(vec!["b".to_owned()]));
        assert_eq!(
            shown["votes"],
            serde_json::json!([{ "from": "2", "options": ["b"] }])
        );
        assert_eq!(apply("1", Change::Edit("mine".into()))["edited"], "mine");
        assert!(apply("2", Change::Revoke).get("revokedBy").is_none());
        assert_eq!(apply("1", Change::Revoke)["revokedBy"], "1");
        assert_eq!(apply("admin", Change::Revoke)["revokedBy"], "admin");
    }

    #[test]
    fn a_message_is_shown_once_and_its_copies_counted() {
        let mut messages = Messages::default();
        assert!(messages.show(shown("A", "1", "first")));
        assert!(!messages.show(shown("A", "1", "second")));
        assert!(messages.show(shown("A", "2", "another author")));
        assert!(messages.count_copy("1", "1", "A"));
        assert!(!messages.count_copy("1", "1", "B"));
        let list = messages.list(0, 10, |_| true);
        assert_eq!(list.len(), 2);
        assert_eq!(
            (list[0].copies, list[0].content.as_str()),
            (3, Some("first"))
        );
        assert_eq!(messages.list(1, 10, |_| true)[0].seq, 2);
        messages.raise("1", "2", "A", Status::Read);
        messages.raise("1", "2", "A", Status::Delivered);
        assert_eq!(messages.list(1, 1, |_| true)[0].status, Some(Status::Read));
    }
}
