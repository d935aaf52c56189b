//! Organizations: the tenants.

use redis::AsyncCommands;
use serde::Serialize;

use crate::clock::Millis;
use crate::domain::OrganizationId;
use crate::redis::keys::{GLOBAL, PARTITION, key};
use crate::redis::{RedisFailure, Store};

/// An organization as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name, unique in the installation; empty for one that a login frontend named.
    pub name: String,
    /// When it was made, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Millis>,
    /// Since when it is suspended, if it is: its keys are refused and its sends wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<Millis>,
}

/// Why the lanes of a suspended organization are paused. Letting it go on ends these pauses alone.
pub const SUSPENDED: &str = "the organization is suspended";
/// What begins a message on the `changed` channel that tells of an organization; its id follows.
pub const CHANGED_ORGANIZATION: &str = "organization:";

/// The organizations behind a Redis.
#[derive(Debug, Clone)]
pub struct Organizations {
    store: Store,
}

impl Organizations {
    /// The organizations behind `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The organization of this id.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn get(&self, id: &OrganizationId) -> Result<Option<Organization>, RedisFailure> {
        let record = key(PARTITION, &self.store.keys.partition(id), "org", &[]);
        let fields = ["name", "createdAt", "suspendedAt"];
        let values: [Option<String>; 3] = self
            .store
            .connection
            .clone()
            .hmget(record, &fields[..])
            .await?;
        let [name, created, suspended] = values;
        let moment = |text: Option<String>| text.and_then(|text| text.parse().ok());
        Ok(name.map(|name| Organization {
            id: id.clone(),
            name,
            created_at: moment(created),
            suspended_at: moment(suspended),
        }))
    }

    /// The organization of this name, if there is one.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn named(&self, name: &str) -> Result<Option<Organization>, RedisFailure> {
        let names = key(GLOBAL, &self.store.keys.global(), "organization_names", &[]);
        let id: Option<String> = self.store.connection.clone().hget(names, name).await?;
        match id.and_then(|id| id.parse().ok()) {
            Some(id) => self.get(&id).await,
            None => Ok(None),
        }
    }

    /// The organization of this name, created where there is none. Two callers at once get the
    /// same one, and a repeat finishes what a crash cut short.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn named_or_new(
        &self,
        now: Millis,
        name: &str,
    ) -> Result<Organization, RedisFailure> {
        let global = self.store.keys.global();
        let names = key(GLOBAL, &global, "organization_names", &[]);
        let mut connection = self.store.connection.clone();
        let fresh = OrganizationId::generate(now);
        let () = connection.hset_nx(&names, name, fresh.as_str()).await?;
        let id: String = connection.hget(&names, name).await?;
        let id: OrganizationId = id
            .parse()
            .map_err(|_| crate::redis::unexpected("the directory of organizations"))?;
        let record = key(PARTITION, &self.store.keys.partition(&id), "org", &[]);
        let () = redis::pipe()
            .hset_nx(&record, "name", name)
            .hset_nx(&record, "createdAt", now)
            .query_async(&mut connection)
            .await?;
        let all = key(GLOBAL, &global, "organizations", &[]);
        let () = connection.sadd(all, id.as_str()).await?;
        self.get(&id)
            .await?
            .ok_or_else(|| crate::redis::unexpected("an organization's record"))
    }

    /// Notes that there is this organization, for those that come from a login frontend.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn note(&self, id: &OrganizationId) -> Result<(), RedisFailure> {
        let all = key(GLOBAL, &self.store.keys.global(), "organizations", &[]);
        let () = self.store.connection.clone().sadd(all, id.as_str()).await?;
        Ok(())
    }

    /// The ids of all organizations.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn all(&self) -> Result<Vec<OrganizationId>, RedisFailure> {
        let all = key(GLOBAL, &self.store.keys.global(), "organizations", &[]);
        let ids: Vec<String> = self.store.connection.clone().smembers(all).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Suspends an organization or lets it go on, as far as its keys are concerned: every API process is
    /// told. False where there is none of this id.
    ///
    /// # Errors
    /// When Redis does not answer; a repeat finishes it.
    pub async fn suspend(
        &self,
        now: Millis,
        id: &OrganizationId,
        suspend: bool,
    ) -> Result<bool, RedisFailure> {
        let global = self.store.keys.global();
        let mut connection = self.store.connection.clone();
        let known: bool = connection
            .sismember(key(GLOBAL, &global, "organizations", &[]), id.as_str())
            .await?;
        if !known {
            return Ok(false);
        }
        let record = key(PARTITION, &self.store.keys.partition(id), "org", &[]);
        let all = key(GLOBAL, &global, "suspended", &[]);
        if suspend {
            let () = connection.hset_nx(&record, "suspendedAt", now).await?;
            let () = connection.sadd(all, id.as_str()).await?;
        } else {
            let () = connection.hdel(&record, "suspendedAt").await?;
            let () = connection.srem(all, id.as_str()).await?;
        }
        let message = format!("{CHANGED_ORGANIZATION}{id}");
        let channel = self.store.keys.changed_channel();
        let () = connection.publish(channel, message).await?;
        Ok(true)
    }

    /// The ids of the suspended organizations.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn suspended(&self) -> Result<Vec<OrganizationId>, RedisFailure> {
        let all = key(GLOBAL, &self.store.keys.global(), "suspended", &[]);
        let ids: Vec<String> = self.store.connection.clone().smembers(all).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }
}
