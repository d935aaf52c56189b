//! The WebSocket side: accepting connections, and one task for each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;
use wacore::framing::{FrameDecoder, append_frame_into, encode_frame};
use wacore::noise::NoiseCipher;
use wacore_binary::marshal::unmarshal_ref;
use wacore_binary::util::unpack_bytes;

use crate::admin::forward;
use crate::client::{Client, Progress};
use crate::error::{HandshakeError, SocketError};
use crate::link::{Link, Outgoing};
use crate::noise::{self, Established, Step};
use crate::world::World;

/// A client that has not shown who it is after this long is dropped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a client may take to close its side.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How much is gathered into one WebSocket message before it is written.
const BATCH_BYTES: usize = 64 * 1024;
/// Small, because there is one per connected client.
const READ_BUFFER: usize = 4 * 1024;

/// Accepts clients until told to stop; then closes every connection.
/// Requests to `/admin/…` go on to `admin`, if there is one.
pub(crate) async fn serve(
    listener: TcpListener,
    world: Arc<World>,
    admin: Option<SocketAddr>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (world, stop) = (Arc::clone(&world), stop.clone());
                    connections.spawn(async move {
                        if let Some(admin) = admin
                            && forward::asks_admin(&stream).await
                        {
                            forward::forward(stream, admin, stop).await;
                        } else if let Err(error) = attend(stream, world, stop).await {
                            tracing::debug!(%error, "a connection ended");
                        }
                    });
                }
                Err(error) => tracing::warn!(%error, "cannot accept a connection"),
            },
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn attend(
    stream: TcpStream,
    world: Arc<World>,
    stop: CancellationToken,
) -> Result<(), SocketError> {
    // Stanzas are small and answers are waited for.
    stream.set_nodelay(true).ok();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0);
    let handshake = async {
        let socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
        shake_hands(FrameReader::new(socket), &world).await
    };
    let opened = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        opened = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake) => opened,
    };
    let Some((reader, established)) = opened.map_err(|_| SocketError::Silent)?? else {
        return Ok(());
    };
    tracing::debug!(pattern = ?established.pattern, "handshake complete");

    let (outbox, queue) = mpsc::unbounded_channel();
    let link = Arc::new(Link::new(world.next_number(), established.pattern, outbox));
    let mut client = Client::new(Arc::clone(&world), link);
    client.greet(&established.client_key, &established.payload);
    let mut connection = Connection {
        reader,
        read: Cipher::new(established.read),
        write: Cipher::new(established.write),
        queue,
        scratch: Vec::new(),
        resume: None,
    };
    let result = tokio::select! {
        result = connection.run(&mut client) => result,
        () = stop.cancelled() => {
            connection.close().await;
            Ok(())
        }
    };
    client.left();
    result
}

/// The frames of the byte stream that a WebSocket carries.
struct FrameReader {
    socket: WebSocketStream<TcpStream>,
    frames: FrameDecoder,
}

impl FrameReader {
    fn new(socket: WebSocketStream<TcpStream>) -> Self {
        Self {
            socket,
            frames: FrameDecoder::new(),
        }
    }

