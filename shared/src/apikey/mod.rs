//! API keys: `wa_…`, shown once, kept only as a hash.
//!
//! A key's record stands alone under the hash of its text (`P:{key:…}`), so look-ups spread over
//! a Cluster; its organization lists `id -> hash`. The two can not be one script, so the order of
//! the writes makes every half-done change harmless: a key that is listed and has no record is no
//! key, and revoking takes the record away first. Every change is published on the `changed`
//! channel as `key:<hash>`, so that the caches of all API processes drop it at once.

mod capability;
mod secret;

use std::collections::HashMap;

use redis::AsyncCommands;
use serde::Serialize;

use crate::clock::Millis;
use crate::domain::{ApiKeyId, OrganizationId, SessionId};
use crate::organization::Organizations;
use crate::redis::keys::{PARTITION, key};
use crate::redis::{RedisFailure, Store};

pub use capability::{Capabilities, Capability, UnknownCapability};
pub use secret::{ApiKeySecret, KeyHash};

/// What begins a message on the `changed` channel that tells of a key; its hash follows.
pub const CHANGED_KEY: &str = "key:";

/// An API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Its public id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// A name for people; may be empty.
    pub name: String,
    /// What it allows.
    pub capabilities: Capabilities,
    /// The sessions it is confined to; `None` = all of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Vec<SessionId>>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last used, give or take a minute; absent = never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Millis>,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Whose it is.
    pub organization: OrganizationId,
    /// A name for people; may be empty.
    pub name: String,
    /// What it allows.
    pub capabilities: Capabilities,
    /// The sessions it is confined to; `None` = all of the organization.
    pub sessions: Option<Vec<SessionId>>,
    /// When it ends by itself.
    pub expires_at: Option<Millis>,
}

/// The API keys behind a Redis.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    store: Store,
}

impl ApiKeys {
    /// The keys behind `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Makes a key. The secret is known to the caller alone from here on.
    ///
    /// # Errors
    /// When Redis does not answer; no usable key was made then, or one that nobody knows.
    pub async fn create(
        &self,
        now: Millis,
        new: NewApiKey,
    ) -> Result<(ApiKeySecret, ApiKey), RedisFailure> {
        let secret = ApiKeySecret::generate();
        let hash = secret.hash();
        let made = ApiKey {
            id: ApiKeyId::generate(now),
            organization: new.organization,
            name: new.name,
            capabilities: new.capabilities,
            sessions: new.sessions,
            expires_at: new.expires_at,
            created_at: now,
            last_used_at: None,
        };
        let mut connection = self.store.connection.clone();
        let () = connection
            .hset(
                self.list_key(&made.organization),
                made.id.as_str(),
                hash.as_str(),
            )
            .await?;
        let sessions = made.sessions.as_ref().map_or_else(String::new, |ids| {
            let ids: Vec<&str> = ids.iter().map(SessionId::as_str).collect();
            ids.join(",")
        });
        let fields = [
            ("id", made.id.to_string()),
            ("org", made.organization.to_string()),
            ("name", made.name.clone()),
            ("capabilities", made.capabilities.to_string()),
            ("sessions", sessions),
            ("expiresAt", made.expires_at.unwrap_or(0).to_string()),
            ("createdAt", now.to_string()),
        ];
        let () = connection
            .hset_multiple(self.store.keys.api_key(hash.as_str()), &fields)
            .await?;
        // A process may remember that there was no such key.
        self.tell(&hash).await?;
        Ok((secret, made))
    }

    /// The key with this hash; also one that has expired.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn find(&self, hash: &KeyHash) -> Result<Option<ApiKey>, RedisFailure> {
        let record = self.store.keys.api_key(hash.as_str());
        let fields: HashMap<String, String> = self.store.connection.clone().hgetall(record).await?;
        Ok(parse(&fields))
    }

    /// The keys of an organization, oldest first.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn list(&self, organization: &OrganizationId) -> Result<Vec<ApiKey>, RedisFailure> {
        let mut connection = self.store.connection.clone();
        let listed: HashMap<String, String> =
            connection.hgetall(self.list_key(organization)).await?;
        let mut keys = Vec::with_capacity(listed.len());
        // One at a time: the records lie in different slots of a Cluster.
        for hash in listed.values() {
            let fields: HashMap<String, String> =
                connection.hgetall(self.store.keys.api_key(hash)).await?;
            keys.extend(parse(&fields));
        }
        keys.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(keys)
    }

    /// Revokes a key of an organization, at once and everywhere, and gives its hash; `None` where it
    /// has none of this id. A repeat finishes what a crash cut short.
    ///
    /// # Errors
    /// When Redis does not answer; the key may be revoked already.
    pub async fn revoke(
        &self,
        organization: &OrganizationId,
        id: &ApiKeyId,
    ) -> Result<Option<KeyHash>, RedisFailure> {
        let mut connection = self.store.connection.clone();
        let list = self.list_key(organization);
        let hash: Option<String> = connection.hget(&list, id.as_str()).await?;
        let Some(hash) = hash.map(KeyHash::from_stored) else {
            return Ok(None);
        };
        let () = connection
            .del(self.store.keys.api_key(hash.as_str()))
            .await?;
        self.tell(&hash).await?;
        let () = connection.hdel(&list, id.as_str()).await?;
        Ok(Some(hash))
    }

    /// Revokes a key of whichever organization has it; false where none does. Looks at every
    /// organization: for operators, not for requests.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn revoke_anywhere(&self, id: &ApiKeyId) -> Result<bool, RedisFailure> {
        for organization in Organizations::new(self.store.clone()).all().await? {
            if self.revoke(&organization, id).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes when keys were used. One that was revoked meanwhile stays away.
    ///
    /// # Errors
    /// When Redis does not answer; some may have been noted.
    pub async fn used(&self, uses: &[(KeyHash, Millis)]) -> Result<(), RedisFailure> {
        let note = redis::Script::new(
            "if redis.call('EXISTS', KEYS[1]) == 1 then \
             redis.call('HSET', KEYS[1], 'lastUsedAt', ARGV[1]) end",
        );
        let mut connection = self.store.connection.clone();
        for (hash, at) in uses {
            let () = note
                .key(self.store.keys.api_key(hash.as_str()))
                .arg(*at)
                .invoke_async(&mut connection)
                .await?;
        }
        Ok(())
    }

    fn list_key(&self, organization: &OrganizationId) -> String {
        key(
            PARTITION,
            &self.store.keys.partition(organization),
            "apikeys",
            &[],
        )
    }

    async fn tell(&self, hash: &KeyHash) -> Result<(), RedisFailure> {
        let channel = self.store.keys.changed_channel();
        let message = format!("{CHANGED_KEY}{}", hash.as_str());
        let () = self
            .store
            .connection
            .clone()
            .publish(channel, message)
            .await?;
        Ok(())
    }
}

fn parse(fields: &HashMap<String, String>) -> Option<ApiKey> {
    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let sessions = text("sessions");
    Some(ApiKey {
        id: text("id").parse().ok()?,
        organization: text("org").parse().ok()?,
        name: text("name").to_owned(),
        capabilities: text("capabilities").parse().ok()?,
        // A scope that can not be read must not widen to all sessions: the key is no key then.
        sessions: if sessions.is_empty() {
            None
        } else {
            Some(
                sessions
                    .split(',')
                    .map(|id| id.parse().ok())
                    .collect::<Option<_>>()?,
            )
        },
        expires_at: text("expiresAt").parse().ok().filter(|at: &Millis| *at > 0),
        created_at: text("createdAt").parse().ok()?,
        last_used_at: text("lastUsedAt").parse().ok(),
    })
}
