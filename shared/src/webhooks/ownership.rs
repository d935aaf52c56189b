//! Owning a webhook: what only the worker may do that delivers for it, under its epoch.
//!
//! Which worker that is needs no agreement: each computes it from the live workers (rendezvous
//! hashing), and a worker that finds another one's name on a webhook waits until that one has given
//! it up or is no longer registered. The epoch refuses whoever is mistaken.

use std::collections::HashMap;

use redis::{AsyncCommands, Value};

use super::directory::text_at;
use super::record::Webhook;
use super::secret::Secrets;
use super::{Delivery, WebhookError, WebhookRef, Webhooks};
use crate::clock::Millis;
use crate::domain::{DeliveryId, OrganizationId, WorkerId};
use crate::events::Place;
use crate::lane::Epoch;
use crate::redis::keys::{GLOBAL, key};
use crate::redis::{RedisFailure, script, unexpected};

/// The caller does not own the webhook any more; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the webhook has a new owner")]
pub struct StaleWebhook;

/// What became of the wish to own a webhook.
#[derive(Debug)]
pub enum Acquired {
    /// It is the caller's.
    Owned(Box<OwnedWebhook>),
    /// Somebody else owns it.
    Held(String),
    /// Nothing is delivered to it at present.
    Inactive,
    /// There is no such webhook.
    Gone,
}

/// A webhook in its owner's hands.
#[derive(Debug)]
pub struct OwnedWebhook {
    /// What it is.
    pub webhook: Webhook,
    /// What signs for it.
    pub secrets: Secrets,
    /// The right to deliver for it.
    pub epoch: Epoch,
    /// Every event up to here is settled.
    pub cursor: Place,
    /// How far its former owner read: beyond the cursor some are settled.
    pub read: Place,
    /// How often it was tried in vain since it counts as down.
    pub trips: u32,
    /// When it is tried again; 0 = it does not count as down.
    pub open_until: Millis,
    /// Whether `webhook.failing` was told.
    pub failing: bool,
    /// Chats that are held, and when their heads are due.
    pub held: HashMap<String, Millis>,
}

