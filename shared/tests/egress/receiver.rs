//! An HTTP server of few lines that does what a test tells it, also what no server should.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What was asked.
pub(crate) struct Asked {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What is answered: some bytes, and then what.
pub(crate) struct Answer {
    bytes: String,
    then: Then,
}

enum Then {
    Close,
    Hang,
    Flood,
}

impl Answer {
    pub(crate) fn text(status: &str, body: &str) -> Self {
        let length = body.len();
        Self {
            bytes: format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            ),
            then: Then::Close,
        }
    }

    pub(crate) fn redirect(status: &str, location: &str) -> Self {
        Self {
            bytes: format!(
                "HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            ),
            then: Then::Close,
        }
    }

    pub(crate) fn silence() -> Self {
        Self {
            bytes: String::new(),
            then: Then::Hang,
        }
    }

    pub(crate) fn head_only() -> Self {
        Self {
            bytes: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_owned(),
            then: Then::Hang,
        }
    }

    pub(crate) fn endless() -> Self {
        Self {
            bytes: "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_owned(),
            then: Then::Flood,
        }
    }
}

/// A server; it ends when it is dropped.
pub(crate) struct Receiver {
    port: u16,
    requests: Arc<AtomicUsize>,
    running: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Receiver {
    /// Listens on an address, with a port or on a free one.
    pub(crate) async fn start(
        address: &str,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = match address.contains(':') {
            true => address.to_owned(),
            false => format!("{address}:0"),
        };
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let answer = Arc::new(answer);
        let running = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let answer = Arc::clone(&answer);
                tokio::spawn(async move { serve(stream, &*answer).await });
            }
        });
        Self {
            port,
            requests,
            running,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections there were.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn serve(stream: TcpStream, answer: &(impl Fn(&Asked) -> Answer + Sync)) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let headers = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let answer = answer(&Asked { path, headers });
    stream.write_all(answer.bytes.as_bytes()).await.ok()?;
    match answer.then {
        Then::Close => {}
        Then::Hang => std::future::pending().await,
        Then::Flood => loop {
            stream.write_all(&[b'x'; 1024]).await.ok()?;
        },
    }
    Some(())
}
