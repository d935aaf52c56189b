//! The lane as a plain data structure: what the scripts must amount to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use gateway_shared::clock::Millis;
use gateway_shared::domain::{Limits, OutboxId, SendStatus};
use gateway_shared::lane::{Budget, RateState};

use crate::world::jid;

/// Two groups and a person.
pub(crate) const CHATS: [&str; 3] = ["a", "b", "p"];
const PERSON: usize = 2;
const URGENCY: i64 = 1_000_000_000_000_000;

/// An accepted send.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: OutboxId,
    pub(crate) wa: String,
    pub(crate) chat: usize,
    pub(crate) urgent: bool,
    pub(crate) seq: i64,
    pub(crate) attempts: u32,
    pub(crate) expires: Millis,
    pub(crate) send_at: Millis,
    pub(crate) history: Vec<SendStatus>,
    /// Epochs of the owners that vanished with it in flight.
    pub(crate) suspects: Vec<u64>,
    /// An attempt was made that nobody answered.
    pub(crate) unsure: bool,
}

impl Entry {
    pub(crate) fn status(&self) -> SendStatus {
        self.history[self.history.len() - 1]
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Chat {
    /// Places and entries in order; what ended behind the head, or was retried, stays.
    pub(crate) list: VecDeque<(i64, usize)>,
    pub(crate) ready: Option<i64>,
    pub(crate) delayed: Option<Millis>,
}

/// The lane.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) now: Millis,
    pub(crate) entries: Vec<Entry>,
    pub(crate) chats: [Chat; 3],
    pub(crate) flying: BTreeSet<usize>,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    pub(crate) owner_pause: Millis,
    pub(crate) operator_pause: Millis,
    pub(crate) new_chats_until: Millis,
    known: BTreeSet<usize>,
    seq: i64,
}

impl Model {
    pub(crate) fn new(now: Millis, limits: Limits) -> Self {
        Self {
            now,
            entries: Vec::new(),
            chats: Default::default(),
            flying: BTreeSet::new(),
            limits,
            budget: Budget::new(limits, RateState::default()),
            owner_pause: 0,
            operator_pause: 0,
            new_chats_until: 0,
            known: BTreeSet::new(),
            seq: 0,
        }
    }

    pub(crate) fn waits(&self, index: usize) -> bool {
        use SendStatus::{Queued, Scheduled, Sending};
        matches!(self.entries[index].status(), Scheduled | Queued | Sending)
            && !self.flying.contains(&index)
    }

    pub(crate) fn waiting(&self) -> Vec<usize> {
        (0..self.entries.len())
            .filter(|index| self.waits(*index))
            .collect()
    }

    fn urgent_of(&self, chat: usize) -> usize {
        let urgent =
            |index: &usize| self.entries[*index].urgent && self.entries[*index].chat == chat;
        self.waiting().iter().filter(|index| urgent(index)).count()
    }

    /// How many sends would go before and with a new urgent one of this chat.
    pub(crate) fn cells(&self, chat: usize) -> u32 {
        let urgent: usize = (0..CHATS.len()).map(|chat| self.urgent_of(chat)).sum();
        let list = &self.chats[chat].list;
        let flies = list
            .front()
            .is_some_and(|(_, head)| self.flying.contains(head));
        let in_chat = list
            .len()
            .saturating_sub(self.urgent_of(chat) + usize::from(flies));
        u32::try_from(urgent + in_chat + 1).unwrap()
    }

    pub(crate) fn paused_until(&self) -> Option<Millis> {
        Some(self.owner_pause.max(self.operator_pause)).filter(|until| *until > self.now)
    }

    pub(crate) fn accept(&mut self, mut entry: Entry) {
        let scheduled = entry.send_at > self.now;
        entry.urgent &= !scheduled;
        entry.history = vec![if scheduled {
            SendStatus::Scheduled
        } else {
            SendStatus::Queued
        }];
        self.seq += 1;
        entry.seq = self.seq;
        self.entries.push(entry);
        if !scheduled {
            self.enqueue(self.entries.len() - 1);
        }
    }

    fn place_last(&mut self, index: usize) {
        self.seq += 1;
        self.entries[index].seq = self.seq;
        self.enqueue(index);
    }

    fn enqueue(&mut self, index: usize) {
        let chat = self.entries[index].chat;
        self.chats[chat]
            .list
            .push_back((self.entries[index].seq, index));
        if self.chats[chat].list.len() == 1 {
            self.make_ready(chat);
        } else if self.entries[index].urgent
            && let Some(score) = self.chats[chat].ready
            && score >= 0
        {
            self.chats[chat].ready = Some(score - URGENCY);
        }
    }

