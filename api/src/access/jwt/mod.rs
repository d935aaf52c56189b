//! Login tokens: JWTs of a frontend, verified against its published keys (JWKS).
//!
//! A token is accepted when a key of the set that is meant for exactly this algorithm verifies it,
//! and its claims say that it comes from the configured issuer, is meant for the configured
//! audience, and is valid now. Everything else is refused alike: who forges tokens learns nothing.
//! Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 §3, RFC 7519 §4.1, RFC 8037, RFC 8725.

mod claims;
mod jwk;
mod jwks;
mod verifier;

use std::sync::Arc;

use gateway_shared::clock::SharedClock;
use gateway_shared::config::JwtConfig;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::authenticators::{AuthFailure, Verdict};
use super::token::Token;
use jwks::{Jwks, Lookup};

/// How a token may be signed. `none` and keyed hashes, for which a public key would be the secret,
/// are no such ways.
const ACCEPTED: [Algorithm; 3] = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256];
/// The longest token that is looked at, in bytes. Header fields of a request are bounded anyway.
const LONGEST: usize = 16 << 10;

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
        if config.jwks_url.is_empty() {
            return None;
        }
        verifier::install();
        Some(Self {
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
        let token = token.as_str();
        if token.len() > LONGEST {
            return Ok(Verdict::Foreign);
        }
        let Ok(header) = decode_header(token) else {
            return Ok(Verdict::Foreign);
        };
        // What no key can verify costs no look-up. Of extensions that must be understood (`crit`)
        // none are.
        if !ACCEPTED.contains(&header.alg) || header.crit.is_some() {
            return Ok(Verdict::Refused);
        }
        let key = match self.keys.find(header.kid.as_deref(), header.alg).await {
            Lookup::Found(key) => key,
            Lookup::Unknown => return Ok(Verdict::Refused),
            Lookup::Unreachable => return Err(AuthFailure::KeysUnreachable),
        };
        let rules = rules(&self.config, key.algorithm);
        let caller = decode::<Map<String, Value>>(token, &key.material, &rules)
            .ok()
            .and_then(|token| claims::caller(&token.claims, &self.config, self.clock.now()));
        Ok(caller.map_or(Verdict::Refused, |caller| {
            Verdict::Accepted(Arc::new(caller))
        }))
    }

    /// Keeps the keys fresh for as long as it is polled.
    pub(super) async fn refresh(&self) {
        self.keys.refresh().await;
    }
}

/// What a token must be, apart from its time: that is told by the gateway's clock and not by the
/// library's.
fn rules(config: &JwtConfig, algorithm: Algorithm) -> Validation {
    let mut rules = Validation::new(algorithm);
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules.set_issuer(&[&config.issuer]);
    rules.set_audience(&[&config.audience]);
    rules.set_required_spec_claims(&["iss", "aud"]);
    rules
}
