//! Reading an organization's stream.

use std::time::Duration;

use redis::{FromRedisValue, Value};

use super::envelope::{Event, Stored};
use super::{EventIds, Place};
use crate::domain::OrganizationId;
use crate::redis::keys::{PARTITION, key};
use crate::redis::{Connection, RedisFailure, Store};

/// The event streams behind a Redis.
#[derive(Debug, Clone)]
pub struct EventLog {
    store: Store,
}

/// Some events in order.
#[derive(Debug, Default)]
pub struct Page {
    /// The events.
    pub events: Vec<Event>,
    /// The place of the last entry that was read; `None` = there was none.
    pub last: Option<Place>,
}

/// What a stream holds at present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edges {
    /// The oldest event still held.
    pub first: Option<Place>,
    /// The newest event there ever was.
    pub last: Place,
    /// Whether retention has taken any.
    pub trimmed: bool,
}

impl Edges {
    /// Whether a listener that has come as far as `place` misses something; the place to go on
    /// after if so: events after it were taken by retention, or the stream does not reach it (it is
    /// of a stream whose end was lost, or made up).
    ///
    /// The very event at `place` being the last that was taken looks the same as more being
    /// gone: a listener may be told of a gap that is none, never the other way round.
    #[must_use]
    pub fn gap_after(&self, place: Place) -> Option<Place> {
        if place > self.last {
            return Some(self.last);
        }
        let resumed = match self.first {
            Some(first) => first.before(),
            None => self.last,
        };
        (self.trimmed && place < resumed).then_some(resumed)
    }

    /// The place from which on everything is read that is still held.
    #[must_use]
    pub fn beginning(&self) -> Place {
        match self.first {
            Some(first) => first.before(),
            None => self.last,
        }
    }
}

impl EventLog {
    /// The streams behind `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// What an organization's stream holds.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn edges(&self, organization: &OrganizationId) -> Result<Edges, RedisFailure> {
        let reply: Result<Value, _> = redis::cmd("XINFO")
            .arg("STREAM")
            .arg(self.key(organization))
            .query_async(&mut self.store.connection.clone())
            .await;
        match reply {
            Ok(reply) => Ok(edges(&reply)),
            // Nothing was ever told.
            Err(error)
                if error
                    .detail()
                    .is_some_and(|text| text.contains("no such key")) =>
            {
                Ok(Edges::default())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Up to `most` events after `place`.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn after(
        &self,
        organization: &OrganizationId,
        place: Place,
        most: usize,
    ) -> Result<Page, RedisFailure> {
        let reply: Value = redis::cmd("XRANGE")
            .arg(self.key(organization))
            .arg(format!("({place}"))
            .arg("+")
            .arg("COUNT")
            .arg(most)
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(page(organization, &reply))
    }

    /// Up to `most` events after `place`, waiting for the first of them at most `patience`.
    /// `connection` is the caller's own, see [`Connection::open_blocking`].
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn wait_after(
        &self,
        connection: &mut Connection,
        organization: &OrganizationId,
        place: Place,
        most: usize,
        patience: Duration,
    ) -> Result<Page, RedisFailure> {
        let reply: Value = redis::cmd("XREAD")
            .arg("COUNT")
            .arg(most)
            .arg("BLOCK")
            .arg(
                u64::try_from(patience.as_millis())
                    .unwrap_or(u64::MAX)
                    .max(1),
            )
            .arg("STREAMS")
            .arg(self.key(organization))
            .arg(place.to_string())
            .query_async(connection)
            .await?;
        // [[key, entries]], or nothing.
        let entries = match &reply {
            Value::Array(streams) => match streams.first() {
                Some(Value::Array(stream)) => stream.get(1),
                _ => None,
            },
            _ => None,
        };
        Ok(entries.map_or_else(Page::default, |entries| page(organization, entries)))
    }

    /// The event at `place`; `None` where retention took it, or there never was one.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn at(
        &self,
        organization: &OrganizationId,
        place: Place,
    ) -> Result<Option<Event>, RedisFailure> {
        let reply: Value = redis::cmd("XRANGE")
            .arg(self.key(organization))
            .arg(place.to_string())
            .arg(place.to_string())
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(page(organization, &reply).events.pop())
    }

    /// Takes the oldest events of an organization whose stream is larger than `bytes`. How many were
    /// taken: Redis takes them in nodes of a hundred or so.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn bound(
        &self,
        organization: &OrganizationId,
        bytes: u64,
    ) -> Result<u64, RedisFailure> {
        let key = self.key(organization);
        let mut connection = self.store.connection.clone();
        let (used, length): (Option<u64>, u64) = redis::pipe()
            .cmd("MEMORY")
            .arg("USAGE")
            .arg(&key)
            .cmd("XLEN")
            .arg(&key)
            .query_async(&mut connection)
            .await?;
        let used = used.unwrap_or(0);
        if used <= bytes || length == 0 {
            return Ok(0);
        }
        let kept = u128::from(length) * u128::from(bytes) / u128::from(used);
        let taken = redis::cmd("XTRIM")
            .arg(&key)
            .arg("MAXLEN")
            .arg("~")
            .arg(u64::try_from(kept).unwrap_or(length))
            .query_async(&mut connection)
            .await?;
        Ok(taken)
    }