/// One step of a settlement; see `lua/settle.lua`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Delivered; the chat in which it was held.
    Done(Box<Delivery>, Option<String>),
    /// A dead letter; the chat in which it was held.
    Dead(Box<Delivery>, Option<String>),
    /// Refused: its chat is held until a moment.
    Retry(Box<Delivery>, String, Millis),
    /// It waits behind the head of a chat that is held.
    Behind(DeliveryId, String),
    /// A field of the record; empty = taken away.
    Field(&'static str, String),
    /// A count of the record grows.
    Count(&'static str, u64),
    /// An event is told.
    Event(&'static str, String),
    /// Nothing is delivered any more, for this reason.
    Disable(&'static str),
}

/// What a settlement changes, in one step.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Every event up to here is settled now.
    pub cursor: Option<Place>,
    /// What else.
    pub steps: Vec<Step>,
}

/// The name of a webhook in sets and channels.
#[must_use]
pub fn webhook_member(of: &WebhookRef) -> String {
    format!("{}/{}", of.organization, of.webhook)
}

impl WebhookRef {
    /// The webhook of a name as [`webhook_member`] makes it.
    #[must_use]
    pub fn parse(member: &str) -> Option<Self> {
        let (organization, webhook) = member.split_once('/')?;
        Some(Self {
            organization: organization.parse().ok()?,
            webhook: webhook.parse().ok()?,
        })
    }
}

impl Webhooks {
    /// All webhooks that want an owner, of all organizations.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn active(&self) -> Result<Vec<WebhookRef>, RedisFailure> {
        let all = key(GLOBAL, &self.store.keys.global(), "webhooks", &[]);
        let members: Vec<String> = self.store.connection.clone().smembers(all).await?;
        Ok(members
            .iter()
            .filter_map(|member| WebhookRef::parse(member))
            .collect())
    }

    /// Tries to own a webhook, whose former owner (`gone`, if it had one) is known to be gone.
    ///
    /// # Errors
    /// When Redis does not answer, or its secrets can not be opened.
    pub async fn acquire(
        &self,
        of: &WebhookRef,
        worker: &WorkerId,
        gone: Option<&str>,
    ) -> Result<Acquired, WebhookError> {
        let root = self.root(&of.organization);
        let mut call = self.scripts.acquire.on(&root);
        call.arg(of.webhook.as_str())
            .arg(worker.as_str())
            .arg(gone.unwrap_or_default());
        let reply: Vec<Value> = script::run(&self.store.connection, &call)
            .await
            .map_err(RedisFailure)?;
        let malformed = || unexpected("acquire.lua");
        let name = text_at(&reply, 0).ok_or_else(malformed)?;
        match name.as_str() {
            "owned" => {}
            "held" => return Ok(Acquired::Held(text_at(&reply, 1).unwrap_or_default())),
            "inactive" => return Ok(Acquired::Inactive),
            "gone" => return Ok(Acquired::Gone),
            _ => return Err(malformed().into()),
        }
        let epoch = text_at(&reply, 1).and_then(|epoch| epoch.parse().ok());
        let definition = text_at(&reply, 2).ok_or_else(malformed)?;
        let state: Vec<(String, String)> = reply
            .get(3)
            .and_then(|fields| redis::from_redis_value_ref(fields).ok())
            .ok_or_else(malformed)?;
        let state: HashMap<String, String> = state.into_iter().collect();
        let held: Vec<(String, f64)> = reply
            .get(4)
            .and_then(|pairs| redis::from_redis_value_ref(pairs).ok())
            .ok_or_else(malformed)?;
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit")]
        let held: HashMap<String, Millis> = held
            .into_iter()
            .map(|(chat, due)| (chat, due as Millis))
            .collect();
        let waiting = u64::try_from(held.len()).unwrap_or(u64::MAX);
        let Some((webhook, secrets)) = self.opened(of, &definition, &state, waiting)? else {
            return Err(malformed().into());
        };
        let number = |name: &str| state.get(name).and_then(|text| text.parse().ok());
        Ok(Acquired::Owned(Box::new(OwnedWebhook {
            webhook,
            secrets,
            epoch: Epoch(epoch.ok_or_else(malformed)?),
            cursor: state
                .get("cursor")
                .and_then(|place| place.parse().ok())
                .unwrap_or_default(),
            read: state
                .get("read")
                .and_then(|place| place.parse().ok())
                .unwrap_or_default(),
            trips: number("trips").map_or(0, |trips: Millis| trips.try_into().unwrap_or(0)),
            open_until: number("openUntil").unwrap_or(0),
            failing: state.get("failing").is_some_and(|failing| failing == "1"),
            held,
        })))
    }

    /// Gives a webhook up, so that another worker may own it at once.
    ///
    /// # Errors
    /// When Redis does not answer; it is free once this worker is no longer registered.
    pub async fn release(&self, of: &WebhookRef, epoch: Epoch) -> Result<(), RedisFailure> {
        let root = self.root(&of.organization);
        let mut call = self.scripts.release.on(&root);
        call.arg(of.webhook.as_str()).arg(epoch.0);
        let _: Vec<String> = script::run(&self.store.connection, &call).await?;
        self.announce(of).await
    }

    /// Settles; the chats that are held no more. Repeating a batch changes nothing.
    ///
    /// # Errors
    /// When Redis does not answer. `Ok(Err)` when the caller does not own the webhook any more.
    pub async fn settle(
        &self,
        of: &WebhookRef,
        epoch: Epoch,
        batch: u64,
        progress: &Progress,
        kept: &Kept,
    ) -> Result<Result<Vec<String>, StaleWebhook>, RedisFailure> {
        let root = self.root(&of.organization);
        let mut call = self.scripts.settle.on(&root);
        let cursor = progress.cursor.map(|place| place.to_string());
        call.arg(of.webhook.as_str())
            .arg(epoch.0)
            .arg(cursor.unwrap_or_default())
            .arg(kept.delivered)
            .arg(kept.dead)
            .arg(kept.dead_before.as_str())
            .arg(format!("{}:{batch}", epoch.0));
        for step in &progress.steps {
            let [name, a, b, c, d] = arguments(step);
            call.arg(name).arg(a).arg(b).arg(c).arg(d);
        }
        let reply: Vec<Value> = script::run_durably(&self.store.connection, &call).await?;
        match text_at(&reply, 0).as_deref() {
            Some("settled") => {
                let free = reply.get(1).map(redis::from_redis_value_ref);
                Ok(Ok(free.and_then(Result::ok).unwrap_or_default()))
            }
            Some("stale") => Ok(Err(StaleWebhook)),
            _ => Err(unexpected("settle.lua")),
        }
    }

    /// Has `worker` woken by the next event of the organization; false where there is one already
    /// after `read`.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn wait(
        &self,
        organization: &OrganizationId,
        worker: &WorkerId,
        read: Place,
    ) -> Result<bool, RedisFailure> {
        let root = self.root(organization);
        let mut call = self.scripts.wait.on(&root);
        call.arg(worker.as_str()).arg(read.to_string());
        let reply: Vec<String> = script::run(&self.store.connection, &call).await?;
        Ok(reply.first().is_some_and(|name| name == "waiting"))
    }

    /// The delivery at the head of a chat that is held; `None` where nothing is held.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn held_head(
        &self,
        of: &WebhookRef,
        chat: &str,
    ) -> Result<Option<DeliveryId>, RedisFailure> {
        let list = self.key(
            &of.organization,
            "webhook_chat",
            &[of.webhook.as_str(), chat],
        );
        let head: Option<String> = self.store.connection.clone().lindex(list, 0).await?;
        Ok(head.and_then(|id| id.parse().ok()))
    }

    /// What is held in a chat, its head first.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn held_in(
        &self,
        of: &WebhookRef,
        chat: &str,
    ) -> Result<Vec<DeliveryId>, RedisFailure> {
        let list = self.key(
            &of.organization,
            "webhook_chat",
            &[of.webhook.as_str(), chat],
        );
        let ids: Vec<String> = self.store.connection.clone().lrange(list, 0, -1).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// The present epoch of a webhook; `None` where there is no such webhook.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn epoch(&self, of: &WebhookRef) -> Result<Option<Epoch>, RedisFailure> {
        let record = self.key(&of.organization, "webhook", &[of.webhook.as_str()]);
        let epoch: Option<u64> = self.store.connection.clone().hget(record, "epoch").await?;
        Ok(epoch.map(Epoch))
    }

    /// The chats that are held, and when their heads are due.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn held(&self, of: &WebhookRef) -> Result<HashMap<String, Millis>, RedisFailure> {
        let held = self.key(&of.organization, "webhook_held", &[of.webhook.as_str()]);
        let all: Vec<(String, f64)> = self
            .store
            .connection
            .clone()
            .zrange_withscores(held, 0, -1)
            .await?;
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit")]
        let held = all.into_iter().map(|(chat, due)| (chat, due as Millis));
        Ok(held.collect())
    }
}

