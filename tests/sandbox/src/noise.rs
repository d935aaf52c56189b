//! The responder's side of the three Noise patterns WhatsApp clients use.
//!
//! - **XX**: the client knows nothing. It sends an ephemeral key, gets ours
//!   with our encrypted static key and certificate chain, and finishes with its
//!   own static key and payload.
//! - **IK**: the client kept our static key from an earlier login and sends its
//!   static key and payload at once.
//! - **XXfallback**: it kept a key that is no longer ours. The answer has the
//!   shape of XX, and the exchange continues like XX.

use buffa::{Message as _, MessageField};
use rand::rngs::StdRng;
use serde::Serialize;
use wacore::noise::{NoiseCipher, NoiseHandshake};
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK};
use wacore_libsignal::protocol::KeyPair;
use waproto::whatsapp::{HandshakeMessage, handshake_message};

use crate::certificate::{CertificateChain, public_bytes};
use crate::error::HandshakeError;

/// Which way a client came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Pattern {
    Xx,
    Ik,
    XxFallback,
}

/// What a finished handshake leaves: both directions' ciphers, who the client
/// is, and what it said about itself.
pub(crate) struct Established {
    pub(crate) pattern: Pattern,
    pub(crate) read: NoiseCipher,
    pub(crate) write: NoiseCipher,
    pub(crate) client_key: [u8; 32],
    pub(crate) payload: Vec<u8>,
}

/// What to do after the client's first handshake message.
pub(crate) enum Step {
    /// Send the answer; the handshake is complete.
    Done(Vec<u8>, Established),
    /// Send the answer and wait for the client to finish.
    Continue(Vec<u8>, AwaitFinish),
}

/// The state between our answer and the client's last message.
pub(crate) struct AwaitFinish {
    pattern: Pattern,
    noise: NoiseHandshake,
    ephemeral: KeyPair,
}

/// Answers the client's hello. `header` is the four bytes the stream began with.
pub(crate) fn respond(
    chain: &CertificateChain,
    header: &[u8],
    hello: &[u8],
) -> Result<Step, HandshakeError> {
    let hello = HandshakeMessage::decode_from_slice(hello)?
        .client_hello
        .into_option()
        .ok_or(HandshakeError::Incomplete)?;
    let ephemeral = hello.ephemeral.ok_or(HandshakeError::Incomplete)?;
    match (hello.r#static, hello.payload) {
        (Some(client_static), Some(payload)) => {
            match respond_ik(chain, header, &ephemeral, &client_static, &payload) {
                Ok((answer, established)) => Ok(Step::Done(answer, established)),
                // The client encrypted to a key that is not ours.
                Err(HandshakeError::Noise(_)) => {
                    respond_xx(chain, header, &ephemeral, Pattern::XxFallback)
                }
                Err(other) => Err(other),
            }
        }
        _ => respond_xx(chain, header, &ephemeral, Pattern::Xx),
    }
}

fn respond_xx(
    chain: &CertificateChain,
    header: &[u8],
    client_ephemeral: &[u8],
    pattern: Pattern,
) -> Result<Step, HandshakeError> {
    let name = match pattern {
        Pattern::XxFallback => NOISE_PATTERN_XXFALLBACK,
        Pattern::Xx | Pattern::Ik => NOISE_PATTERN_XX,
    };
    let mut noise = NoiseHandshake::new(name, header)?;
    noise.authenticate(client_ephemeral);

    let ephemeral = KeyPair::generate(&mut rand::make_rng::<StdRng>());
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client_ephemeral)?;
    let server = chain.server_key();
    let encrypted_static = noise.encrypt(server.public_key.public_key_bytes())?;
    noise.mix_shared_secret(server.private_key.serialize(), client_ephemeral)?;
    let encrypted_chain = noise.encrypt(chain.encoded())?;

    let answer = server_hello(&ephemeral, Some(encrypted_static), encrypted_chain);
    Ok(Step::Continue(
        answer,
        AwaitFinish {
            pattern,
            noise,
            ephemeral,
        },
    ))
}

fn respond_ik(
    chain: &CertificateChain,
    header: &[u8],
    client_ephemeral: &[u8],
    client_static: &[u8],
    payload: &[u8],
) -> Result<(Vec<u8>, Established), HandshakeError> {
    let server = chain.server_key();
    let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, header)?;
    noise.authenticate(server.public_key.public_key_bytes());
    noise.authenticate(client_ephemeral);
    noise.mix_shared_secret(server.private_key.serialize(), client_ephemeral)?;
    let client_key = noise.decrypt(client_static)?;
    noise.mix_shared_secret(server.private_key.serialize(), &client_key)?;
    let payload = noise.decrypt(payload)?;

    let ephemeral = KeyPair::generate(&mut rand::make_rng::<StdRng>());
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), client_ephemeral)?;
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &client_key)?;
    let encrypted_chain = noise.encrypt(chain.encoded())?;

    let answer = server_hello(&ephemeral, None, encrypted_chain);
    Ok((answer, establish(Pattern::Ik, noise, client_key, payload)?))
}

impl AwaitFinish {
    /// Reads the client's last handshake message.
    pub(crate) fn finish(mut self, message: &[u8]) -> Result<Established, HandshakeError> {
        let finish = HandshakeMessage::decode_from_slice(message)?
            .client_finish
            .into_option()
            .ok_or(HandshakeError::Incomplete)?;
        let client_static = finish.r#static.ok_or(HandshakeError::Incomplete)?;
        let payload = finish.payload.ok_or(HandshakeError::Incomplete)?;

        let client_key = self.noise.decrypt(&client_static)?;
        self.noise
            .mix_shared_secret(self.ephemeral.private_key.serialize(), &client_key)?;
        let payload = self.noise.decrypt(&payload)?;
        establish(self.pattern, self.noise, client_key, payload)
    }
}

fn establish(
    pattern: Pattern,
    noise: NoiseHandshake,
    client_key: Vec<u8>,
    payload: Vec<u8>,
) -> Result<Established, HandshakeError> {
    let client_key = client_key
        .try_into()
        .map_err(|_| HandshakeError::Incomplete)?;
    let (read, write) = noise.finish()?;
    Ok(Established {
        pattern,
        read,
        write,
        client_key,
        payload,
    })
}

fn server_hello(
    ephemeral: &KeyPair,
    encrypted_static: Option<Vec<u8>>,
    payload: Vec<u8>,
) -> Vec<u8> {
    HandshakeMessage {
        server_hello: MessageField::some(handshake_message::ServerHello {
            ephemeral: Some(public_bytes(ephemeral).to_vec()),
            r#static: encrypted_static,
            payload: Some(payload),
            ..Default::default()
        }),
        ..Default::default()
    }
    .encode_to_vec()
}
