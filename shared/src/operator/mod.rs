//! The operators of an installation: their keys, their sign-ins, and the audit log of what they did.
//!
//! A key is shown once and stored as its SHA-256, as API keys are: it has 256 random bits, so a slow
//! hash would add nothing. A sign-in is a random token of its own, so that a cookie is never a key.

mod audit;
mod jobs;
mod sign_in;

use redis::AsyncCommands;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Millis;
use crate::redis::keys::{GLOBAL, key};
use crate::redis::{RedisFailure, Store};

pub use audit::{AuditEntry, AuditLine, is_place};
pub use jobs::{Job, JobAction, JobFilter, JobProgress, JobState};
pub use sign_in::SignIn;

/// What every operator key begins with.
const PREFIX: &str = "op_";
/// Random bytes of a key and of a sign-in.
const RANDOM_BYTES: usize = 32;

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything and may act.
    Admin,
    /// Sees everything and changes nothing.
    Viewer,
}

impl Role {
    /// The name in commands and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "admin" => Ok(Self::Admin),
            "viewer" => Ok(Self::Viewer),
            _ => Err("must be admin or viewer".to_owned()),
        }
    }
}

/// An operator, without the secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    /// A name for people; the audit log shows it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When the key was made.
    pub created_at: Millis,
}

/// The operators behind a Redis.
#[derive(Debug, Clone)]
pub struct Operators {
    store: Store,
}

impl Operators {
    /// The operators behind `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Makes a key; its text is known to the caller alone.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn create(
        &self,
        now: Millis,
        name: &str,
        role: Role,
    ) -> Result<String, RedisFailure> {
        let secret = format!("{PREFIX}{}", random());
        let operator = Operator {
            name: name.to_owned(),
            role,
            created_at: now,
        };
        let () = self
            .store
            .connection
            .clone()
            .hset(
                self.global("operators", &[]),
                hash(&secret),
                json(&operator)?,
            )
            .await?;
        Ok(secret)
    }

    /// The operator whose key this is; `None` if it belongs to nobody.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn find(&self, secret: &str) -> Result<Option<Operator>, RedisFailure> {
        if !secret.starts_with(PREFIX) || secret.len() != PREFIX.len() + 2 * RANDOM_BYTES {
            return Ok(None);
        }
        let stored: Option<String> = self
            .store
            .connection
            .clone()
            .hget(self.global("operators", &[]), hash(secret))
            .await?;
        Ok(stored.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn global(&self, name: &str, arguments: &[&str]) -> String {
        key(GLOBAL, &self.store.keys.global(), name, arguments)
    }
}

fn random() -> String {
    let random: [u8; RANDOM_BYTES] = rand::random();
    hex::encode(random)
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn json<T: Serialize>(value: &T) -> Result<String, RedisFailure> {
    serde_json::to_string(value).map_err(|error| RedisFailure(std::io::Error::other(error).into()))
}
