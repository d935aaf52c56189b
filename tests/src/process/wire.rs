//! A wire between a program and its server that can be cut, held and slowed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// Pieces that may be on their way in one direction of one connection.
const ON_THE_WAY: usize = 64;
/// Largest piece, in bytes.
const PIECE: usize = 16 * 1024;

/// How a wire treats what goes over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As if it were not there.
    Open,
    /// Everything arrives this much later.
    Slow(Duration),
    /// Nothing arrives. Connections stand, and what was written arrives once the wire is open
    /// again, also when its writer is dead by then: as on a real network.
    Still,
    /// So many more pieces of what the programs write arrive; then it is [`Mood::Cut`].
    Tear(u32),
    /// Connections break, what was on its way is lost, and new connections are dropped at once.
    Cut,
}

/// A TCP proxy on a loopback port of its own. Dropping it cuts everything.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    mood: watch::Sender<Mood>,
    accepting: JoinHandle<()>,
}

impl Wire {
    /// A wire to `server` (`host:port`).
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, super::free_port()?)).await;
        let listener = listener.context("listen for a wire")?;
        let port = listener.local_addr()?.port();
        let mood = watch::Sender::new(Mood::Open);
        let accepting = tokio::spawn(accept(listener, server, mood.clone()));
        Ok(Self {
            port,
            mood,
            accepting,
        })
    }

    /// `127.0.0.1:port`, where the program is to connect.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Changes its mood.
    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, mood: watch::Sender<Mood>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else { continue };
                if *mood.borrow() != Mood::Cut {
                    connections.spawn(connect(near, server, mood.clone()));
                }
            }
        }
    }
}

async fn connect(near: TcpStream, server: SocketAddr, mood: watch::Sender<Mood>) {
    let Ok(far) = TcpStream::connect(server).await else {
        return;
    };
    let quick = |stream: &TcpStream| stream.set_nodelay(true).is_ok();
    if !quick(&near) || !quick(&far) {
        return;
    }
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let there = carry(near_in, far_out, mood.subscribe(), || tears(&mood));
    let back = carry(far_in, near_out, mood.subscribe(), || false);
    let mut cut = mood.subscribe();
    tokio::select! {
        _ = async { tokio::join!(there, back) } => {}
        _ = cut.wait_for(|mood| *mood == Mood::Cut) => {}
    }
}

/// Counts a piece that is about to arrive; whether the wire is cut in its place.
fn tears(mood: &watch::Sender<Mood>) -> bool {
    let mut torn = false;
    mood.send_if_modified(|mood| {
        let Mood::Tear(left) = *mood else {
            return false;
        };
        torn = left == 0;
        *mood = left.checked_sub(1).map_or(Mood::Cut, Mood::Tear);
        // Who waits for a change has nothing to do while it only counts.
        torn
    });
    torn
}

/// Carries one direction to its end.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mood: watch::Receiver<Mood>,
    tears: impl Fn() -> bool,
) {
    let (put, mut take) = mpsc::channel::<(Instant, Arc<[u8]>)>(ON_THE_WAY);
    let read = async move {
        let mut piece = vec![0; PIECE];
        while let Ok(length) = from.read(&mut piece).await {
            if length == 0
                || put
                    .send((Instant::now(), piece[..length].into()))
                    .await
                    .is_err()
            {
                return;
            }
        }
    };
    let write = async {
        while let Some((written, piece)) = take.recv().await {
            arrive(written, &mut mood).await;
            if tears() || to.write_all(&piece).await.is_err() {
                return;
            }
        }
        // The end of the stream takes its time as well.
        arrive(Instant::now(), &mut mood).await;
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

/// Waits until what was written at this moment may arrive.
async fn arrive(written: Instant, mood: &mut watch::Receiver<Mood>) {
    loop {
        let present = *mood.borrow_and_update();
        match present {
            Mood::Open | Mood::Tear(_) => return,
            Mood::Slow(delay) => {
                tokio::select! {
                    () = tokio::time::sleep_until(written + delay) => return,
                    changed = mood.changed() => if changed.is_err() { return },
                }
            }
            Mood::Still | Mood::Cut => {
                if mood.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says back what it hears.
    async fn echo() -> Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Ok(address)
    }

    #[tokio::test]
    async fn a_wire_carries_slows_holds_and_is_cut() -> Result<()> {
        const DELAY: Duration = Duration::from_millis(60);
        let wire = Wire::to(echo().await?).await?;
        let mut stream = TcpStream::connect(wire.address()).await?;
        let mut byte = [0];
        stream.write_all(b"a").await?;
        stream.read_exact(&mut byte).await?;
        assert_eq!(&byte, b"a");

        wire.set(Mood::Slow(DELAY));
        let began = Instant::now();
        stream.write_all(b"b").await?;
        stream.read_exact(&mut byte).await?;
        assert!(began.elapsed() >= 2 * DELAY, "{:?}", began.elapsed());

        wire.set(Mood::Still);
        stream.write_all(b"c").await?;
        let waited = tokio::time::timeout(DELAY, stream.read_exact(&mut byte)).await;
        assert!(waited.is_err(), "nothing arrives");
        wire.set(Mood::Open);
        stream.read_exact(&mut byte).await?;
        assert_eq!(&byte, b"c", "what was held arrives");

        wire.set(Mood::Cut);
        assert!(!matches!(stream.read(&mut byte).await, Ok(1..)), "it broke");
        let mut refused = TcpStream::connect(wire.address()).await?;
        assert!(!matches!(refused.read(&mut byte).await, Ok(1..)));
        Ok(())
    }
}
