//! What can go wrong, layer by layer.

use std::net::SocketAddr;

use wacore_libsignal::protocol::{CurveError, SignalProtocolError};

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The CDN has no folder for its files.
    #[error("cannot make a folder for files")]
    Folder(#[from] std::io::Error),
    /// The certificate chain could not be signed.
    #[error("cannot sign the certificate chain")]
    Certificate(#[from] CurveError),
}

/// Why a handshake was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the stream does not begin with the WhatsApp header")]
    Header,
    #[error("the handshake message is incomplete")]
    Incomplete,
    #[error("the handshake message cannot be decoded")]
    Decode(#[from] buffa::DecodeError),
    #[error("the handshake cryptography failed")]
    Noise(#[from] wacore::noise::HandshakeError),
}

/// Why a connection ended other than by the client's will.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("the WebSocket failed")]
    WebSocket(#[from] tokio_tungstenite::tungstenite::Error),
    #[error("the handshake failed")]
    Handshake(#[from] HandshakeError),
    #[error("the client said nothing for too long")]
    Silent,
    #[error("a frame cannot be decrypted")]
    Cipher(#[from] wacore::noise::NoiseError),
    #[error("a stanza cannot be read or written")]
    Stanza(#[from] wacore_binary::BinaryError),
}

/// Why a companion could not be linked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairingError {
    #[error("{0}")]
    BadCode(String),
    #[error("no client waits with this code: it expired, was used, or belongs to another server")]
    UnknownCode,
    #[error("the phone number must be 7 to 15 digits")]
    BadPhone,
    #[error("Couldn't link device: its version is too old")]
    CouldNotLink,
    #[error("the account wants a passkey: the client is asked for it now")]
    PasskeyWanted,
    #[error("the client left before the pairing was complete")]
    ClientLeft,
    #[error("the client did not answer within {0} s")]
    Timeout(u64),
    #[error("the pairing cryptography failed: {0}")]
    Crypto(String),
}

impl From<CurveError> for PairingError {
    fn from(error: CurveError) -> Self {
        Self::Crypto(error.to_string())
    }
}

/// Why a phone of the sandbox could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PhoneError {
    #[error("Signal refused")]
    Signal(#[from] SignalProtocolError),
    #[error("a key is malformed")]
    Curve(#[from] CurveError),
    #[error("the plaintext is not a message")]
    Plaintext(#[source] anyhow::Error),
    #[error("the payload type {0:?} is not known")]
    PayloadType(String),
    #[error("there is no such device")]
    NoDevice,
    #[error("the Signal store did not answer at once")]
    Pending,
}
