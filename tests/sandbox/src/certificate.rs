//! The certificate chain with which the sandbox proves its Noise key.
//!
//! It has the two steps of the real one: a root signs the intermediate
//! certificate, the intermediate signs the leaf, and the leaf names the key
//! that the server uses in the Noise handshake. All signatures are XEdDSA.

use buffa::{Message as _, MessageField};
use rand::rngs::StdRng;
use wacore_libsignal::protocol::{KeyPair, PrivateKey};
use waproto::whatsapp::{CertChain, cert_chain::NoiseCertificate, cert_chain::noise_certificate};

use crate::clock;
use crate::error::StartError;

/// How long the certificates are valid, both before and after their making.
const VALIDITY_SECS: u64 = 10 * 365 * 24 * 3600;

/// The root key, the server's Noise key and the signed chain between them.
pub(crate) struct CertificateChain {
    root: KeyPair,
    server: KeyPair,
    encoded: Vec<u8>,
}

impl CertificateChain {
    /// Makes a root, an intermediate and a server key and signs the chain.
    pub(crate) fn generate() -> Result<Self, StartError> {
        Self::under(KeyPair::generate(&mut rand::make_rng::<StdRng>()))
    }

    /// Another server key under the same root, as after a rotation.
    pub(crate) fn rotated(&self) -> Result<Self, StartError> {
        Self::under(self.root.clone())
    }

    fn under(root: KeyPair) -> Result<Self, StartError> {
        let mut rng = rand::make_rng::<StdRng>();
        let intermediate = KeyPair::generate(&mut rng);
        let server = KeyPair::generate(&mut rng);
        let now = clock::now_secs();
        let window = (now.saturating_sub(VALIDITY_SECS), now + VALIDITY_SECS);

        let step = |serial, issuer, key: &KeyPair| noise_certificate::Details {
            serial: Some(serial),
            issuer_serial: Some(issuer),
            key: Some(key.public_key.public_key_bytes().to_vec()),
            not_before: Some(window.0),
            not_after: Some(window.1),
        };
        let chain = CertChain {
            intermediate: MessageField::some(sign(&root.private_key, step(1, 0, &intermediate))?),
            leaf: MessageField::some(sign(&intermediate.private_key, step(2, 1, &server))?),
        };
        Ok(Self {
            root,
            server,
            encoded: chain.encode_to_vec(),
        })
    }

    /// The public root key: what a client must trust.
    pub(crate) fn root_key(&self) -> [u8; 32] {
        public_bytes(&self.root)
    }

    /// The server's static Noise key.
    pub(crate) fn server_key(&self) -> &KeyPair {
        &self.server
    }

    /// The chain as the handshake carries it.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.encoded
    }
}

/// The 32 bytes of a public key, without Signal's type byte.
pub(crate) fn public_bytes(key: &KeyPair) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key.public_key.public_key_bytes());
    bytes
}

fn sign(
    issuer: &PrivateKey,
    details: noise_certificate::Details,
) -> Result<NoiseCertificate, StartError> {
    let details = details.encode_to_vec();
    let signature = issuer.calculate_signature(&details, &mut rand::make_rng::<StdRng>())?;
    Ok(NoiseCertificate {
        details: Some(details),
        signature: Some(signature.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore_libsignal::protocol::PublicKey;

    #[test]
    fn each_step_verifies_with_the_key_before_it() {
        let chain = CertificateChain::generate().unwrap();
        let decoded = CertChain::decode_from_slice(chain.encoded()).unwrap();
        let intermediate = decoded.intermediate.into_option().unwrap();
        let leaf = decoded.leaf.into_option().unwrap();
        let details = |certificate: &NoiseCertificate| {
            noise_certificate::Details::decode_from_slice(certificate.details.as_ref().unwrap())
                .unwrap()
        };
        let verifies = |key: &[u8], certificate: &NoiseCertificate| {
            PublicKey::from_djb_public_key_bytes(key)
                .unwrap()
                .verify_signature(
                    certificate.details.as_ref().unwrap(),
                    certificate.signature.as_ref().unwrap(),
                )
        };
        let middle = details(&intermediate).key.unwrap();
        assert!(verifies(&chain.root_key(), &intermediate));
        assert!(verifies(&middle, &leaf));
        assert!(!verifies(&chain.root_key(), &leaf));
        assert_eq!(
            details(&leaf).key.unwrap(),
            public_bytes(chain.server_key())
        );
        assert_eq!(details(&leaf).issuer_serial, details(&intermediate).serial);
        assert_eq!(details(&intermediate).issuer_serial, Some(0));
    }
}
