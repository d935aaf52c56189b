//! Whether this very binary checks WhatsApp's Noise certificate.
//!
//! The check can be compiled out of the library by a Cargo feature, and Cargo unifies features
//! over everything that is built together: a careless `cargo build --workspace` would silently
//! disarm a production worker. So the binary asks itself.

use buffa::{Message, MessageField};
use wacore::handshake::HandshakeUtils;
use waproto::whatsapp::CertChain;
use waproto::whatsapp::cert_chain::{NoiseCertificate, noise_certificate::Details};

/// The certificate check was compiled out of a binary that is not the sandbox flavour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this worker was built without WhatsApp's certificate check (some crate of the same build \
     turned on `danger-skip-cert-chain-verify`); build it alone: cargo build -p gateway-worker"
)]
pub struct CheckDisarmed;

/// Whether a chain that nobody signed is refused.
#[must_use]
pub fn verify_armed() -> bool {
    let server_key = [0x5A; 32];
    HandshakeUtils::verify_server_cert(&unsigned_chain(server_key), &server_key).is_err()
}

/// What a worker asks before its first connection. The sandbox flavour passes always: it can
/// only ever be pointed at a sandbox, see [`NetworkConfig`](super::NetworkConfig).
///
/// # Errors
/// When the check is disarmed and this is not the sandbox flavour.
pub fn ensure_armed() -> Result<(), CheckDisarmed> {
    if cfg!(feature = "sandbox") || verify_armed() {
        Ok(())
    } else {
        Err(CheckDisarmed)
    }
}

/// A chain that is right in every respect except that its signatures are zeros. Being right in
/// the others matters: it must be the signature that gets it refused.
fn unsigned_chain(server_key: [u8; 32]) -> Vec<u8> {
    let certificate = |serial, issuer_serial, key: [u8; 32]| {
        let details = Details {
            serial: Some(serial),
            issuer_serial: Some(issuer_serial),
            key: Some(key.to_vec()),
            not_before: Some(0),
            not_after: Some(u64::from(u32::MAX)),
        };
        MessageField::some(NoiseCertificate {
            details: Some(details.encode_to_vec()),
            signature: Some(vec![0; 64]),
        })
    };
    CertChain {
        intermediate: certificate(1, 0, [0xCC; 32]),
        leaf: certificate(2, 1, server_key),
    }
    .encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Under `cargo test -p gateway-worker` nothing turns the check off; with the sandbox
    /// feature it is off, which also shows that nothing but the signature is wrong.
    #[test]
    fn the_check_is_armed_unless_this_is_the_sandbox_flavour() {
        assert_eq!(verify_armed(), !cfg!(feature = "sandbox"));
        assert_eq!(ensure_armed(), Ok(()));
    }
}
