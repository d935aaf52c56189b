//! The way to WhatsApp's servers: TCP without Nagle, TLS, WebSocket.
//!
//! The library's own transport leaves Nagle's algorithm on, which costs 40 ms between a send and
//! its receipt.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_shared::clock::SharedClock;
use gateway_shared::connects::{Booked, Connects};
use gateway_shared::egress::EgressConfig;
use gateway_shared::proxy::Proxy;
use http::{HeaderValue, Uri, header::ORIGIN};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_websockets::{ClientBuilder, Connector, MaybeTlsStream, WebSocketStream};
use wacore::net::{WHATSAPP_WEB_ORIGIN, WHATSAPP_WEB_WS_URL};
use whatsapp_rust::http::HttpClient;
use whatsapp_rust::transport::{
    Transport, TransportEvent, TransportFactory, default_tls_connector, from_websocket,
};

use super::ack_gate::{Guarded, ReceivedFacts};
use super::histories::Bounded;
use super::proxy::Route;

/// How long one dial may take, waiting for its turn included. Below the library's own 20 seconds,
/// so that it is we who learn of the failure.
const DIAL_TIMEOUT: Duration = Duration::from_secs(18);

/// How a worker reaches WhatsApp (`[whatsapp]` of the configuration).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// The address of a protocol sandbox (`ws://host:port/ws/chat`). Must be set in the sandbox
    /// flavour of the worker and must not be in any other.
    pub url: Option<String>,
    /// How many links of one worker may dial at the same time, at least 1.
    pub concurrent_dials: usize,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            url: None,
            concurrent_dials: 32,
        }
    }
}

/// Why a configuration is no way to WhatsApp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// An address was given to a worker that may only talk to WhatsApp.
    #[error(
        "whatsapp.url is for the protocol sandbox only and this worker is not built for it: \
         remove it, or run gateway-worker-sandbox"
    )]
    CustomUrl,
    /// The sandbox flavour, which checks no certificates, was not told where the sandbox is.
    #[error("this worker is built for the protocol sandbox: set whatsapp.url to its ws:// address")]
    UrlMissing,
    /// The address is not a plain WebSocket's.
    #[error("whatsapp.url must be of the form ws://host:port/path")]
    UrlInvalid,
    /// No link could ever dial.
    #[error("whatsapp.concurrent_dials must be at least 1")]
    NoDials,
}

/// The way to WhatsApp, shared by all links of a worker: one TLS configuration, one HTTP client for files,
/// one bound on concurrent dials.
pub struct Network {
    endpoint: Uri,
    host: String,
    port: u16,
    tls: Arc<Connector>,
    http: Arc<Bounded>,
    dials: Arc<Semaphore>,
    /// The proxy that everything goes through.
    route: Option<Route>,
    /// How many connections are begun, beyond this worker.
    rate: Option<DialRate>,
}

/// Books connections at the rate of the whole installation.
#[derive(Debug, Clone)]
struct DialRate {
    connects: Connects,
    clock: SharedClock,
}

impl DialRate {
    /// Waits for the turn of a connection.
    async fn turn(&self) -> anyhow::Result<()> {
        match self.connects.book(self.clock.now()).await? {
            Booked::After(wait) => tokio::time::sleep(wait).await,
            Booked::Full(wait) => anyhow::bail!(
                "too many sessions are connecting (worker.whatsapp.connects_per_minute): the queue \
                 is {} s long",
                wait.as_secs()
            ),
        }
        Ok(())
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Which address a worker of this flavour dials.
///
/// # Errors
/// When the configuration and the flavour do not fit: see [`NetworkError`].
fn endpoint(url: Option<&str>, sandbox: bool) -> Result<Uri, NetworkError> {
    match (url, sandbox) {
        (None, false) => Ok(Uri::from_static(WHATSAPP_WEB_WS_URL)),
        (Some(_), false) => Err(NetworkError::CustomUrl),
        (None, true) => Err(NetworkError::UrlMissing),
        (Some(url), true) => {
            let uri: Uri = url.parse().map_err(|_| NetworkError::UrlInvalid)?;
            // WhatsApp itself is behind TLS, so a worker without certificate checks can not be
            // pointed at it by mistake.
            if uri.scheme_str() == Some("ws") && uri.host().is_some() {
                Ok(uri)
            } else {
                Err(NetworkError::UrlInvalid)
            }
        }
    }
}

impl Network {
    /// The way that `config` describes.
    ///
    /// # Errors
    /// See [`NetworkError`]; each says what to change.
    pub fn new(config: &NetworkConfig) -> Result<Arc<Self>, NetworkError> {
        let endpoint = endpoint(config.url.as_deref(), cfg!(feature = "sandbox"))?;
        if config.concurrent_dials == 0 {
            return Err(NetworkError::NoDials);
        }
        let secure = endpoint.scheme_str() == Some("wss");
        let host = endpoint.host().ok_or(NetworkError::UrlInvalid)?;
        // An IPv6 host is bracketed in an address and not when it is looked up.
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Arc::new(Self {
            port: endpoint.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            host,
            endpoint,
            tls: Arc::new(if secure {
                default_tls_connector()
            } else {
                Connector::Plain
            }),
            http: Arc::new(Bounded::new(super::http::client(None))),
            dials: Arc::new(Semaphore::new(config.concurrent_dials)),
            route: None,
            rate: None,
        }))
    }

    /// The same way, at the rate of the whole installation.
    #[must_use]
    pub fn at_rate(&self, connects: Connects, clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            rate: Some(DialRate { connects, clock }),
            ..self.alike()
        })
    }

    fn alike(&self) -> Self {
        Self {
            endpoint: self.endpoint.clone(),
            host: self.host.clone(),
            port: self.port,
            tls: Arc::clone(&self.tls),
            http: Arc::clone(&self.http),
            dials: Arc::clone(&self.dials),
            route: self.route.clone(),
            rate: self.rate.clone(),
        }
    }

    /// The same way through a proxy: connections and files, and nothing around it. One that a tenant
    /// named must be at an address that `guard` permits.
    #[must_use]
    pub fn through(&self, proxy: Proxy, guard: Option<Arc<EgressConfig>>) -> Arc<Self> {
        let route = Route { proxy, guard };
        let http = super::http::client(Some(&route));
        Arc::new(Self {
            http: Arc::new(self.http.by_another_way(http)),
            route: Some(route),
            ..self.alike()
        })
    }

    /// The HTTP client that the links share.
    pub(super) fn http(&self) -> Arc<dyn HttpClient> {
        Arc::clone(&self.http) as _
    }

    /// A connection to WhatsApp's server, or through the proxy to it.
    async fn connect(&self) -> anyhow::Result<TcpStream> {
        let Some(route) = self.route.clone() else {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            return Ok(stream);
        };
        let (host, port) = (self.host.clone(), self.port);
        let connecting =
            tokio::task::spawn_blocking(move || route.connect(&host, port, DIAL_TIMEOUT));
        let stream = connecting.await??;
        stream.set_nonblocking(true)?;
        Ok(TcpStream::from_std(stream)?)
    }

    pub(super) async fn dial(&self) -> anyhow::Result<WebSocketStream<MaybeTlsStream<TcpStream>>> {
        if let Some(rate) = &self.rate {
            rate.turn().await?;
        }
        let _turn = self.dials.acquire().await?;
        let stream = self.connect().await?;
        let stream = self.tls.wrap(&self.host, stream).await?;
        let builder = ClientBuilder::from_uri(self.endpoint.clone())
            .add_header(ORIGIN, HeaderValue::from_static(WHATSAPP_WEB_ORIGIN))?;
        let (socket, _) = builder.connect_on(stream).await?;
        Ok(socket)
    }
}

