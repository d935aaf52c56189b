//! Connections to the CDN: with TLS or without, on one port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

/// A client that does not say a byte, or does not end its TLS handshake, is dropped.
const GREETING: Duration = Duration::from_secs(20);
/// The first byte of a TLS handshake; no HTTP request begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

type Io = Either<TcpStream, TlsStream<TcpStream>>;

/// Gives out connections once it is known what they speak.
pub(super) struct Listener {
    ready: mpsc::Receiver<(Io, SocketAddr)>,
    address: SocketAddr,
}

impl Listener {
    /// Begins to accept, with a certificate made for the occasion.
    pub(super) fn new(listener: TcpListener, stop: CancellationToken) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let acceptor = acceptor().map_err(io::Error::other)?;
        let (sender, ready) = mpsc::channel(64);
        tokio::spawn(stop.run_until_cancelled_owned(accept(listener, acceptor, sender)));
        Ok(Self { ready, address })
    }
}

impl axum::serve::Listener for Listener {
    type Io = Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The sandbox is stopping.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<(Io, SocketAddr)>,
) {
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(GREETING, greet(stream, acceptor)).await {
                Ok(Ok(io)) => {
                    ready.send((io, from)).await.ok();
                }
                Ok(Err(error)) => tracing::debug!(%error, "a connection to the CDN ended"),
                Err(_) => tracing::debug!("a connection to the CDN said nothing"),
            }
        });
    }
}

async fn greet(stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<Io> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first[0] == TLS_HANDSHAKE {
        acceptor.accept(stream).await.map(Either::Right)
    } else {
        Ok(Either::Left(stream))
    }
}

fn acceptor() -> Result<TlsAcceptor, Box<dyn std::error::Error + Send + Sync>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
