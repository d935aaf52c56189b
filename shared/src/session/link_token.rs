//! One-time tokens with which somebody without an account here links a phone to a session.

use std::collections::HashMap;

use rand::RngExt;
use redis::AsyncCommands;
use sha2::{Digest, Sha256};

use super::{member, parse_member};
use crate::clock::Millis;
use crate::lane::SessionRef;
use crate::redis::keys::{GLOBAL, key};
use crate::redis::{RedisFailure, Store};

/// How long a token that is over is remembered as such, in milliseconds.
const REMEMBERED_MS: Millis = 24 * 3_600_000;

/// What a token is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkToken {
    /// It links this session, until then.
    Valid {
        /// Which session.
        of: SessionRef,
        /// Until when.
        expires_at: Millis,
    },
    /// It was used, or is too old.
    Gone,
    /// There never was one, or it is long over.
    Unknown,
}

/// The tokens of an installation. Only their hashes are kept.
#[derive(Debug, Clone)]
pub struct LinkTokens {
    store: Store,
}

impl LinkTokens {
    /// Those behind `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    fn key(&self, token: &str) -> String {
        let hash = hex::encode(Sha256::digest(token));
        key(GLOBAL, &self.store.keys.global(), "link_token", &[&hash])
    }

    /// Makes a token for a session, good until `expires_at`.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn create(
        &self,
        now: Millis,
        of: &SessionRef,
        expires_at: Millis,
    ) -> Result<String, RedisFailure> {
        let token = hex::encode(rand::rng().random::<[u8; 24]>());
        let name = self.key(&token);
        let life = (expires_at - now).saturating_add(REMEMBERED_MS);
        let fields = [
            ("session", member(of)),
            ("expiresAt", expires_at.to_string()),
        ];
        let () = redis::pipe()
            .atomic()
            .hset_multiple(&name, &fields)
            .pexpire(&name, life)
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(token)
    }

    /// What a token is worth now.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn find(&self, now: Millis, token: &str) -> Result<LinkToken, RedisFailure> {
        let mut connection = self.store.connection.clone();
        let fields: HashMap<String, String> = connection.hgetall(self.key(token)).await?;
        let Some(of) = fields.get("session").and_then(|text| parse_member(text)) else {
            return Ok(LinkToken::Unknown);
        };
        let expires_at = fields.get("expiresAt").and_then(|text| text.parse().ok());
        let expires_at: Millis = expires_at.unwrap_or(0);
        if fields.contains_key("used") || expires_at <= now {
            return Ok(LinkToken::Gone);
        }
        Ok(LinkToken::Valid { of, expires_at })
    }

    /// A token has done what it was for.
    ///
    /// # Errors
    /// When Redis does not answer; it then ends by its time.
    pub async fn used(&self, token: &str) -> Result<(), RedisFailure> {
        let mut connection = self.store.connection.clone();
        let () = connection.hset(self.key(token), "used", "1").await?;
        Ok(())
    }
}