/// Whether the worker may act for the session at this very moment (law 3).
pub type MayAct = Arc<dyn Fn() -> bool + Send + Sync>;

/// Who is told about a link's dials.
#[async_trait]
pub(super) trait DialObserver: Send + Sync {
    /// A dial begins, so whatever connection there was is gone.
    fn dialing(&self);
    /// It succeeded.
    fn dialed(&self, transport: &Arc<dyn Transport>);
    /// Waits until the link is not wanted any more.
    async fn unwanted(&self);
    /// It failed.
    fn dial_failed(&self, error: &anyhow::Error);
}

/// The library's factory of transports for one link.
pub(super) struct Dialer<O> {
    pub(super) network: Arc<Network>,
    pub(super) observer: Arc<O>,
    pub(super) may_act: MayAct,
    pub(super) received: Arc<ReceivedFacts>,
}

#[async_trait]
impl<O: DialObserver + 'static> TransportFactory for Dialer<O> {
    async fn create_transport(
        &self,
    ) -> Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>), anyhow::Error> {
        self.observer.dialing();
        let dial = tokio::select! {
            biased;
            () = self.observer.unwanted() => Err(anyhow::anyhow!("the link is being closed")),
            dial = tokio::time::timeout(DIAL_TIMEOUT, self.network.dial()) => {
                dial.unwrap_or_else(|elapsed| Err(elapsed.into()))
            }
        };
        match dial {
            Ok(socket) => {
                let (inner, events) = from_websocket(socket);
                let (may_act, received) = (Arc::clone(&self.may_act), Arc::clone(&self.received));
                let transport: Arc<dyn Transport> =
                    Arc::new(Guarded::new(inner, may_act, received));
                self.observer.dialed(&transport);
                Ok((transport, events))
            }
            Err(error) => {
                self.observer.dial_failed(&error);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_dials_whatsapp_and_nothing_else() {
        assert_eq!(
            endpoint(None, false).unwrap(),
            "wss://web.whatsapp.com/ws/chat"
        );
        for url in ["ws://127.0.0.1:1/ws/chat", "wss://web.whatsapp.com/ws/chat"] {
            assert_eq!(endpoint(Some(url), false), Err(NetworkError::CustomUrl));
        }
    }

    #[test]
    fn the_sandbox_flavour_dials_a_sandbox_and_nothing_else() {
        assert_eq!(endpoint(None, true), Err(NetworkError::UrlMissing));
        assert!(endpoint(Some("ws://127.0.0.1:1/ws/chat"), true).is_ok());
        for url in ["wss://web.whatsapp.com/ws/chat", "http://x", "", "/ws"] {
            assert_eq!(endpoint(Some(url), true), Err(NetworkError::UrlInvalid));
        }
    }

    #[test]
    fn the_flavour_decides() {
        let config = NetworkConfig {
            url: Some("ws://127.0.0.1:1/ws/chat".into()),
            ..NetworkConfig::default()
        };
        let outcome = Network::new(&config).map(|_| ());
        if cfg!(feature = "sandbox") {
            assert_eq!(outcome, Ok(()));
        } else {
            assert_eq!(outcome, Err(NetworkError::CustomUrl));
        }
    }
}
