//! The client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::config::EgressConfig;
use super::error::{EgressError, Refusal, Stage};
use super::resolver::{GuardedResolver, Lookup, SystemLookup};
use super::target::Target;

/// What receivers see as the program that calls.
const USER_AGENT: &str = concat!("whatsapp-gateway/", env!("CARGO_PKG_VERSION"));
/// Idle connections that are kept to one host, and for how long.
const IDLE_EACH: usize = 32;
const IDLE: Duration = Duration::from_secs(30);

/// Sends requests to addresses that tenants name, and to no special one. Cheap to clone; the
/// clones share their connections.
#[derive(Debug, Clone)]
pub struct Egress {
    client: reqwest::Client,
    config: Arc<EgressConfig>,
}

/// A request.
#[derive(Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Where to.
    pub target: Target,
    /// Its headers. To another origin than the first (a redirect) none of them are sent.
    pub headers: HeaderMap,
    /// Its body; empty = none.
    pub body: Bytes,
}

/// Without headers and body, which may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.method, self.target)
    }
}

/// How much a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the head of the answer, the connection included.
    pub first_byte: Duration,
    /// As a whole, redirects and body included.
    pub total: Duration,
    /// Greatest size of the answer's body, in bytes.
    pub body: u64,
    /// Redirects that are followed, each to a target that is checked; 0 = a redirect is an answer
    /// like any other.
    pub redirects: usize,
}

impl Limits {
    /// The configured deadlines, a body of at most so many bytes, and no redirects.
    #[must_use]
    pub fn of(config: &EgressConfig, body: u64) -> Self {
        Self {
            first_byte: config.first_byte(),
            total: config.total(),
            body,
            redirects: 0,
        }
    }
}

/// The head of an answer; its body is read piece by piece, within the limits of the request.
#[derive(Debug)]
pub struct Response {
    inner: reqwest::Response,
    target: Target,
    deadline: Instant,
    limit: u64,
    read: u64,
}

impl Egress {
    /// A client as configured.
    ///
    /// # Errors
    /// When TLS can not be set up.
    pub fn new(config: &EgressConfig) -> Result<Self, EgressError> {
        Self::with_lookup(config, Arc::new(SystemLookup))
    }

    /// A client that looks names up with `lookup`.
    ///
    /// # Errors
    /// When TLS can not be set up.
    pub fn with_lookup(
        config: &EgressConfig,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, EgressError> {
        let resolver = GuardedResolver {
            lookup,
            allow: config.allow.clone().into(),
        };
        let client = reqwest::Client::builder()
            .dns_resolver(Arc::new(resolver))
            .no_proxy()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(config.connect())
            .pool_max_idle_per_host(IDLE_EACH)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| EgressError::of(&error, Stage::Connect))?;
        Ok(Self {
            client,
            config: Arc::new(config.clone()),
        })
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &EgressConfig {
        &self.config
    }

    /// Checks a URL as far as its text goes.
    ///
    /// # Errors
    /// Why it is refused, in words for whoever named it.
    pub fn target(&self, url: &str) -> Result<Target, Refusal> {
        Target::parse(&self.config, url)
    }

    /// Sends a request and waits for the head of its answer, whatever its status.
    ///
    /// # Errors
    /// When there is no answer, or a redirect leads too far or to a refused address.
    pub async fn send(&self, request: Request, limits: Limits) -> Result<Response, EgressError> {
        let begun = Instant::now();
        let deadline = begun + limits.total;
        let mut request = request;
        let mut followed = 0;
        loop {
            let until = deadline.min(Instant::now() + limits.first_byte);
            let inner = self.once(&request, until).await?;
            let location = (inner.status().is_redirection() && limits.redirects > 0)
                .then(|| inner.headers().get(LOCATION))
                .flatten();
            let Some(location) = location else {
                return Ok(Response {
                    inner,
                    target: request.target,
                    deadline,
                    limit: limits.body,
                    read: 0,
                });
            };
            if followed == limits.redirects {
                return Err(EgressError::TooManyRedirects(limits.redirects));
            }
            followed += 1;
            let location = location.to_str().map_err(|_| EgressError::BadRedirect)?;
            let next = request.target.join(&self.config, location)?;
            if !next.same_origin(&request.target) {
                request.headers.clear();
            }
            // 307 and 308 repeat the request; the others fetch what it led to.
            let repeats = matches!(
                inner.status(),
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
            );
            if !repeats && request.method != Method::HEAD {
                request.method = Method::GET;
                request.body = Bytes::new();
            }
            request.target = next;
        }
    }

    async fn once(
        &self,
        request: &Request,
        until: Instant,
    ) -> Result<reqwest::Response, EgressError> {
        let mut sent = self
            .client
            .request(request.method.clone(), request.target.url().clone())
            .headers(request.headers.clone());
        if !request.body.is_empty() {
            sent = sent.body(request.body.clone());
        }
        match timeout_at(until, sent.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(EgressError::of(&error, Stage::FirstByte)),
            Err(_) => Err(EgressError::Timeout(Stage::FirstByte)),
        }
    }
}

impl Response {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Where it came from in the end.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When the body is larger than the limit (also where its head already says so), the time is
    /// over, or the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EgressError> {
        let limit = self.limit;
        if self.inner.content_length().is_some_and(|all| all > limit) {
            return Err(EgressError::TooLarge { limit });
        }
        let chunk = self.next().await?;
        self.read += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.read > limit {
            return Err(EgressError::TooLarge { limit });
        }
        Ok(chunk)
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub async fn bytes(mut self) -> Result<Bytes, EgressError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// The first bytes of the body, up to `kept`. Reads on to the end, so that the connection can
    /// be used again, but never more than the limit: what is left then is cut off with the
    /// connection.
    ///
    /// # Errors
    /// When the time is over or the connection breaks.
    pub async fn beginning(mut self, kept: usize) -> Result<Bytes, EgressError> {
        let mut whole = BytesMut::new();
        while self.read < self.limit {
            let Some(chunk) = self.next().await? else {
                break;
            };
            self.read += chunk.len() as u64;
            let room = kept.saturating_sub(whole.len()).min(chunk.len());
            whole.extend_from_slice(&chunk[..room]);
        }
        Ok(whole.freeze())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, EgressError> {
        match timeout_at(self.deadline, self.inner.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(EgressError::of(&error, Stage::Body)),
            Err(_) => Err(EgressError::Timeout(Stage::Body)),
        }
    }
}
