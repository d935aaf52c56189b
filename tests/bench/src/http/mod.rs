//! A light maker of HTTP load: requests written beforehand, over kept-alive connections, one at a
//! time on each.

mod connection;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;

pub(crate) use connection::Connection;

/// Requests that one round repeats in a circle.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    address: SocketAddr,
    wanted_status: u16,
    texts: Arc<[Vec<u8>]>,
}

impl Requests {
    /// POST of each of `bodies` to `path` of the server at `base` (`http://ip:port`), with the
    /// key; each answer must have the status `wanted`.
    ///
    /// # Errors
    /// When `base` is no such address.
    pub(crate) fn post(
        base: &str,
        path: &str,
        key: &str,
        bodies: &[String],
        wanted: u16,
    ) -> Result<Self> {
        let host = base.trim_start_matches("http://").trim_end_matches('/');
        let address = host
            .parse()
            .with_context(|| format!("{base} is no http://ip:port"))?;
        let text = |body: &String| {
            let length = body.len();
            format!(
                "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
                 content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .into_bytes()
        };
        Ok(Self {
            address,
            wanted_status: wanted,
            texts: bodies.iter().map(text).collect(),
        })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When nobody listens.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        Connection::open(self.address).await
    }

    /// Sends the request with this number and waits for its answer.
    ///
    /// # Errors
    /// When the connection breaks or the status is another than the wanted one.
    pub(crate) async fn ask(&self, connection: &mut Connection, number: usize) -> Result<()> {
        let text = &self.texts[number % self.texts.len()];
        let status = connection.ask(text).await?;
        let wanted = self.wanted_status;
        ensure!(
            status == wanted,
            "answered {status}, not {wanted}: {}",
            connection.last_body()
        );
        Ok(())
    }

    /// Asks over `connections` connections for a while; answers a second.
    ///
    /// # Errors
    /// As [`Requests::ask`].
    pub(crate) async fn rate(&self, connections: usize, during: Duration) -> Result<f64> {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(self.connect().await?);
        }
        let begin = Instant::now();
        let end = begin + during;
        let each = open
            .into_iter()
            .enumerate()
            .map(|(place, mut connection)| async move {
                let mut answers = 0_usize;
                while Instant::now() < end {
                    self.ask(&mut connection, place + answers * connections)
                        .await?;
                    answers += 1;
                }
                anyhow::Ok(answers)
            });
        let answers: usize = try_join_all(each).await?.iter().sum();
        Ok(answers as f64 / begin.elapsed().as_secs_f64())
    }
}
