//! Steps done to the scripts and to the model, and compared.

mod takeover;
mod turn;

use std::collections::BTreeMap;

use gateway_shared::clock::Millis;
use gateway_shared::domain::{OutboxId, SendFailure, SendStatus};
use gateway_shared::lane::{
    Attempt, Cancelled, EnqueueOutcome, EnqueueRequest, Mode, ReceiptStatus, Retried, Scope,
};
use gateway_shared::redis::{LuaScript, script};
use proptest::prelude::*;
use proptest::sample::Index;

use super::laws::{Laws, forward};
use super::state::{CHATS, Entry, Model};
use super::steps::Step;
use crate::world::{DAY, World, jid, key_of};

const MAX_ATTEMPTS: u32 = 3;

/// A case under way.
pub(crate) struct Check<'a> {
    pub(crate) model: Model,
    pub(crate) world: &'a mut World,
    pub(crate) audit: &'a LuaScript,
    pub(crate) laws: Laws,
    /// Idempotency keys in use: fingerprint and send.
    pub(crate) keys: BTreeMap<u8, (u8, OutboxId)>,
}

type Outcome = Result<(), TestCaseError>;

impl Check<'_> {
    /// Takes a step, and compares.
    pub(crate) async fn take(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Accept { .. } => self.accept(step).await?,
            Step::Turn { ends, most } => {
                let settlements = self.settlements(ends);
                self.turn(settlements, Some(*most)).await?;
            }
            Step::LostClaim { most } => self.lose_claim(*most).await?,
            Step::TakeOver(gone) => self.take_over(*gone).await?,
            Step::RetryFailed { of } => self.retry_failed(of).await?,
            Step::HoldNewChats { millis } => self.hold_new_chats(*millis).await,
            Step::Receipt { of, status } => self.receipt(of, *status).await?,
            Step::Cancel { of } => self.cancel(of).await?,
            Step::Pause { operator, millis } => self.pause(*operator, *millis).await,
            Step::Advance { millis } => {
                self.world.advance(*millis);
                self.model.now += millis;
            }
            Step::Sweep => {
                let (now, from) = (self.world.now(), &self.world.from);
                self.world.lanes.sweep(now, from, 100).await.unwrap();
                self.model.expire();
            }
            Step::Abandon => {
                let gone = SendFailure::new("session_logged_out", "gone");
                let (now, owner) = (self.world.now(), self.world.owner());
                self.world.lanes.abandon(now, owner, &gone).await.unwrap();
                for index in self.model.flying.clone() {
                    self.model.entries[index].unsure = true;
                    self.model.end(index, &[SendStatus::Failed]);
                }
                for index in self.model.waiting_as_kept() {
                    self.model.end(index, &[SendStatus::Failed]);
                }
                self.model.forget_tombstones();
                self.laws.all_landed();
            }
        }
        self.compare(step).await
    }

    async fn compare(&self, step: &Step) -> Outcome {
        let root = self.world.root();
        let mut call = self.audit.on(&root);
        call.arg(self.world.from.session.as_str()).arg(CHATS.len());
        for name in CHATS {
            call.arg(jid(name));
        }
        for name in CHATS {
            call.arg(name);
        }
        for entry in &self.model.entries {
            call.arg(entry.id.as_str());
        }
        let (text, due): (String, String) = script::run(&self.world.store.connection, &call)
            .await
            .unwrap();
        prop_assert_eq!(text, self.model.text(), "after {:?}", step);
        // What falls due must never be later than the lane says.
        if let Some(first) = self.model.due() {
            let due: Millis = due.parse().unwrap_or(Millis::MAX);
            prop_assert!(
                due <= first,
                "due {} but told {} after {:?}",
                first,
                due,
                step
            );
        }
        Ok(())
    }

    async fn accept(&mut self, step: &Step) -> Outcome {
        let Step::Accept {
            chat,
            sync,
            ttl,
            delay,
            key,
        } = step
        else {
            return Ok(());
        };
        let now = self.world.now();
        let send = EnqueueRequest {
            expires_at: Some(now + ttl),
            send_at: if *delay > 0 { now + delay } else { 0 },
            mode: if *sync { Mode::Sync } else { Mode::Async },
            idempotency: key
                .and_then(|(key, print)| key_of(&format!("k{key}"), &format!("f{print}"))),
            ..self.world.send(CHATS[*chat])
        };
        let accepted = self.world.try_accept(&send).await;
        if let Some((key, print)) = key
            && let Some((used, id)) = self.keys.get(key)
        {
            let right = match &accepted {
                EnqueueOutcome::KeyReused { id: original } => used != print && original == id,
                EnqueueOutcome::Replayed(replay) => used == print && replay.id == *id,
                _ => false,
            };
            prop_assert!(right, "{:?} for a key in use", accepted);
            return Ok(());
        }
        let cells = self.model.cells(*chat);
        let fits = !sync || self.model.budget.available(now, cells) == Ok(cells);
        let paused = *sync && self.model.paused_until().is_some();
        let held = *sync && self.model.is_held(*chat);
        match accepted {
            EnqueueOutcome::New { .. } => prop_assert!(fits && !paused && !held),
            EnqueueOutcome::Paused { .. } => {
                prop_assert!(paused);
                return Ok(());
            }
            EnqueueOutcome::NewChatsHeld { .. } => {
                prop_assert!(held && !paused);
                return Ok(());
            }
            EnqueueOutcome::RateLimited { .. } => {
                prop_assert!(!fits && !paused && !held);
                return Ok(());
            }
            other => prop_assert!(false, "{:?}", other),
        }
        if let Some((key, print)) = key {
            self.keys.insert(*key, (*print, send.id.clone()));
        }
        self.model.accept(Entry {
            id: send.id,
            wa: send.wa_message_id,
            chat: *chat,
            urgent: *sync,
            seq: 0,
            attempts: 0,
            expires: now + ttl,
            send_at: send.send_at,
            history: Vec::new(),
            suspects: Vec::new(),
            unsure: false,
        });
        Ok(())
    }

    async fn retry_failed(&mut self, of: &Index) -> Outcome {
        if self.model.entries.is_empty() {
            return Ok(());
        }
        let index = of.index(self.model.entries.len());
        let status = self.model.entries[index].status();
        let expires = self.world.now() + DAY;
        let retried = self.world.retry(&self.model.entries[index].id).await;
        if status == SendStatus::Failed {
            prop_assert_eq!(retried, Retried::Queued);
            self.model.retry_failed(index, expires);
        } else {
            prop_assert_eq!(retried, Retried::NotFailed(status));
        }
        Ok(())
    }

    async fn hold_new_chats(&mut self, millis: Millis) {
        let (now, owner) = (self.world.now(), self.world.owner());
        let lanes = &self.world.lanes;
        let hold = lanes.rest(now, owner, Scope::NewChats, now + millis, "test");
        hold.await.unwrap();
        self.model.new_chats_until = self.model.new_chats_until.max(now + millis);
    }

    async fn receipt(&mut self, of: &Index, status: ReceiptStatus) -> Outcome {
        if self.model.entries.is_empty() {
            return Ok(());
        }
        let index = of.index(self.model.entries.len());
        let wa = vec![self.model.entries[index].wa.clone()];
        let id = self.model.entries[index].id.clone();
        let chat = self.world.entry(&id).await.chat_jid;
        let (now, owner) = (self.world.now(), self.world.owner());
        let moved = self
            .world
            .lanes
            .receipt(now, owner, status, now, (&chat, "1@lid"), &wa);
        let moved = moved.await.unwrap();
        let before = self.model.entries[index].status();
        let to = match status {
            ReceiptStatus::Delivered => SendStatus::Delivered,
            ReceiptStatus::Read => SendStatus::Read,
            ReceiptStatus::Played => SendStatus::Played,
        };
        let rank = |status: SendStatus| status as u8;
        let corrects = before == SendStatus::Failed && self.model.entries[index].unsure;
        let moves =
            corrects || rank(before) >= rank(SendStatus::Sending) && rank(before) < rank(to);
        prop_assert_eq!(moved, u64::from(moves));
        if moves {
            let mut statuses = vec![SendStatus::Sent, SendStatus::Delivered, to];
            statuses.dedup();
            statuses.retain(|status| corrects || rank(*status) > rank(before));
            self.laws.landed(&self.model.entries[index].id);
            if corrects {
                self.model.correct(index, &statuses);
            } else {
                self.model.end(index, &statuses);
            }
        }
        Ok(())
    }

    async fn cancel(&mut self, of: &Index) -> Outcome {
        if self.model.entries.is_empty() {
            return Ok(());
        }
        let index = of.index(self.model.entries.len());
        let entry = &self.model.entries[index];
        let status = entry.status();
        let cancelled = self.world.cancel(&entry.id).await;
        let expected = match status {
            SendStatus::Scheduled | SendStatus::Queued => Cancelled::Done,
            SendStatus::Sending => Cancelled::InFlight,
            other => Cancelled::AlreadyTerminal(other.to_string()),
        };
        prop_assert_eq!(&cancelled, &expected);
        if cancelled == Cancelled::Done {
            self.model.end(index, &[SendStatus::Cancelled]);
        }
        Ok(())
    }

    async fn pause(&mut self, operator: bool, millis: Millis) {
        let until = if millis > 0 {
            self.world.now() + millis
        } else {
            0
        };
        let (now, lanes, from) = (self.world.now(), &self.world.lanes, &self.world.from);
        if !operator {
            let rest = lanes.rest(now, self.world.owner(), Scope::All, until, "test");
            rest.await.unwrap();
            self.model.owner_pause = self.model.owner_pause.max(until);
        } else if until > 0 {
            let pause = lanes.pause(now, from, Some(until), "test");
            assert!(pause.await.unwrap());
            self.model.operator_pause = until;
        } else {
            assert!(lanes.resume(now, from).await.unwrap());
            self.model.resume();
        }
    }

    /// Lets everything end: nothing may be left behind (laws 1 and 5).
    pub(crate) async fn drain(&mut self) -> Outcome {
        self.pause(true, 0).await;
        let mut rounds = 0;
        loop {
            let ends: Vec<_> = self.model.flying.iter().copied().collect();
            let now = self.world.now();
            let ends = ends
                .into_iter()
                .map(|index| (index, Attempt::Sent(now)))
                .collect();
            self.turn(ends, Some(3)).await?;
            if self.model.flying.is_empty() && self.model.waiting().is_empty() {
                return self.compare(&Step::Sweep).await;
            }
            // Far enough for every delay, and for one more send of the slowest budget.
            self.world.advance(720_000);
            self.model.now += 720_000;
            rounds += 1;
            prop_assert!(rounds < 200, "something never ends: {}", self.model.text());
        }
    }

    /// Law 6: the events tell each entry's history, in order.
    pub(crate) async fn tell(&self) -> Outcome {
        let mut emitted: BTreeMap<String, Vec<SendStatus>> = BTreeMap::new();
        for event in self.world.events().await {
            let id = event["outboxId"].as_str().unwrap().to_owned();
            let status = event["status"].as_str().unwrap().parse().unwrap();
            emitted.entry(id).or_default().push(status);
        }
        prop_assert_eq!(emitted.len(), self.model.entries.len());
        for entry in &self.model.entries {
            let emitted = &emitted[entry.id.as_str()];
            prop_assert_eq!(emitted, &entry.history);
            forward(emitted)?;
        }
        Ok(())
    }
}
