//! One kept-alive HTTP/1.1 connection, as little of it as the bench needs.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection on which one request is under way at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read of the present answer.
    read: Vec<u8>,
    /// Where its body begins.
    body: usize,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(4_096),
            body: 0,
        })
    }

    /// Writes a whole request, reads the whole answer, and gives its status.
    ///
    /// # Errors
    /// When the connection ends, or the answer has no `content-length`.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the server ended the connection");
            }
            if let Some(head) = self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                self.body = head + 4;
                break;
            }
        }
        let head = std::str::from_utf8(&self.read[..self.body])?;
        let status = head.get(9..12).and_then(|text| text.parse().ok());
        let status = status.context("the answer has no status")?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        });
        let length: usize = length.context("the answer has no content-length")?;
        while self.read.len() < self.body + length {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the server ended the connection within an answer");
            }
        }
        Ok(status)
    }

    /// The body of the last answer.
    pub(crate) fn last_body(&self) -> String {
        String::from_utf8_lossy(&self.read[self.body..]).into_owned()
    }
}
