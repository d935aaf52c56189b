//! An endpoint of webhooks: an HTTP server of the test's own that answers as it is told to.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long an expected delivery may take.
const LIMIT: Duration = Duration::from_secs(60);

/// One request that came in.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it came.
    pub body: Bytes,
    /// When it came.
    pub at: Instant,
    /// What it was answered; 0 = nothing.
    pub status: u16,
}

impl Posted {
    /// A header's text; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Its `webhook-id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Its body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether one of its signatures is by this secret (`whsec_…`).
    #[must_use]
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").unwrap_or(secret);
        let Ok(key) = STANDARD.decode(key) else {
            return false;
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let mut content =
            format!("{}.{}.", self.id(), self.header("webhook-timestamp")).into_bytes();
        content.extend_from_slice(&self.body);
        self.header("webhook-signature")
            .split(' ')
            .any(|signature| {
                let tag = signature
                    .strip_prefix("v1,")
                    .map(|tag| STANDARD.decode(tag));
                matches!(tag, Some(Ok(tag)) if hmac::verify(&key, &content, &tag).is_ok())
            })
    }
}

/// What a request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// This status with `Retry-After`, in seconds.
    RetryAfter(u16, u64),
    /// Nothing, for ever.
    Hang,
}

type Behaviour = Arc<dyn Fn(&Posted) -> Reply + Send + Sync>;

struct Inner {
    behaviour: Mutex<Behaviour>,
    posted: watch::Sender<Vec<Posted>>,
}

/// An endpoint of webhooks. It ends when it is dropped.
pub struct Receiver {
    address: String,
    inner: Arc<Inner>,
    running: JoinHandle<()>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "receiver at {}", self.address)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Receiver {
    /// Starts one on a free port that answers everything with 200.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self> {
        Self::start_at("127.0.0.1:0").await
    }

    /// As [`Receiver::start`], at this address.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn start_at(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?.to_string();
        let inner = Arc::new(Inner {
            behaviour: Mutex::new(Arc::new(|_| Reply::Status(200))),
            posted: watch::Sender::new(Vec::new()),
        });
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&inner));
        let running = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            inner,
            running,
        })
    }

    /// Its host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A URL of it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on it answers like this.
    pub fn answer(&self, behaviour: impl Fn(&Posted) -> Reply + Send + Sync + 'static) {
        let mut present = self
            .inner
            .behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *present = Arc::new(behaviour);
    }

    /// Everything that came in, in order.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.inner.posted.borrow().clone()
    }

    /// What was answered with success, each `webhook-id` once, in order.
    #[must_use]
    pub fn delivered(&self) -> Vec<Posted> {
        accepted(&self.inner.posted.borrow())
    }

    /// Waits until what came in is enough.
    ///
    /// # Errors
    /// When it is not within a minute.
    pub async fn wait_for(
        &self,
        what: &str,
        enough: impl Fn(&[Posted]) -> bool,
    ) -> Result<Vec<Posted>> {
        let mut seen = self.inner.posted.subscribe();
        let found = tokio::time::timeout(LIMIT, seen.wait_for(|posted| enough(posted))).await;
        if let Ok(found) = found {
            return Ok(found.context("the receiver has ended")?.clone());
        }
        let posted = self.posted();
        ensure!(
            false,
            "{what}: not after {} requests: {:?}",
            posted.len(),
            posted
                .iter()
                .map(|one| (one.json()["event"].clone(), one.status))
                .collect::<Vec<_>>()
        );
        Ok(posted)
    }

    /// Waits until so many different events were answered with success.
    ///
    /// # Errors
    /// When they are not within a minute.
    pub async fn wait_for_delivered(&self, number: usize) -> Result<Vec<Posted>> {
        let what = format!("{number} events are delivered");
        let all = self
            .wait_for(&what, |posted| accepted(posted).len() >= number)
            .await?;
        Ok(accepted(&all))
    }
}

fn accepted(posted: &[Posted]) -> Vec<Posted> {
    let mut seen = std::collections::HashSet::new();
    posted
        .iter()
        .filter(|one| (200..300).contains(&one.status) && seen.insert(one.id().to_owned()))
        .cloned()
        .collect()
}

async fn receive(
    State(inner): State<Arc<Inner>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, &'static str) {
    let mut posted = Posted {
        path: uri.path().to_owned(),
        headers,
        body,
        at: Instant::now(),
        status: 0,
    };
    let behaviour = inner
        .behaviour
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let reply = behaviour(&posted);
    let mut answered = HeaderMap::new();
    match reply {
        Reply::Status(status) => posted.status = status,
        Reply::RetryAfter(status, seconds) => {
            posted.status = status;
            answered.insert("retry-after", seconds.into());
        }
        Reply::Hang => {}
    }
    let status = posted.status;
    inner.posted.send_modify(|all| all.push(posted));
    if reply == Reply::Hang {
        std::future::pending::<()>().await;
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, answered, "noted")
}
