//! The sending end of one client's connection.

use bytes::Bytes;
use tokio::sync::mpsc;
use wacore_binary::{Node, marshal};

use crate::noise::Pattern;

/// What a connection is told to do next.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// Encrypt and send a marshalled stanza.
    Stanza(Bytes),
    /// Send what is waiting, then close the WebSocket.
    Close,
    /// Drop the TCP connection without a word.
    Cut,
    /// Keep the connection and answer nothing any more.
    Freeze,
}

/// A handle to a connection. It never blocks: what cannot be written yet waits
/// in memory until the client reads or the connection ends.
#[derive(Debug)]
pub(crate) struct Link {
    id: u64,
    pattern: Pattern,
    outbox: mpsc::UnboundedSender<Outgoing>,
}

impl Link {
    pub(crate) fn new(id: u64, pattern: Pattern, outbox: mpsc::UnboundedSender<Outgoing>) -> Self {
        Self {
            id,
            pattern,
            outbox,
        }
    }

    /// How the client came in.
    pub(crate) fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// Tells this connection from every other one of this sandbox.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Sends a stanza, if the connection still stands.
    pub(crate) fn send(&self, node: &Node) {
        if let Some(bytes) = encode(node) {
            self.send_encoded(bytes);
        }
    }

    /// Sends a stanza that is marshalled already.
    pub(crate) fn send_encoded(&self, stanza: Bytes) {
        // A closed channel means that the client has gone. What must reach it
        // is in its mailbox.
        self.outbox.send(Outgoing::Stanza(stanza)).ok();
    }

    /// Closes the connection after what is waiting was sent.
    pub(crate) fn close(&self) {
        self.outbox.send(Outgoing::Close).ok();
    }

    /// Leaves the connection standing, and dead: what the client says is lost,
    /// and it hears nothing more.
    pub(crate) fn freeze(&self) {
        self.outbox.send(Outgoing::Freeze).ok();
    }

    /// Drops the connection at once.
    pub(crate) fn cut(&self) {
        self.outbox.send(Outgoing::Cut).ok();
    }
}

/// Marshals a stanza. One that cannot be marshalled is a mistake in the
/// sandbox; it is logged and dropped rather than allowed to end a connection.
pub(crate) fn encode(node: &Node) -> Option<Bytes> {
    match marshal(node) {
        Ok(bytes) => Some(Bytes::from(bytes)),
        Err(error) => {
            tracing::error!(tag = %node.tag, %error, "a stanza could not be marshalled");
            None
        }
    }
}