    fn make_ready(&mut self, chat: usize) {
        let head = self.chats[chat].list.front();
        let hurry = if self.urgent_of(chat) > 0 { URGENCY } else { 0 };
        self.chats[chat].ready = head.map(|(seq, _)| seq - hurry);
    }

    fn leave_chat(&mut self, index: usize) {
        let chat = self.entries[index].chat;
        if self.chats[chat].list.front() == Some(&(self.entries[index].seq, index)) {
            self.chats[chat].list.pop_front();
            self.chats[chat].delayed = None;
            self.make_ready(chat);
        }
    }

    /// Ends a wait or a flight with these statuses.
    pub(crate) fn end(&mut self, index: usize, statuses: &[SendStatus]) {
        self.flying.remove(&index);
        self.entries[index].history.extend(statuses);
        self.entries[index].suspects.clear();
        if statuses.contains(&SendStatus::Sent) && self.entries[index].chat == PERSON {
            self.known.insert(PERSON);
        }
        self.leave_chat(index);
    }

    /// Settles what is in flight as to be tried again at this time.
    pub(crate) fn retry(&mut self, index: usize, at: Millis, most: u32) {
        if self.entries[index].attempts >= most {
            return self.end(index, &[SendStatus::Failed]);
        }
        self.flying.remove(&index);
        self.entries[index].suspects.clear();
        self.chats[self.entries[index].chat].delayed = Some(at);
    }

    /// A failed entry turns out to have arrived.
    pub(crate) fn correct(&mut self, index: usize, statuses: &[SendStatus]) {
        self.entries[index].history.extend(statuses);
        if self.entries[index].chat == PERSON {
            self.known.insert(PERSON);
        }
    }

    /// Puts what is in flight back to its place, the attempt not counted.
    pub(crate) fn release(&mut self, index: usize) {
        self.flying.remove(&index);
        self.entries[index].attempts -= 1;
        self.make_ready(self.entries[index].chat);
    }

    /// Takes back what an owner had in flight that vanished under this epoch.
    pub(crate) fn vanished(&mut self, index: usize, epoch: u64, most: usize) {
        self.entries[index].suspects.push(epoch);
        let owners = self.entries[index].suspects.len();
        if owners >= most {
            self.entries[index].attempts -= 1;
            self.end(index, &[SendStatus::Failed]);
        } else {
            self.release(index);
            if owners > 1 {
                let chat = &mut self.chats[self.entries[index].chat];
                (chat.ready, chat.delayed) = (None, Some(self.now));
            }
        }
    }

    /// The owner of this epoch lives.
    pub(crate) fn survived(&mut self, epoch: u64) {
        for entry in &mut self.entries {
            entry.suspects.retain(|owner| *owner != epoch);
        }
    }

    /// Queues a failed entry once more.
    pub(crate) fn retry_failed(&mut self, index: usize, expires: Millis) {
        let entry = &mut self.entries[index];
        entry.history.push(SendStatus::Queued);
        (entry.attempts, entry.urgent, entry.expires) = (0, false, expires);
        self.place_last(index);
    }

    /// An operator lets everything go on.
    pub(crate) fn resume(&mut self) {
        (self.operator_pause, self.owner_pause) = (0, 0);
        for chat in 0..CHATS.len() {
            if self.new_chats_until > 0 && self.chats[chat].delayed == Some(self.new_chats_until) {
                self.chats[chat].delayed = None;
                self.make_ready(chat);
            }
        }
        self.new_chats_until = 0;
    }

    /// Whether a chat must wait, because it is new and new ones are held.
    pub(crate) fn is_held(&self, chat: usize) -> bool {
        chat == PERSON && !self.known.contains(&chat) && self.new_chats_until > self.now
    }

    pub(crate) fn waiting_by_expiry(&self) -> Vec<usize> {
        let mut waiting = self.waiting();
        waiting.sort_by_key(|i| (self.entries[*i].expires, self.entries[*i].seq));
        waiting
    }

    /// Nothing waits any more, so the chats hold nothing but what ended.
    pub(crate) fn forget_tombstones(&mut self) {
        self.chats = Default::default();
    }

    /// As the index of what waits has them: ids break its ties.
    pub(crate) fn waiting_as_kept(&self) -> Vec<usize> {
        let mut waiting = self.waiting();
        waiting.sort_by_key(|i| (self.entries[*i].expires, self.entries[*i].id.clone()));
        waiting
    }

    pub(crate) fn expire(&mut self) {
        for index in self.waiting_by_expiry() {
            if self.entries[index].expires <= self.now {
                self.end(index, &[SendStatus::Failed]);
            }
        }
    }

