//! The HTTP API as its callers know it.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, Event, EventStream, SendRequest, eventually};
use crate::contract::Contract;

/// Longer than the longest wait of the API (a synchronous send, 30 s).
const TIMEOUT: Duration = Duration::from_secs(60);

/// A caller with an API key, of one API process. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct ApiClient {
    http: reqwest::Client,
    address: String,
    key: String,
}

impl ApiClient {
    /// A caller of the API at `address` (`http://127.0.0.1:8080`) with this key.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(address: &str, key: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self {
            http,
            address: address.trim_end_matches('/').to_owned(),
            key: key.to_owned(),
        })
    }

    /// The same caller with less patience: a call that takes longer than `limit` has failed.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn within(&self, limit: Duration) -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().timeout(limit).build()?,
            ..self.clone()
        })
    }

    /// The same caller with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..self.clone()
        }
    }

    /// Where the API is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The key it calls with.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A request with the key; `path` begins after `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, &format!("/api/v1{path}"))
            .bearer_auth(&self.key)
    }

    /// A request without the key; `path` is the whole path.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address))
    }

    /// Sends a request and reads its answer, which must be one that the OpenAPI document has.
    ///
    /// # Errors
    /// When the API cannot be reached, the connection breaks, or the answer is not as the document
    /// says. A refusal is an answer.
    pub async fn call(&self, request: RequestBuilder) -> Result<Answer> {
        let request = request.build()?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let answer = Answer::read(self.http.execute(request).await?).await?;
        Contract::of_repository().check(method.as_str(), &path, &answer)?;
        Ok(answer)
    }

    /// GET of a path after `/api/v1`.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(self.request(Method::GET, path)).await
    }

    /// DELETE of a path after `/api/v1`.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.call(self.request(Method::DELETE, path)).await
    }

    /// POST of a JSON body to a path after `/api/v1`.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.call(self.request(Method::POST, path).json(body)).await
    }

    /// Whether it is ready to serve.
    pub async fn is_ready(&self) -> bool {
        let answer = self.call(self.bare(Method::GET, "/readyz")).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn send(&self, session: &str, send: &SendRequest) -> Result<Answer> {
        let mut request = self
            .request(Method::POST, &format!("/sessions/{session}/messages"))
            .json(&send.body);
        if let Some(asynchronous) = send.asynchronous {
            request = request.query(&[("async", asynchronous)]);
        }
        if let Some(key) = &send.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(id) = &send.request_id {
            request = request.header("X-Request-Id", id);
        }
        self.call(request).await
    }

    /// One entry of the outbox.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn outbox(&self, session: &str, outbox_id: &str) -> Result<Value> {
        let path = format!("/sessions/{session}/outbox/{outbox_id}");
        Ok(self.get(&path).await?.expect(200)?.json)
    }

    /// All entries of the outbox, the newest first, page by page.
    ///
    /// # Errors
    /// When a page is refused.
    pub async fn whole_outbox(&self, session: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/sessions/{session}/outbox");
            let request = self
                .request(Method::GET, &path)
                .query(&[("limit", "200"), ("cursor", &cursor)]);
            let page = self.call(request).await?.expect(200)?;
            let data = page.at("data").as_array().context("no data in a page")?;
            all.extend(data.iter().cloned());
            cursor = page.text("nextCursor")?;
            if cursor.is_empty() {
                return Ok(all);
            }
        }
    }

    /// A session.
    ///
    /// # Errors
    /// When there is none of this id.
    pub async fn session(&self, session: &str) -> Result<Value> {
        let path = format!("/sessions/{session}");
        Ok(self.get(&path).await?.expect(200)?.json)
    }

    /// Creates a session with these limits and starts it. Gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create_session(
        &self,
        label: &str,
        rate_per_min: u32,
        rate_per_hour: u32,
    ) -> Result<String> {
        let body = json!({
            "label": label,
            "start": true,
            "ratePerMin": rate_per_min,
            "ratePerHour": rate_per_hour,
        });
        self.post("/sessions", &body).await?.expect(201)?.text("id")
    }

    /// Starts a session that may have been stopped.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn start_session(&self, session: &str) -> Result<()> {
        let path = format!("/sessions/{session}:start");
        self.call(self.request(Method::POST, &path))
            .await?
            .expect(200)?;
        Ok(())
    }

    /// Waits until a session has a status, and gives the session.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn wait_for_session(&self, session: &str, status: &str) -> Result<Value> {
        let what = format!("session {session} becomes {status}");
        eventually(&what, async || {
            let now = self.session(session).await?;
            Ok((now["status"] == status).then_some(now))
        })
        .await
    }

    /// Waits for the QR code of a session.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn wait_for_qr(&self, session: &str) -> Result<String> {
        let path = format!("/sessions/{session}/qr");
        eventually("a QR code", async || {
            let answer = self.get(&path).await?;
            (answer.status == 200)
                .then(|| answer.text("code"))
                .transpose()
        })
        .await
    }

    /// Follows the organization's events from now on.
    ///
    /// # Errors
    /// When the stream is refused.
    pub async fn events(&self) -> Result<EventStream> {
        EventStream::open(self.clone()).await
    }

    /// Reads the event log from the event `since` on (not included) to its present end. The API
    /// must tell a sign of life now and then (`api.events_heartbeat_ms`): that is the end.
    ///
    /// # Errors
    /// When the stream is refused or breaks off before.
    pub async fn event_log(&self, since: &str) -> Result<Vec<Event>> {
        super::events::read_log(self, since).await
    }

    /// An HTTP client without a time limit, for streams.
    pub(super) fn endless(&self) -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().build()?,
            ..self.clone()
        })
    }
}
