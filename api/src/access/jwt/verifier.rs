//! Signature checks for `jsonwebtoken`, by ring, which the rest of the gateway is built on as well:
//! the crate's own choices would bring a second cryptographic library along.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

/// Verifies the algorithms that logins are accepted with, and signs nothing.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes `jsonwebtoken` verify with ring, in this whole process.
pub(super) fn install() {
    // Refused where it is in place already, for another API in this process.
    let _ = PROVIDER.install_default();
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    match algorithm {
        Algorithm::EdDSA | Algorithm::ES256 | Algorithm::RS256
            if key.family() == algorithm.family() =>
        {
            Ok(Box::new(RingVerifier {
                algorithm: *algorithm,
                key: key.clone(),
            }))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, signed: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let verified = match (self.algorithm, self.key.kind()) {
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(x)) => {
                UnparsedPublicKey::new(&ED25519, x).verify(signed, signature)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            }
            _ => return Err(Error::new()),
        };
        verified.map_err(|_| Error::new())
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto::verify;

    use super::*;

    // RFC 8037 appendix A.2 and A.4.
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const SIGNED: &[u8] = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const SIGNATURE: &str = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt\
                             9g7sVvpAr_MuM0KAg";

    #[test]
    fn the_example_of_the_standard_is_verified() {
        install();
        let key = DecodingKey::from_ed_components(PUBLIC).unwrap();
        let verifies = |signed: &[u8], signature: &str| {
            verify(signature, signed, &key, Algorithm::EdDSA).unwrap()
        };
        assert!(verifies(SIGNED, SIGNATURE));
        assert!(!verifies(b"another text", SIGNATURE));
        assert!(!verifies(SIGNED, ""));
    }

    #[test]
    fn a_key_verifies_nothing_of_another_family() {
        install();
        let key = DecodingKey::from_ed_components(PUBLIC).unwrap();
        for other in [
            Algorithm::HS256,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::RS256,
            Algorithm::PS256,
        ] {
            assert!(verify(SIGNATURE, SIGNED, &key, other).is_err(), "{other:?}");
        }
        // A keyed hash, for which a public key would be the secret.
        let secret = DecodingKey::from_secret(PUBLIC.as_bytes());
        assert!(verify(SIGNATURE, SIGNED, &secret, Algorithm::HS256).is_err());
    }
}
