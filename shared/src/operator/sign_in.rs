//! Sign-ins of operators: a token in a cookie, its record in Redis, an end.

use redis::AsyncCommands;
use serde::{Deserialize, Serialize};

use super::{Operators, Role, hash, json, random};
use crate::redis::RedisFailure;

/// An operator who signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// Who.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What every action must carry, so that no other site can act with the cookie.
    pub csrf: String,
}

impl Operators {
    /// Signs somebody in for `life_ms`; gives the token for the cookie. Redis keeps its hash.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn sign_in(
        &self,
        name: &str,
        role: Role,
        life_ms: u64,
    ) -> Result<String, RedisFailure> {
        let token = random();
        let record = SignIn {
            name: name.to_owned(),
            role,
            csrf: random(),
        };
        let () = redis::cmd("SET")
            .arg(self.global("operator_sign_in", &[&hash(&token)]))
            .arg(json(&record)?)
            .arg("PX")
            .arg(life_ms)
            .query_async(&mut self.store.connection.clone())
            .await?;
        Ok(token)
    }

    /// The sign-in of a cookie's token; `None` if there is none or it has ended.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn signed_in(&self, token: &str) -> Result<Option<SignIn>, RedisFailure> {
        let key = self.global("operator_sign_in", &[&hash(token)]);
        let stored: Option<String> = self.store.connection.clone().get(key).await?;
        Ok(stored.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Ends a sign-in.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn sign_out(&self, token: &str) -> Result<(), RedisFailure> {
        let key = self.global("operator_sign_in", &[&hash(token)]);
        Ok(self.store.connection.clone().del(key).await?)
    }
}