    /// What falls due by now.
    pub(crate) fn fall_due(&mut self) {
        self.expire();
        let mut due = self.waiting();
        due.retain(|index| {
            let entry = &self.entries[*index];
            entry.status() == SendStatus::Scheduled && entry.send_at <= self.now
        });
        due.sort_by_key(|index| {
            let entry = &self.entries[*index];
            (entry.send_at, entry.seq)
        });
        for index in due {
            self.entries[index].history.push(SendStatus::Queued);
            self.place_last(index);
        }
        for chat in 0..CHATS.len() {
            if self.chats[chat].delayed.is_some_and(|at| at <= self.now) {
                self.chats[chat].delayed = None;
                self.make_ready(chat);
            }
        }
    }

    /// Claims at most so many; what is claimed, in order.
    pub(crate) fn claim(&mut self, most: u32) -> Vec<usize> {
        let mut claimed = Vec::new();
        if self.paused_until().is_some() {
            return claimed;
        }
        while claimed.len() < most as usize {
            let first = |chat: &usize| self.chats[*chat].ready.map(|score| (score, *chat));
            let Some((_, chat)) = (0..CHATS.len()).filter_map(|chat| first(&chat)).min() else {
                break;
            };
            self.chats[chat].ready = None;
            while let Some((seq, head)) = self.chats[chat].list.front().copied() {
                if !self.waits(head) || self.entries[head].seq != seq {
                    self.chats[chat].list.pop_front();
                    continue;
                }
                if self.is_held(chat) {
                    self.chats[chat].delayed = Some(self.new_chats_until);
                    break;
                }
                let entry = &mut self.entries[head];
                entry.attempts += 1;
                if entry.status() != SendStatus::Sending {
                    entry.history.push(SendStatus::Sending);
                }
                self.flying.insert(head);
                claimed.push(head);
                break;
            }
        }
        claimed
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.chats.iter().any(|chat| chat.ready.is_some())
    }

    /// When the next thing falls due.
    pub(crate) fn due(&self) -> Option<Millis> {
        let waiting = self.waiting();
        let delays = self.chats.iter().filter_map(|chat| chat.delayed);
        let expiries = waiting.iter().map(|index| self.entries[*index].expires);
        let schedules = waiting
            .iter()
            .filter(|index| self.entries[**index].status() == SendStatus::Scheduled)
            .map(|index| self.entries[*index].send_at);
        delays.chain(expiries).chain(schedules).min()
    }

    /// All of it as text, the way the script of [`super::audit`] writes what Redis holds.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let waiting = self.waiting();
        let urgent = waiting
            .iter()
            .filter(|index| self.entries[**index].urgent)
            .count();
        let _ = writeln!(text, "depth {} urgent {urgent}", waiting.len());
        let id = |index: &usize| self.entries[*index].id.to_string();
        let mut flying: Vec<_> = self.flying.iter().map(id).collect();
        flying.sort();
        let _ = writeln!(text, "flying {}", flying.join(" "));
        let mut expiring: BTreeMap<_, i64> = BTreeMap::new();
        let mut scheduled = BTreeMap::new();
        for index in &waiting {
            let entry = &self.entries[*index];
            expiring.insert((entry.expires, entry.id.to_string()), entry.expires);
            if entry.status() == SendStatus::Scheduled {
                let member = format!("{:010x}:{}", entry.seq, entry.id);
                scheduled.insert((entry.send_at, member), entry.send_at);
            }
        }
        for (name, set) in [("expiring", expiring), ("scheduled", scheduled)] {
            let members: Vec<_> = set.keys().map(|(at, id)| format!("{id} {at}")).collect();
            let _ = writeln!(text, "{name} {}", members.join(" "));
        }
        let known: Vec<_> = self.known.iter().map(|chat| jid(CHATS[*chat])).collect();
        let _ = writeln!(text, "known {}", known.join(" "));
        for (chat, name) in self.chats.iter().zip(CHATS) {
            let list: Vec<_> = chat
                .list
                .iter()
                .map(|(seq, index)| format!("{seq}:{}", id(index)))
                .collect();
            let number = |value: Option<i64>| value.map_or_else(String::new, |v| v.to_string());
            let (ready, delayed) = (number(chat.ready), number(chat.delayed));
            let _ = writeln!(
                text,
                "chat {name} ready {ready} delayed {delayed} {}",
                list.join(" ")
            );
        }
        for entry in &self.entries {
            let history: Vec<_> = entry.history.iter().map(|status| status.as_str()).collect();
            let suspects: Vec<_> = entry.suspects.iter().map(u64::to_string).collect();
            let _ = writeln!(
                text,
                "{} {} {} {} {}",
                entry.id,
                entry.status(),
                entry.attempts,
                history.join(","),
                suspects.join(" ")
            );
        }
        text
    }
}
