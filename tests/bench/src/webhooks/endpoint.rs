//! An endpoint that answers 200 with as little work as possible, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// How long what is expected may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The endpoint. Its thread ends with the process.
#[derive(Debug)]
pub(super) struct Endpoint {
    url: String,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    count: AtomicUsize,
    more: Notify,
}

impl Endpoint {
    pub(super) fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}/", listener.local_addr()?);
        let seen = Arc::<Seen>::default();
        let counted = Arc::clone(&seen);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener)?;
                loop {
                    let (stream, _) = listener.accept().await?;
                    tokio::spawn(serve(stream, Arc::clone(&counted)));
                }
                #[expect(unreachable_code, reason = "gives the block its type")]
                anyhow::Ok(())
            })
        });
        Ok(Self { url, seen })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Requests so far.
    pub(super) fn count(&self) -> usize {
        self.seen.count.load(Ordering::Acquire)
    }

    /// Waits for so many requests.
    pub(super) async fn wait_for(&self, number: usize) -> Result<()> {
        let reached = async {
            loop {
                let more = self.seen.more.notified();
                if self.count() >= number {
                    return;
                }
                more.await;
            }
        };
        if tokio::time::timeout(LIMIT, reached).await.is_err() {
            bail!("{} requests of {number}", self.count());
        }
        Ok(())
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Seen>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::with_capacity(8_192);
    loop {
        let head = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        };
        let length = std::str::from_utf8(&read[..head])?
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .context("no content-length")?;
        let end = head + length.1.trim().parse::<usize>()?;
        while read.len() < end {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        read.drain(..end);
        seen.count.fetch_add(1, Ordering::Release);
        seen.more.notify_waiters();
        stream.write_all(ANSWER).await?;
    }
}
