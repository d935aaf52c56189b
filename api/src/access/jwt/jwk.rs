//! Public keys as a frontend publishes them, each good for exactly one algorithm.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// How a token may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2,048 bits or more.
    Rs256,
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// The name in headers and keys.
    fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of exactly this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// A public key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    material: Material,
}

#[derive(Debug, PartialEq, Eq)]
enum Material {
    Ed25519(Vec<u8>),
    /// Uncompressed: 4, x, y.
    P256(Vec<u8>),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

/// A key of a set (RFC 7517 §4), as far as it matters here.
#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// The keys of a set; `None` where it is none. Keys of other kinds, for other uses or that are
/// malformed are left out: they do not spoil the rest.
pub(super) fn keys_of(text: &str) -> Option<Vec<Key>> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_str(text).ok()?;
    let read = |value| Key::of(serde_json::from_value(value).ok()?);
    Some(set.keys.into_iter().filter_map(read).collect())
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        let signs = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs {
            return None;
        }
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => Material::Ed25519(part(jwk.x.as_ref(), 32)?),
            ("EC", Some("P-256")) => {
                let (x, y) = (part(jwk.x.as_ref(), 32)?, part(jwk.y.as_ref(), 32)?);
                Material::P256([&[4], x.as_slice(), y.as_slice()].concat())
            }
            ("RSA", _) => Material::Rsa {
                n: decode(jwk.n.as_ref())?,
                e: decode(jwk.e.as_ref())?,
            },
            _ => return None,
        };
        let key = Self {
            id: jwk.kid,
            material,
        };
        let meant = jwk.alg.is_none_or(|alg| alg == key.algorithm().as_str());
        meant.then_some(key)
    }

    /// The one algorithm that it is good for.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Ed25519(_) => Algorithm::EdDsa,
            Material::P256(_) => Algorithm::Es256,
            Material::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// Whether this key made the signature of `signed`.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Ed25519(x) => UnparsedPublicKey::new(&ED25519, x).verify(signed, signature),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                signed,
                signature,
            ),
        };
        verified.is_ok()
    }
}

fn decode(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

fn part(text: Option<&String>, length: usize) -> Option<Vec<u8>> {
    decode(text).filter(|bytes| bytes.len() == length)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8037 appendix A.2 and A.4.
    const PUBLIC: &str = r#"{"kty":"OKP","crv":"Ed25519",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    const SIGNED: &[u8] = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const SIGNATURE: &str = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt\
                             9g7sVvpAr_MuM0KAg";

    fn keys(more: &str) -> Vec<Key> {
        keys_of(&format!(r#"{{"keys":[{PUBLIC}{more}}}]}}"#)).unwrap()
    }

    #[test]
    fn the_example_of_the_standard_is_verified() {
        let signature = URL_SAFE_NO_PAD.decode(SIGNATURE).unwrap();
        let key = &keys("")[0];
        assert!(key.verifies(SIGNED, &signature));
        assert!(!key.verifies(b"another text", &signature));
        assert!(!key.verifies(SIGNED, &[]));
    }

    #[test]
    fn a_key_for_another_use_is_left_out() {
        for fits in [
            r#","use":"sig""#,
            r#","alg":"EdDSA""#,
            r#","key_ops":["verify"]"#,
        ] {
            assert_eq!(keys(fits).len(), 1, "{fits}");
        }
        for other in [
            r#","use":"enc""#,
            r#","alg":"HS256""#,
            r#","key_ops":["sign"]"#,
        ] {
            assert!(keys(other).is_empty(), "{other}");
        }
    }

    #[test]
    fn keys_of_other_kinds_do_not_spoil_the_rest() {
        let set = format!(
            r#"{{"keys":[{{"kty":"oct","k":"AAAA"}},{{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}},
               7,{PUBLIC}}}]}}"#
        );
        assert_eq!(keys_of(&set).unwrap().len(), 1);
        assert!(keys_of("[]").is_none());
    }
}
