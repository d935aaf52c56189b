//! A login frontend for a world: it publishes a key and signs tokens with it.

use anyhow::{Result, anyhow};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The claims that a world's APIs are told to expect.
const ISSUER: &str = "https://login.invalid";
const AUDIENCE: &str = "gateway";
/// 2100: tokens of tests do not end by themselves.
const END: u64 = 4_102_444_800;

/// A frontend that people log in at. It ends when it is dropped.
#[derive(Debug)]
pub struct LoginFrontend {
    key: Ed25519KeyPair,
    address: String,
    task: JoinHandle<()>,
}

impl Drop for LoginFrontend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LoginFrontend {
    /// Makes a key and publishes it.
    ///
    /// # Errors
    /// When there is no randomness or no free port.
    pub async fn start() -> Result<Self> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| anyhow!("no randomness"))?;
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|error| anyhow!("{error}"))?;
        let set = json!({"keys": [{
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": "login",
            "x": URL_SAFE_NO_PAD.encode(key.public_key()),
        }]});
        let router = Router::new().route("/jwks", get(async move || Json(set.clone())));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}/jwks", listener.local_addr()?);
        let task = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { key, address, task })
    }

    /// What makes an API trust it, as variables of its environment.
    #[must_use]
    pub fn api_env(&self) -> [(&'static str, &str); 3] {
        [
            ("GATEWAY_AUTH__JWT__JWKS_URL", &self.address),
            ("GATEWAY_AUTH__JWT__ISSUER", ISSUER),
            ("GATEWAY_AUTH__JWT__AUDIENCE", AUDIENCE),
        ]
    }

    /// A token of a person who acts for an organization with a role in it.
    #[must_use]
    pub fn token(&self, organization: &str, role: &str) -> String {
        self.sign(&json!({"activeOrganizationId": organization, "orgRole": role}))
    }

    /// A token of an operator of the installation who acts for an organization.
    #[must_use]
    pub fn operator(&self, organization: &str) -> String {
        self.sign(&json!({"activeOrganizationId": organization, "role": "super_admin"}))
    }

    fn sign(&self, claims: &Value) -> String {
        let mut claims = claims.clone();
        claims["iss"] = ISSUER.into();
        claims["aud"] = AUDIENCE.into();
        claims["sub"] = "somebody".into();
        claims["exp"] = END.into();
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "EdDSA", "kid": "login"});
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}
