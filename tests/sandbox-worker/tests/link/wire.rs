//! A wire between a link and the sandbox that can go dead without closing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections; see [`Wire::go_dead`].
pub(crate) struct Wire {
    address: SocketAddr,
    dead: Arc<AtomicBool>,
}

impl Wire {
    /// A wire to the server behind a `ws://` address.
    pub(crate) async fn to(url: &str) -> Self {
        let server = url
            .strip_prefix("ws://")
            .and_then(|rest| rest.split('/').next())
            .unwrap()
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dead = Arc::new(AtomicBool::new(false));
        let deadness = Arc::clone(&dead);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                // Only connections that there are die with the wire; a new one is a new wire.
                deadness.store(false, Ordering::Relaxed);
                let (client_reads, client_writes) = client.into_split();
                let (server_reads, server_writes) = server.into_split();
                let there = pump(client_reads, server_writes, Arc::clone(&deadness));
                let back = pump(server_reads, client_writes, Arc::clone(&deadness));
                tokio::spawn(there);
                tokio::spawn(back);
            }
        });
        Self { address, dead }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws/chat", self.address)
    }

    /// From now on nothing passes, in neither direction, and nobody is told.
    pub(crate) fn go_dead(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, dead: Arc<AtomicBool>) {
    let mut buffer = vec![0; 16 * 1024];
    let mut was_dead = false;
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        // What a wire has lost once it never delivers again.
        was_dead |= dead.load(Ordering::Relaxed);
        if !was_dead && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
