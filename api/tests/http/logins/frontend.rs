//! A login frontend: keys of its own, published over HTTP, and tokens.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway_shared::config::Config;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::world::now;

pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const AUDIENCE: &str = "gateway";

/// A key pair of the frontend.
pub(crate) enum Signer {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub(crate) fn ed() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    pub(crate) fn ec() -> Self {
        let rng = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
        let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
        Self::Ec(EcdsaKeyPair::from_pkcs8(alg, pkcs8.as_ref(), &rng).unwrap())
    }

    /// The one of this folder, made for these tests and used nowhere else: ring makes no RSA keys.
    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("../rsa_test_key.pk8")).unwrap())
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed(_) => "EdDSA",
            Self::Ec(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    pub(crate) fn sign(&self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed(pair) => pair.sign(text).as_ref().to_vec(),
            Self::Ec(pair) => {
                let signed = pair.sign(&SystemRandom::new(), text).unwrap();
                signed.as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    text,
                    &mut signature,
                )
                .unwrap();
                signature
            }
        }
    }

    /// The public key as everybody may have it, in bytes: what a forger would use as a secret.
    pub(crate) fn public(&self) -> Vec<u8> {
        match self {
            Self::Ed(pair) => pair.public_key().as_ref().to_vec(),
            Self::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Self::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Ed(_) => json!({
                "kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig",
                "x": encode(&self.public()),
            }),
            Self::Ec(_) => {
                let point = self.public();
                json!({
                    "kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256",
                    "x": encode(&point[1..33]), "y": encode(&point[33..]),
                })
            }
            Self::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({
                    "kty": "RSA", "kid": kid, "alg": "RS256",
                    "n": encode(&public.n),
                    "e": encode(&public.e),
                })
            }
        }
    }

    /// A token of these claims, signed with this key.
    pub(crate) fn token(&self, kid: &str, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm(), "typ": "JWT", "kid": kid});
        let signed = unsigned(&header, claims);
        let signature = encode(&self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// The part of a token that is signed.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The claims of an owner of an organization, valid now.
pub(crate) fn claims(organization: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1",
        "iat": now() / 1_000, "exp": now() / 1_000 + 300,
        "activeOrganizationId": organization, "orgRole": "owner",
    })
}

/// These claims with some of them changed.
pub(crate) fn with(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// The frontend's JWKS over HTTP.
pub(crate) struct Frontend {
    pub(crate) url: String,
    state: Arc<Mutex<Published>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Published {
    keys: Vec<Value>,
    down: bool,
    hangs: bool,
    asked: u32,
}

impl Drop for Frontend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Frontend {
    pub(crate) async fn start(keys: Vec<Value>) -> Self {
        let state = Arc::new(Mutex::new(Published {
            keys,
            ..Published::default()
        }));
        let router = Router::new()
            .route("/jwks", get(jwks))
            .with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state, task }
    }

    pub(crate) fn publish(&self, keys: Vec<Value>) {
        self.state.lock().unwrap().keys = keys;
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }

    /// It takes requests for its keys and answers none of them.
    pub(crate) fn hang(&self) {
        self.state.lock().unwrap().hangs = true;
    }

    /// How often its keys were asked for.
    pub(crate) fn asked(&self) -> u32 {
        self.state.lock().unwrap().asked
    }

    /// Makes a configuration trust it. Keys are fetched by and by only once an hour.
    pub(crate) fn trusted(&self, config: &mut Config) {
        let jwt = &mut config.auth.jwt;
        jwt.jwks_url.clone_from(&self.url);
        jwt.issuer = ISSUER.to_owned();
        jwt.audience = AUDIENCE.to_owned();
        jwt.leeway_ms = 0;
        jwt.refresh_ms = 3_600_000;
    }
}

async fn jwks(State(state): State<Arc<Mutex<Published>>>) -> Response {
    let answer = {
        let mut state = state.lock().unwrap();
        state.asked += 1;
        match (state.hangs, state.down) {
            (true, _) => None,
            (false, true) => Some(StatusCode::SERVICE_UNAVAILABLE.into_response()),
            (false, false) => Some(Json(json!({"keys": state.keys})).into_response()),
        }
    };
    match answer {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}
