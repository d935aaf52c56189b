//! Reading events and settling what became of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gateway_shared::clock::Millis;
use gateway_shared::domain::DeliveryId;
use gateway_shared::events::{Event, GAP_KIND, gap_event};
use gateway_shared::redis::RedisFailure;
use gateway_shared::webhooks::{Kept, Step, chat_of, render};

use super::super::files::with_address;
use super::super::queue::Item;
use super::{AHEAD, BEHIND, Delivering, PAGE, SPAN};

impl Delivering {
    /// Writes what changed; false where the webhook is somebody else's.
    pub(super) async fn settle(&mut self) -> Result<bool, RedisFailure> {
        let (batch, progress) = match self.unanswered.take() {
            Some(unanswered) => unanswered,
            None => {
                let mut progress = std::mem::take(&mut self.progress);
                let cursor = self.queue.cursor();
                progress.cursor = (cursor != self.written_cursor).then_some(cursor);
                let read = Step::Field("read", self.queue.read().to_string());
                progress.steps.push(read);
                self.batch += 1;
                (self.batch, progress)
            }
        };
        let now = self.now();
        let config = &self.shared.config;
        let old = now - Millis::try_from(config.dead_ms).unwrap_or(now);
        let kept = Kept {
            delivered: config.kept_deliveries,
            dead: config.kept_dead,
            dead_before: DeliveryId::from_parts(u64::try_from(old).unwrap_or(0), 0),
        };
        let webhooks = &self.shared.webhooks;
        let settled = webhooks.settle(&self.of, self.epoch, batch, &progress, &kept);
        match settled.await {
            Ok(Ok(free)) => {
                if let Some(cursor) = progress.cursor {
                    self.written_cursor = cursor;
                }
                self.written_at = now;
                for chat in free {
                    self.held.free(&chat);
                }
                Ok(true)
            }
            Ok(Err(stale)) => {
                tracing::info!(webhook = %self.of.webhook, %stale, "no longer this worker's");
                self.in_flight.abort_all();
                Ok(false)
            }
            Err(error) => {
                self.unanswered = Some((batch, progress));
                Err(error)
            }
        }
    }

    pub(super) fn may_read(&self) -> bool {
        !self.caught_up
            && !self.disabled
            && self.queue.waiting() < AHEAD
            && self.queue.span() < SPAN
            && self.held.len() < self.shared.config.max_held
    }

    pub(super) async fn read(&mut self) -> Result<(), RedisFailure> {
        let from = self.queue.read();
        let organization = &self.of.organization;
        let page = self.shared.log.after(organization, from, PAGE).await?;
        let Some(last) = page.last else {
            self.caught_up = true;
            return Ok(());
        };
        let far = page
            .events
            .first()
            .is_some_and(|event| event.place.millis.saturating_sub(from.millis) > BEHIND);
        if far {
            let edges = self.shared.log.edges(organization).await?;
            if let Some(resumed) = edges.gap_after(from) {
                tracing::warn!(
                    webhook = %self.of.webhook,
                    "retention took events that were not delivered; the webhook is told of a gap"
                );
                if let Some(gap) = gap_event(organization, from, resumed, self.now()) {
                    self.push(gap);
                }
                self.queue.has_read(resumed);
                return Ok(());
            }
        }
        let settled = self.already_settled(&page.events).await?;
        for event in page.events {
            let wanted = self.endpoint.webhook.wants(&event);
            if wanted && !settled.contains(&self.ids.id(event.place)) {
                self.push(event);
            }
        }
        self.queue.has_read(last);
        Ok(())
    }

    /// Which of these a former owner settled beyond its cursor.
    pub(super) async fn already_settled(
        &self,
        events: &[Event],
    ) -> Result<HashSet<DeliveryId>, RedisFailure> {
        let known: Vec<(DeliveryId, &Event)> = events
            .iter()
            .filter(|event| event.place <= self.known_to)
            .map(|event| (self.ids.id(event.place), event))
            .collect();
        let ids: Vec<&str> = known.iter().map(|(id, _)| id.as_str()).collect();
        let webhooks = &self.shared.webhooks;
        let records = webhooks.records(&self.of, &ids).await?;
        let mut settled: HashSet<DeliveryId> =
            records.into_iter().flatten().map(|r| r.id).collect();
        // What waits behind the head of a held chat has no record of its own.
        let mut lists: HashMap<String, Vec<DeliveryId>> = HashMap::new();
        for (id, event) in known {
            let chat = chat_of(event);
            if !settled.contains(&id) && self.held.contains(&chat) {
                if !lists.contains_key(&chat) {
                    let list = webhooks.held_in(&self.of, &chat).await?;
                    lists.insert(chat.clone(), list);
                }
                if lists[&chat].contains(&id) {
                    settled.insert(id);
                }
            }
        }
        Ok(settled)
    }

    /// Adds an event to what goes out, or to what is held.
    pub(super) fn push(&mut self, event: Event) {
        let shown = with_address(&self.shared, &self.endpoint, &event, true);
        let Some(body) = render(self.endpoint.webhook.format, &shown) else {
            return;
        };
        let id = self.ids.id(event.place);
        let chat = if event.kind == GAP_KIND {
            String::from("gap")
        } else {
            chat_of(&event)
        };
        if self.held.contains(&chat) {
            self.progress.steps.push(Step::Behind(id, chat));
            return;
        }
        self.queue.push(Item {
            id,
            chat: chat.into(),
            event: Arc::new(event),
            body,
        });
    }

    /// Has Redis wake this worker when there is more to read.
    pub(super) async fn wait(&mut self) -> Result<(), RedisFailure> {
        let webhooks = &self.shared.webhooks;
        let me = &self.shared.member.id;
        let read = self.queue.read();
        self.waiting = webhooks.wait(&self.of.organization, me, read).await?;
        self.caught_up = self.waiting;
        Ok(())
    }
}