    fn key(&self, organization: &OrganizationId) -> String {
        key(
            PARTITION,
            &self.store.keys.partition(organization),
            "events",
            &[],
        )
    }
}

fn page(organization: &OrganizationId, entries: &Value) -> Page {
    let ids = EventIds::of(organization);
    let mut page = Page::default();
    let Value::Array(entries) = entries else {
        return page;
    };
    for entry in entries {
        let Value::Array(parts) = entry else { continue };
        let [id, Value::Array(fields)] = parts.as_slice() else {
            continue;
        };
        let Some(place) = text(id).and_then(|id| id.parse().ok()) else {
            continue;
        };
        page.last = Some(place);
        page.events
            .extend(Event::new(organization, ids, place, stored(fields)));
    }
    page
}

fn stored(fields: &[Value]) -> Stored {
    let mut stored = Stored::default();
    for pair in fields.chunks_exact(2) {
        let (Some(name), Some(value)) = (text(&pair[0]), text(&pair[1])) else {
            continue;
        };
        match name.as_str() {
            "event" => stored.kind = value,
            "session" => stored.session = value,
            "timestamp" => stored.timestamp = value.parse().unwrap_or(0),
            "payload" => stored.payload = value,
            _ => {}
        }
    }
    stored
}

fn edges(info: &Value) -> Edges {
    let Value::Array(info) = info else {
        return Edges::default();
    };
    let field = |name: &str| {
        info.chunks_exact(2)
            .find(|pair| text(&pair[0]).as_deref() == Some(name))
            .map(|pair| &pair[1])
    };
    let number = |name: &str| field(name).and_then(|value| u64::from_redis_value_ref(value).ok());
    let first = match field("first-entry") {
        Some(Value::Array(entry)) => entry.first().and_then(text),
        _ => None,
    };
    Edges {
        first: first.and_then(|id| id.parse().ok()),
        last: field("last-generated-id")
            .and_then(text)
            .and_then(|id| id.parse().ok())
            .unwrap_or_default(),
        // Redis before 7 does not count; assume the worst.
        trimmed: number("entries-added") != number("length") || number("length").is_none(),
    }
}

fn text(value: &Value) -> Option<String> {
    String::from_redis_value_ref(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    #[test]
    fn a_gap_is_told_when_and_only_when_something_may_be_missing() {
        let whole = Edges {
            first: Some(place("10-0")),
            last: place("20-0"),
            trimmed: false,
        };
        assert_eq!(whole.gap_after(place("5-0")), None);
        assert_eq!(whole.gap_after(place("20-0")), None);
        for ahead in ["20-1", "99-0"] {
            assert_eq!(whole.gap_after(place(ahead)), Some(place("20-0")));
        }
        assert_eq!(whole.beginning(), place("10-0").before());
        assert_eq!(Edges::default().gap_after(place("7-0")), Some(Place::START));
        let trimmed = Edges {
            trimmed: true,
            ..whole
        };
        let resumed = place("10-0").before();
        assert_eq!(trimmed.gap_after(place("5-0")), Some(resumed));
        assert_eq!(trimmed.gap_after(resumed), None);
        assert_eq!(trimmed.gap_after(place("10-0")), None);
        let emptied = Edges {
            first: None,
            ..trimmed
        };
        assert_eq!(emptied.gap_after(place("15-0")), Some(place("20-0")));
        assert_eq!(emptied.gap_after(place("20-0")), None);
        assert_eq!(emptied.beginning(), place("20-0"));
    }
}
