//! A proxy that counts: HTTP CONNECT and SOCKS5, with a user name and a password.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Who may use it.
pub const USER: &str = "gateway";
/// And with which password.
pub const PASSWORD: &str = "correct-horse";

/// What it did.
#[derive(Debug, Default)]
struct Seen {
    /// Where it was asked to lead, `host:port`.
    tunnels: Vec<String>,
    /// How many it turned away.
    refused: usize,
}

/// A running proxy; it ends with its owner.
#[derive(Debug)]
pub struct CountingProxy {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    serving: JoinHandle<()>,
}

impl CountingProxy {
    /// Starts one on a free port of this machine. It speaks both protocols: the first byte says which.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let keep = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let seen = Arc::clone(&keep);
                tokio::spawn(async move {
                    if serve(client, &seen).await.is_err() {
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.refused += 1;
                    }
                });
            }
        });
        Ok(Self {
            port,
            seen,
            serving,
        })
    }

    /// Its URL in a scheme (`http`, `socks5`), with this password.
    #[must_use]
    pub fn url(&self, scheme: &str, password: &str) -> String {
        format!("{scheme}://{USER}:{password}@127.0.0.1:{}", self.port)
    }

    /// Its URL as sessions show it.
    #[must_use]
    pub fn shown(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Where it has led, `host:port`, in order.
    #[must_use]
    pub fn tunnels(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.tunnels.clone()
    }

    /// How many connections it turned away.
    #[must_use]
    pub fn refused(&self) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.refused
    }
}

impl Drop for CountingProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut client: TcpStream, seen: &Mutex<Seen>) -> Result<()> {
    let mut first = [0];
    client.peek(&mut first).await?;
    let socks = first[0] == 5;
    let target = if socks {
        socks_target(&mut client).await?
    } else {
        connect_target(&mut client).await?
    };
    let mut server = TcpStream::connect(&target).await?;
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .tunnels
        .push(target);
    let done: &[u8] = if socks {
        &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    } else {
        b"HTTP/1.1 200 Connection established\r\n\r\n"
    };
    client.write_all(done).await?;
    // However it ends, it was a good one.
    let _ = copy_bidirectional(&mut client, &mut server).await;
    Ok(())
}

async fn connect_target(client: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < 8_192, "no end of the head");
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let basic = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    if !head.contains(&format!("Proxy-Authorization: Basic {basic}\r\n")) {
        let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
        client.write_all(answer).await?;
        bail!("wrong credentials");
    }
    let mut words = head.split_ascii_whitespace();
    ensure!(words.next() == Some("CONNECT"), "not CONNECT: {head}");
    Ok(words.next().context("no target")?.to_owned())
}

async fn socks_target(client: &mut TcpStream) -> Result<String> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    client.read_exact(&mut methods).await?;
    ensure!(methods.contains(&2), "no credentials offered");
    client.write_all(&[5, 2]).await?;
    ensure!(client.read_u8().await? == 1, "no sign-in");
    let user = text(client).await?;
    let password = text(client).await?;
    let known = user == USER && password == PASSWORD;
    client.write_all(&[1, u8::from(!known)]).await?;
    ensure!(known, "wrong credentials");
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address).await?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        3 => text(client).await?,
        kind => bail!("an address of kind {kind}"),
    };
    Ok(format!("{host}:{}", client.read_u16().await?))
}

async fn text(client: &mut TcpStream) -> Result<String> {
    let length = client.read_u8().await?;
    let mut text = vec![0; usize::from(length)];
    client.read_exact(&mut text).await?;
    Ok(String::from_utf8(text)?)
}
