//! Deliveries: what became of each event at a webhook.

use redis::{AsyncCommands, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{WebhookRef, Webhooks};
use crate::clock::Millis;
use crate::domain::{DeliveryId, EventId, WebhookId};
use crate::events::Place;
use crate::redis::{RedisFailure, script, unexpected};

/// Attempts that a delivery's record keeps: the latest.
const ATTEMPTS_KEPT: usize = 5;

/// Makes the delivery ids of one webhook: `dlv_` and a ULID whose time is that of the event and
/// whose other bits are 48 bits of a hash of the webhook and 32 bits of the event's sequence. An id
/// sorts as its event does, and nothing has to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryIds {
    webhook: u64,
}

impl DeliveryIds {
    /// The ids of this webhook.
    #[must_use]
    pub fn of(webhook: &WebhookId) -> Self {
        let hash = Sha256::digest(webhook.as_str());
        let webhook = hash
            .iter()
            .take(6)
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        Self { webhook }
    }

    /// The delivery of the event at this place.
    #[must_use]
    pub fn id(self, place: Place) -> DeliveryId {
        let sequence = place.sequence & u64::from(u32::MAX);
        let rest = u128::from(self.webhook) << 32 | u128::from(sequence);
        DeliveryId::from_parts(place.millis, rest)
    }

    /// The place of the event of this delivery; `None` where it is none of this webhook's.
    #[must_use]
    pub fn place(self, id: &DeliveryId) -> Option<Place> {
        let (millis, rest) = id.parts();
        let sequence = u64::try_from(rest & u128::from(u32::MAX)).ok()?;
        (rest >> 32 == u128::from(self.webhook)).then_some(Place { millis, sequence })
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// The endpoint answered with success.
    Delivered,
    /// It was refused and is tried again.
    Pending,
    /// A dead letter: it is not tried again, unless replayed.
    Dead,
}

impl DeliveryStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Pending, Self::Dead];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Pending => "pending",
            Self::Dead => "dead",
        }
    }
}

impl std::str::FromStr for DeliveryStatus {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or("must be delivered, pending or dead")
    }
}

/// One attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    /// When it began.
    pub at: Millis,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The status of the answer; absent = there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The beginning of the answer's body, up to 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
}

/// What is known of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The event.
    pub event_id: EventId,
    /// The kind of the event.
    pub event: String,
    /// The session that the event is about; empty = none.
    pub session: String,
    /// What became of it.
    pub status: DeliveryStatus,
    /// How often it was attempted; attempts while the endpoint counted as down are not counted.
    pub attempts: u32,
    /// The latest attempts, oldest first.
    pub history: Vec<AttemptRecord>,
    /// When it was first attempted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_attempt_at: Option<Millis>,
    /// When it is attempted again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Millis>,
    /// The event's envelope, of a dead letter: it may outlive the event stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
}

impl Delivery {
    /// A delivery that was not attempted yet.
    #[must_use]
    pub fn new(id: DeliveryId, event_id: EventId, event: &str, session: &str) -> Self {
        Self {
            id,
            event_id,
            event: event.to_owned(),
            session: session.to_owned(),
            status: DeliveryStatus::Pending,
            attempts: 0,
            history: Vec::new(),
            first_attempt_at: None,
            next_attempt_at: None,
            envelope: None,
        }
    }

    /// Adds an attempt.
    pub fn attempted(&mut self, attempt: AttemptRecord) {
        self.first_attempt_at.get_or_insert(attempt.at);
        self.history.push(attempt);
        let over = self.history.len().saturating_sub(ATTEMPTS_KEPT);
        self.history.drain(..over);
    }

    /// Its form in Redis.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Numbers and texts always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What became of a wish to deliver again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// So many are delivered again.
    Queued(usize),
    /// There is no such webhook.
    NotFound,
    /// Too many wait already.
    Full,
}