/// How many deliveries a webhook keeps.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Of those delivered.
    pub delivered: usize,
    /// Of dead letters.
    pub dead: usize,
    /// Dead letters before this one are taken away.
    pub dead_before: DeliveryId,
}

fn arguments(step: &Step) -> [String; 5] {
    let none = String::new;
    match step {
        Step::Done(delivery, chat) => [
            "done".to_owned(),
            delivery.id.to_string(),
            delivery.to_json(),
            chat.clone().unwrap_or_default(),
            none(),
        ],
        Step::Dead(delivery, chat) => [
            "dead".to_owned(),
            delivery.id.to_string(),
            delivery.to_json(),
            chat.clone().unwrap_or_default(),
            none(),
        ],
        Step::Retry(delivery, chat, due) => [
            "retry".to_owned(),
            delivery.id.to_string(),
            delivery.to_json(),
            chat.clone(),
            due.to_string(),
        ],
        Step::Behind(id, chat) => [
            "behind".to_owned(),
            id.to_string(),
            none(),
            chat.clone(),
            none(),
        ],
        Step::Field(name, value) => [
            "field".to_owned(),
            (*name).to_owned(),
            value.clone(),
            none(),
            none(),
        ],
        Step::Count(name, more) => [
            "count".to_owned(),
            (*name).to_owned(),
            more.to_string(),
            none(),
            none(),
        ],
        Step::Event(kind, payload) => [
            "event".to_owned(),
            (*kind).to_owned(),
            payload.clone(),
            none(),
            none(),
        ],
        Step::Disable(reason) => [
            "disable".to_owned(),
            (*reason).to_owned(),
            none(),
            none(),
            none(),
        ],
    }
}
