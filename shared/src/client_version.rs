//! The version of WhatsApp Web that the workers of an installation announce, as Redis remembers it.
//!
//! WhatsApp stops serving a version some weeks after it appeared, so the newest one is fetched again
//! and again: by one worker for all of them, and kept for those that start while the page can not
//! be reached.

use std::collections::HashMap;

use redis::AsyncCommands;

use crate::clock::Millis;
use crate::redis::keys::{GLOBAL, key};
use crate::redis::{RedisFailure, Store};

/// What is known about versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownVersion {
    /// The newest version that was fetched, such as `2.3000.1042742319`.
    pub version: Option<String>,
    /// When it was fetched.
    pub fetched_at: Option<Millis>,
    /// Why the latest attempt to fetch failed; nothing after one that succeeded.
    pub problem: Option<String>,
    /// The version that WhatsApp rejected last.
    pub rejected: Option<String>,
    /// When it did.
    pub rejected_at: Option<Millis>,
    /// When WhatsApp stops serving the present version, where it announced that.
    pub expires_at: Option<Millis>,
}

impl KnownVersion {
    /// Whether WhatsApp rejects clients of this installation: a session was turned away for its
    /// version, and nothing was let in with that version, and no other version fetched, since.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        match (self.rejected_at, self.fetched_at) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(rejected), Some(fetched)) => rejected >= fetched || self.rejected == self.version,
        }
    }
}

/// The versions that an installation knows. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct ClientVersions {
    store: Store,
}

impl ClientVersions {
    /// Those behind `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    fn key(&self) -> String {
        key(GLOBAL, &self.store.keys.global(), "client_version", &[])
    }

    /// What is known at present.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn known(&self) -> Result<KnownVersion, RedisFailure> {
        let fields: HashMap<String, String> = redis::cmd("HGETALL")
            .arg(self.key())
            .query_async(&mut self.store.connection.clone())
            .await?;
        let text = |name: &str| fields.get(name).filter(|text| !text.is_empty()).cloned();
        let time = |name: &str| text(name).and_then(|text| text.parse().ok());
        Ok(KnownVersion {
            version: text("version"),
            fetched_at: time("fetchedAt"),
            problem: text("problem"),
            rejected: text("rejected"),
            rejected_at: time("rejectedAt"),
            expires_at: time("expiresAt"),
        })
    }

    /// Whether the caller is the one that fetches now. Nobody else is for `pause_ms` milliseconds,
    /// whatever comes of it: the page is WhatsApp's, and a thousand sessions may be rejected at once.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn may_fetch(&self, pause_ms: u64) -> Result<bool, RedisFailure> {
        let name = key(
            GLOBAL,
            &self.store.keys.global(),
            "client_version_fetch",
            &[],
        );
        let taken: Option<String> = redis::cmd("SET")
            .arg(name)
            .arg("1")
            .arg("NX")
            .arg("PX")
            .arg(pause_ms.max(1))
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(taken.is_some())
    }

    /// Remembers a version that was fetched.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn fetched(&self, now: Millis, version: &str) -> Result<(), RedisFailure> {
        let now = now.to_string();
        self.set(&[
            ("version", version),
            ("fetchedAt", &now),
            ("problem", ""),
            ("expiresAt", ""),
        ])
        .await
    }

    /// Remembers why a fetch failed. The last good version stays.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn fetch_failed(&self, problem: &str) -> Result<(), RedisFailure> {
        self.set(&[("problem", problem)]).await
    }

    /// Remembers that WhatsApp rejected a version.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn rejected(&self, now: Millis, version: &str) -> Result<(), RedisFailure> {
        let now = now.to_string();
        self.set(&[("rejected", version), ("rejectedAt", &now)])
            .await
    }

    /// Remembers that WhatsApp let a session in: what it rejected before is past.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn accepted(&self) -> Result<(), RedisFailure> {
        self.set(&[("rejected", ""), ("rejectedAt", "")]).await
    }

    /// Remembers until when WhatsApp says that it serves the present version.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn expires(&self, at: Millis) -> Result<(), RedisFailure> {
        self.set(&[("expiresAt", &at.to_string())]).await
    }

    async fn set(&self, fields: &[(&str, &str)]) -> Result<(), RedisFailure> {
        let mut connection = self.store.connection.clone();
        let () = connection.hset_multiple(self.key(), fields).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_counts_until_another_version_is_known() {
        let mut known = KnownVersion {
            version: Some("2.3000.1".into()),
            fetched_at: Some(10),
            ..KnownVersion::default()
        };
        assert!(!known.is_outdated());
        (known.rejected, known.rejected_at) = (Some("2.3000.1".into()), Some(20));
        assert!(known.is_outdated());
        // Fetched again, and it is still the one that was rejected.
        known.fetched_at = Some(30);
        assert!(known.is_outdated());
        known.version = Some("2.3000.2".into());
        assert!(!known.is_outdated());
        (known.version, known.fetched_at) = (None, None);
        assert!(known.is_outdated());
    }
}
