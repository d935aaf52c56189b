//! A wire to Redis that breaks at a chosen command: what a process had begun by then stays half done.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A TCP proxy before a Redis that counts the commands which name a certain text (a session's id),
/// lets so many of them through, and breaks every connection at the next one. Broken, it takes no
/// connection until it is mended.
#[derive(Debug)]
pub struct Fuse {
    port: u16,
    state: Arc<Mutex<State>>,
    blown: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    /// What commands are counted by; nothing is counted while it is empty.
    subject: Vec<u8>,
    /// How many more go through.
    left: usize,
}

impl Fuse {
    /// A whole fuse before `server`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, super::free_port()?)).await;
        let listener = listener.context("listen for a fuse")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State::default()));
        let blown = watch::Sender::new(false);
        let accepting = tokio::spawn(accept(listener, server, Arc::clone(&state), blown.clone()));
        Ok(Self {
            port,
            state,
            blown,
            accepting,
        })
    }

    /// Its address, for `redis.urls`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Lets `commands` more commands that name `subject` through, and breaks at the next one.
    pub fn arm(&self, subject: &str, commands: usize) {
        *lock(&self.state) = State {
            subject: subject.as_bytes().to_vec(),
            left: commands,
        };
    }

    /// Whether it has broken since it was armed.
    #[must_use]
    pub fn is_blown(&self) -> bool {
        *self.blown.borrow()
    }

    /// Lets everything through again and counts nothing.
    pub fn mend(&self) {
        *lock(&self.state) = State::default();
        self.blown.send_replace(false);
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    /// Whether a command goes through.
    fn lets(&mut self, command: &[u8]) -> bool {
        let length = self.subject.len();
        if length == 0 || !command.windows(length).any(|part| part == self.subject) {
            return true;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    state: Arc<Mutex<State>>,
    blown: watch::Sender<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else { continue };
                if !*blown.borrow() {
                    connections.spawn(connect(near, server, Arc::clone(&state), blown.clone()));
                }
            }
        }
    }
}

async fn connect(
    near: TcpStream,
    server: SocketAddr,
    state: Arc<Mutex<State>>,
    blown: watch::Sender<bool>,
) {
    let Ok(far) = TcpStream::connect(server).await else {
        return;
    };
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let mut broken = blown.subscribe();
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let there = async {
        let mut seen = Vec::new();
        loop {
            while let Some(length) = first_command(&seen) {
                let command: Vec<u8> = seen.drain(..length).collect();
                if !lock(&state).lets(&command) {
                    blown.send_replace(true);
                    return;
                }
                if far_out.write_all(&command).await.is_err() {
                    return;
                }
            }
            match near_in.read_buf(&mut seen).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    };
    tokio::select! {
        () = there => {}
        _ = tokio::io::copy(&mut far_in, &mut near_out) => {}
        _ = broken.wait_for(|broken| *broken) => {}
    }
}

/// The length of the first whole command (a RESP array of bulk strings) in `bytes`.
fn first_command(bytes: &[u8]) -> Option<usize> {
    let (count, mut at) = header(bytes, 0, b'*')?;
    for _ in 0..count {
        let (length, text) = header(bytes, at, b'$')?;
        at = text + length + 2;
    }
    (at <= bytes.len()).then_some(at)
}

/// The number in a header line, and where the line ends.
fn header(bytes: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?;
    let end = rest.windows(2).position(|part| part == b"\r\n")?;
    let (first, digits) = rest.get(..end)?.split_first()?;
    if *first != kind {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, at + end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart() {
        let two = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*1\r\n$4\r\nPING\r\n";
        let first = first_command(two).unwrap();
        assert_eq!(&two[first..], b"*1\r\n$4\r\nPING\r\n");
        for cut in 0..first {
            assert_eq!(first_command(&two[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn only_what_names_the_subject_counts() {
        let mut state = State {
            subject: b"sess_1".to_vec(),
            left: 1,
        };
        assert!(state.lets(b"HGET sess_2"));
        assert!(state.lets(b"HGET sess_1"));
        assert!(state.lets(b"HGET sess_2"));
        assert!(!state.lets(b"HGET sess_1"));
    }
}
