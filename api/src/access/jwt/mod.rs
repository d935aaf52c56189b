//! Login tokens: JWTs of a frontend, verified against its published keys (JWKS).
//!
//! A token is accepted when a key of the set that is meant for exactly this algorithm verifies it,
//! and its claims say that it comes from the configured issuer, is meant for the configured
//! audience, and is valid now. Everything else is refused alike: who forges tokens learns nothing.
//! Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 §3, RFC 7519 §4.1, RFC 8037, RFC 8725.

mod claims;
mod jwk;
mod jwks;
mod jws;

use std::sync::Arc;

use gateway_shared::clock::SharedClock;
use gateway_shared::config::JwtConfig;

use super::authenticators::{AuthFailure, Verdict};
use super::token::Token;
use jwks::{Jwks, Lookup};
use jws::Jws;

/// The login tokens that this installation accepts.
#[derive(Debug)]
pub(crate) struct Logins {
    config: JwtConfig,
    keys: Arc<Jwks>,
    clock: SharedClock,
}

impl Logins {
    /// `None` where none are accepted.
    pub(crate) fn new(config: &JwtConfig, clock: SharedClock) -> Option<Self> {
        (!config.jwks_url.is_empty()).then(|| Self {
            config: config.clone(),
            keys: Arc::new(Jwks::new(config)),
            clock,
        })
    }

    /// Whose login a token is.
    ///
    /// # Errors
    /// When no key was ever learnt and the frontend does not answer: it can not be told.
    pub(super) async fn check(&self, token: &Token) -> Result<Verdict, AuthFailure> {
        let Some(jws) = Jws::parse(token.as_str()) else {
            return Ok(Verdict::Foreign);
        };
        // What no key can verify costs no look-up.
        let Some(algorithm) = jws.algorithm() else {
            return Ok(Verdict::Refused);
        };
        let key = match self.keys.find(jws.key_id(), algorithm).await {
            Lookup::Found(key) => key,
            Lookup::Unknown => return Ok(Verdict::Refused),
            Lookup::Unreachable => return Err(AuthFailure::KeysUnreachable),
        };
        if !key.verifies(jws.signed(), jws.signature()) {
            return Ok(Verdict::Refused);
        }
        let caller = jws
            .claims()
            .and_then(|claims| claims::caller(&claims, &self.config, self.clock.now()));
        Ok(caller.map_or(Verdict::Refused, |caller| {
            Verdict::Accepted(Arc::new(caller))
        }))
    }

    /// Keeps the keys fresh for as long as it is polled.
    pub(super) async fn refresh(&self) {
        self.keys.refresh().await;
    }
}