impl Webhooks {
    /// Deliveries, the newest first: those before `before`, of one status or of all.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn deliveries(
        &self,
        of: &WebhookRef,
        status: Option<DeliveryStatus>,
        before: Option<&DeliveryId>,
        most: usize,
    ) -> Result<Vec<Delivery>, RedisFailure> {
        let statuses: &[DeliveryStatus] = match &status {
            Some(status) => std::slice::from_ref(status),
            None => &DeliveryStatus::ALL,
        };
        let from = before.map_or_else(|| "+".to_owned(), |id| format!("({id}"));
        let id = of.webhook.as_str();
        let mut reads = redis::pipe();
        for status in statuses {
            reads
                .cmd("ZREVRANGEBYLEX")
                .arg(self.key(&of.organization, "webhook_by", &[id, status.as_str()]))
                .arg(&from)
                .arg("-")
                .arg("LIMIT")
                .arg(0)
                .arg(most);
        }
        let mut connection = self.store.connection.clone();
        let found: Vec<Vec<String>> = reads.query_async(&mut connection).await?;
        let mut found: Vec<(String, DeliveryStatus)> = statuses
            .iter()
            .zip(found)
            .flat_map(|(status, ids)| ids.into_iter().map(|id| (id, *status)))
            .collect();
        found.sort_unstable_by(|a, b| b.0.cmp(&a.0));
        found.truncate(most);
        let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
        let records = self.records(of, &ids).await?;
        Ok(found
            .iter()
            .zip(records)
            .filter_map(|((id, status), record)| {
                let mut delivery = match record {
                    Some(record) => record,
                    // One that was asked for again and has no record yet.
                    None => self.unattempted(of, id)?,
                };
                delivery.status = *status;
                Some(delivery)
            })
            .collect())
    }

    /// One delivery.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn delivery(
        &self,
        of: &WebhookRef,
        id: &DeliveryId,
    ) -> Result<Option<Delivery>, RedisFailure> {
        let webhook = of.webhook.as_str();
        let mut reads = redis::pipe();
        for status in DeliveryStatus::ALL {
            let by = self.key(&of.organization, "webhook_by", &[webhook, status.as_str()]);
            reads.zscore(by, id.as_str());
        }
        let mut connection = self.store.connection.clone();
        let scores: Vec<Option<f64>> = reads.query_async(&mut connection).await?;
        let status = DeliveryStatus::ALL
            .into_iter()
            .zip(scores)
            .find_map(|(status, score)| score.map(|_| status));
        let Some(status) = status else {
            return Ok(None);
        };
        let record = self.records(of, &[id.as_str()]).await?.pop().flatten();
        let found = record.or_else(|| self.unattempted(of, id.as_str()));
        Ok(found.map(|delivery| Delivery { status, ..delivery }))
    }

    /// The records of deliveries, as far as there are any.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn records(
        &self,
        of: &WebhookRef,
        ids: &[&str],
    ) -> Result<Vec<Option<Delivery>>, RedisFailure> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let log = self.key(&of.organization, "webhook_log", &[of.webhook.as_str()]);
        let mut read = redis::cmd("HMGET");
        read.arg(log).arg(ids);
        let found: Vec<Option<String>> =
            read.query_async(&mut self.store.connection.clone()).await?;
        Ok(found
            .into_iter()
            .map(|json| serde_json::from_str(&json?).ok())
            .collect())
    }

    fn unattempted(&self, of: &WebhookRef, id: &str) -> Option<Delivery> {
        let id: DeliveryId = id.parse().ok()?;
        let place = DeliveryIds::of(&of.webhook).place(&id)?;
        let event = crate::events::EventIds::of(&of.organization).id(place);
        Some(Delivery::new(id, event, "", ""))
    }

    /// Delivers again: each of them apart, whatever its chat does. `most` may wait at once.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn replay(
        &self,
        of: &WebhookRef,
        ids: &[DeliveryId],
        most: usize,
    ) -> Result<Replayed, RedisFailure> {
        let root = self.root(&of.organization);
        let mut call = self.scripts.replay.on(&root);
        call.arg(of.webhook.as_str()).arg(most);
        for id in ids {
            call.arg(id.as_str());
        }
        let reply: Vec<Value> = script::run_durably(&self.store.connection, &call).await?;
        let name = reply
            .first()
            .and_then(|name| redis::from_redis_value_ref(name).ok());
        let name: String = name.ok_or_else(|| unexpected("replay.lua"))?;
        match (name.as_str(), reply.get(1)) {
            ("replayed", Some(number)) => {
                let number = redis::from_redis_value_ref(number);
                Ok(Replayed::Queued(
                    number.map_err(|_| unexpected("replay.lua"))?,
                ))
            }
            ("not_found", _) => Ok(Replayed::NotFound),
            ("full", _) => Ok(Replayed::Full),
            _ => Err(unexpected("replay.lua")),
        }
    }

    /// The ids of dead letters, the oldest first: those whose events are between two moments, both
    /// included (in milliseconds).
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn dead_between(
        &self,
        of: &WebhookRef,
        since: Millis,
        until: Millis,
        most: usize,
    ) -> Result<Vec<DeliveryId>, RedisFailure> {
        let by = self.key(
            &of.organization,
            "webhook_by",
            &[of.webhook.as_str(), "dead"],
        );
        let at = |moment: Millis| u64::try_from(moment).unwrap_or(0);
        let ids: Vec<String> = self
            .store
            .connection
            .clone()
            .zrangebylex_limit(
                by,
                format!("[{}", DeliveryId::from_parts(at(since), 0)),
                format!(
                    "({}",
                    DeliveryId::from_parts(at(until).saturating_add(1), 0)
                ),
                0,
                isize::try_from(most).unwrap_or(isize::MAX),
            )
            .await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_event_at_its_webhook_only() {
        let ours = WebhookId::generate(1);
        let theirs = WebhookId::generate(1);
        let place: Place = "1763700000123-41".parse().unwrap();
        let id = DeliveryIds::of(&ours).id(place);
        assert_eq!(DeliveryIds::of(&ours).place(&id), Some(place));
        assert_eq!(DeliveryIds::of(&theirs).place(&id), None);
        assert!(id < DeliveryIds::of(&ours).id("1763700000123-42".parse().unwrap()));
    }

    #[test]
    fn the_latest_attempts_are_kept_and_the_first_moment() {
        let id = DeliveryIds::of(&WebhookId::generate(1)).id(Place::START);
        let event = EventId::from_parts(0, 0);
        let mut delivery = Delivery::new(id, event, "message", "");
        for at in 1..=7 {
            delivery.attempted(AttemptRecord {
                at,
                duration_ms: 1,
                status: Some(500),
                error: None,
                response: None,
            });
        }
        assert_eq!(delivery.first_attempt_at, Some(1));
        let kept: Vec<Millis> = delivery.history.iter().map(|one| one.at).collect();
        assert_eq!(kept, [3, 4, 5, 6, 7]);
    }
}
