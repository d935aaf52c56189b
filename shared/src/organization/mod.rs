//! Organizations: the tenants.

use redis::AsyncCommands;
use serde::Serialize;

use crate::clock::Millis;
use crate::domain::OrganizationId;
use crate::redis::keys::{GLOBAL, PARTITION, key};
use crate::redis::{RedisFailure, Store};

/// An organization as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name, unique in the installation.
    pub name: String,
}

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
        let name: Option<String> = self.store.connection.clone().hget(record, "name").await?;
        Ok(name.map(|name| Organization {
            id: id.clone(),
            name,
        }))
    }

    /// The organization of this name, if there is one.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn named(&self, name: &str) -> Result<Option<Organization>, RedisFailure> {
        let names = key(GLOBAL, &self.store.keys.global(), "organization_names", &[]);
        let id: Option<String> = self.store.connection.clone().hget(names, name).await?;
        Ok(id.and_then(|id| id.parse().ok()).map(|id| Organization {
            id,
            name: name.to_owned(),
        }))
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
        Ok(Organization {
            id,
            name: name.to_owned(),
        })
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
}
