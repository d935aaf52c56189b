//! WhatsApp's CDN: where encrypted files are uploaded to and downloaded from.
//!
//! ```text
//!  client ─ POST /mms/{kind}/{hash of the ciphertext} ─▶ file   (kept once, resumable)
//!         ◀─────────── direct path ────────────────────── reference ─▶ file
//!  client ─ GET {direct path} ─▶ ciphertext, or what the reference was expired with
//! ```
//!
//! A file stays as long as the sandbox; a *reference* to it can expire. A client whose reference has
//! expired asks for another one with a receipt (`retry.rs`), which the author's phone answers.
//!
//! One port answers on behalf of two hosts, `127.0.0.1` (primary) and `localhost` (fallback), and
//! takes TLS as well as plain HTTP: clients always ask for `https`.

mod faults;
mod http;
mod listener;
mod retry;
mod state;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::World;

pub(crate) use faults::Fault;
pub(crate) use retry::ask;
pub(crate) use state::Cdn;

/// Serves the CDN until told to stop.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>, stop: CancellationToken) {
    let listener = match listener::Listener::new(listener, stop.clone()) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the CDN has no certificate");
            return;
        }
    };
    tracing::debug!(address = ?listener.local_addr().ok(), "the CDN listens");
    let serving = axum::serve(listener, http::router(world))
        .with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = serving.await {
        tracing::error!(%error, "the CDN failed");
    }
}

/// The names of the two hosts, primary first.
pub(crate) fn hosts(address: SocketAddr) -> [String; 2] {
    let ip = if address.ip().is_unspecified() {
        "127.0.0.1".to_owned()
    } else {
        address.ip().to_string()
    };
    let port = address.port();
    [format!("{ip}:{port}"), format!("localhost:{port}")]
}

/// An error of the disk as one of the response.
fn disk(error: &io::Error) -> axum::http::StatusCode {
    tracing::warn!(%error, "the CDN's disk failed");
    axum::http::StatusCode::INTERNAL_SERVER_ERROR
}