    /// More bytes of the stream; none when the client has gone.
    async fn receive(&mut self) -> Result<Option<Bytes>, SocketError> {
        while let Some(message) = self.socket.next().await {
            match message? {
                Message::Binary(bytes) => return Ok(Some(bytes)),
                Message::Close(_) => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The next whole frame; none when the client has gone.
    async fn frame(&mut self) -> Result<Option<BytesMut>, SocketError> {
        loop {
            if let Some(frame) = self.frames.decode_frame() {
                return Ok(Some(frame));
            }
            let Some(bytes) = self.receive().await? else {
                return Ok(None);
            };
            self.frames.feed(&bytes);
        }
    }

    /// The four bytes with which the stream begins, after the routing
    /// information that some clients put before them.
    async fn header(&mut self) -> Result<Option<[u8; 4]>, SocketError> {
        let mut head = BytesMut::new();
        loop {
            if let Some(header) = take_header(&mut head)? {
                self.frames.feed(&head);
                return Ok(Some(header));
            }
            let Some(bytes) = self.receive().await? else {
                return Ok(None);
            };
            head.extend_from_slice(&bytes);
        }
    }
}

/// Takes the header off `head`, once all of it is there.
fn take_header(head: &mut BytesMut) -> Result<Option<[u8; 4]>, HandshakeError> {
    if head.starts_with(b"ED\x00\x01") {
        let Some(length) = head.get(4..7) else {
            return Ok(None);
        };
        let routing = length
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        if head.len() < 7 + routing {
            return Ok(None);
        }
        head.advance(7 + routing);
    }
    let &[first, second, third, fourth, ..] = head.as_ref() else {
        return Ok(None);
    };
    if (first, second) != (b'W', b'A') {
        return Err(HandshakeError::Header);
    }
    head.advance(4);
    Ok(Some([first, second, third, fourth]))
}

async fn shake_hands(
    mut reader: FrameReader,
    world: &World,
) -> Result<Option<(FrameReader, Established)>, SocketError> {
    let Some(header) = reader.header().await? else {
        return Ok(None);
    };
    let Some(hello) = reader.frame().await? else {
        return Ok(None);
    };
    let (answer, rest) = match noise::respond(&world.chain(), &header, &hello)? {
        Step::Done(answer, established) => (answer, Ok(established)),
        Step::Continue(answer, finish) => (answer, Err(finish)),
    };
    let answer = encode_frame(&answer, None).map_err(|_| HandshakeError::Incomplete)?;
    reader.socket.send(Message::Binary(answer.into())).await?;
    let established = match rest {
        Ok(established) => established,
        Err(finish) => {
            let Some(message) = reader.frame().await? else {
                return Ok(None);
            };
            finish.finish(&message)?
        }
    };
    Ok(Some((reader, established)))
}

/// A cipher and how often it was used.
struct Cipher {
    cipher: NoiseCipher,
    counter: u32,
}

impl Cipher {
    fn new(cipher: NoiseCipher) -> Self {
        Self { cipher, counter: 0 }
    }

    fn next(&mut self) -> u32 {
        let counter = self.counter;
        self.counter = self.counter.wrapping_add(1);
        counter
    }
}

/// How a connection ends after a batch was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stays,
    Closes,
    Freezes,
    Cut,
}

struct Connection {
    reader: FrameReader,
    read: Cipher,
    write: Cipher,
    queue: mpsc::UnboundedReceiver<Outgoing>,
    scratch: Vec<u8>,
    /// While this lies ahead, nothing is read: a fault holds the client up.
    resume: Option<Instant>,
}

impl Connection {
    /// Serves the client until it leaves or is told to.
    async fn run(&mut self, client: &mut Client) -> Result<(), SocketError> {
        loop {
            let resume = self.resume.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                Some(outgoing) = self.queue.recv() => match self.write(outgoing).await? {
                    End::Stays => {}
                    End::Closes => {
                        self.close().await;
                        return Ok(());
                    }
                    End::Freezes => return self.stand_dead().await,
                    End::Cut => return Ok(()),
                },
                () = tokio::time::sleep_until(resume), if self.resume.is_some() => {
                    self.resume = None;
                    client.resume();
                    self.read_frames(client)?;
                }
                bytes = self.reader.receive(), if self.resume.is_none() => {
                    let Some(bytes) = bytes? else { return Ok(()) };
                    self.reader.frames.feed(&bytes);
                    self.read_frames(client)?;
                }
            }
        }
    }

    /// Swallows what the client says until it leaves or is dropped.
    async fn stand_dead(&mut self) -> Result<(), SocketError> {
        loop {
            tokio::select! {
                Some(outgoing) = self.queue.recv() => {
                    if matches!(outgoing, Outgoing::Close | Outgoing::Cut) {
                        return Ok(());
                    }
                }
                bytes = self.reader.receive() => {
                    if bytes?.is_none() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Closes the WebSocket and reads on until the client has closed it too: a
    /// connection that is dropped with unread bytes takes back what was sent.
    async fn close(&mut self) {
        let closing = async {
            self.reader.socket.close(None).await.ok();
            while let Ok(Some(_)) = self.reader.receive().await {}
        };
        tokio::time::timeout(CLOSE_TIMEOUT, closing).await.ok();
    }

    /// Handles the frames that are complete, until one of them is held up.
    fn read_frames(&mut self, client: &mut Client) -> Result<(), SocketError> {
        while let Some(mut frame) = self.reader.frames.decode_frame() {
            let counter = self.read.next();
            self.read
                .cipher
                .decrypt_in_place_with_counter(counter, &mut frame)?;
            let stanza = unpack_bytes(frame)?;
            let node = unmarshal_ref(&stanza)?;
            if let Progress::HeldUp(duration) = client.handle(&node, stanza.len()) {
                self.resume = Some(Instant::now() + duration);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes a stanza together with everything else that waits.
    async fn write(&mut self, first: Outgoing) -> Result<End, SocketError> {
        let mut batch = Vec::new();
        let mut next = Some(first);
        let end = loop {
            match next {
                Some(Outgoing::Stanza(stanza)) => self.encrypt(&stanza, &mut batch)?,
                Some(Outgoing::Close) => break End::Closes,
                Some(Outgoing::Cut) => return Ok(End::Cut),
                Some(Outgoing::Freeze) => break End::Freezes,
                None => break End::Stays,
            }
            if batch.len() >= BATCH_BYTES {
                break End::Stays;
            }
            next = self.queue.try_recv().ok();
        };
        if !batch.is_empty() {
            self.reader
                .socket
                .send(Message::Binary(batch.into()))
                .await?;
        }
        Ok(end)
    }

    fn encrypt(&mut self, stanza: &[u8], batch: &mut Vec<u8>) -> Result<(), SocketError> {
        self.scratch.clear();
        self.scratch.extend_from_slice(stanza);
        let counter = self.write.next();
        self.write
            .cipher
            .encrypt_in_place_with_counter(counter, &mut self.scratch)?;
        append_frame_into(&self.scratch, None, batch).map_err(|_| HandshakeError::Incomplete)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_may_come_in_pieces_and_after_routing_information() {
        let mut head = BytesMut::from(&b"ED\x00\x01\x00\x00\x02r"[..]);
        assert_eq!(take_header(&mut head).unwrap(), None);
        head.extend_from_slice(b"rWA\x06");
        assert_eq!(take_header(&mut head).unwrap(), None);
        head.extend_from_slice(b"\x03rest");
        assert_eq!(take_header(&mut head).unwrap(), Some(*b"WA\x06\x03"));
        assert_eq!(&head[..], b"rest");
        assert!(take_header(&mut BytesMut::from(&b"GET / HTTP"[..])).is_err());
    }
}
