//! The library's WebSocket without Nagle's algorithm, which would cost a send 40 ms.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::ORIGIN;
use http::{HeaderValue, Uri};
use tokio::net::TcpStream;
use tokio_websockets::ClientBuilder;
use wacore::net::WHATSAPP_WEB_ORIGIN;
use whatsapp_rust::transport::{Transport, TransportEvent, TransportFactory, from_websocket};

/// Dials the sandbox.
pub(super) struct NoDelay {
    endpoint: Uri,
    place: String,
}

impl NoDelay {
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let endpoint: Uri = url.parse()?;
        let place = endpoint
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default();
        Ok(Self { endpoint, place })
    }
}

#[async_trait]
impl TransportFactory for NoDelay {
    async fn create_transport(
        &self,
    ) -> anyhow::Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>)> {
        let stream = TcpStream::connect(&self.place).await?;
        stream.set_nodelay(true)?;
        let builder = ClientBuilder::from_uri(self.endpoint.clone())
            .add_header(ORIGIN, HeaderValue::from_static(WHATSAPP_WEB_ORIGIN))?;
        let (socket, _) = builder.connect_on(stream).await?;
        Ok(from_websocket(socket))
    }
}
