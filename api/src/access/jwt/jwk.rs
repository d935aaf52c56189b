//! Public keys as a frontend publishes them, each good for exactly one algorithm.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The one algorithm that it is good for.
    pub(super) algorithm: Algorithm,
    pub(super) material: DecodingKey,
}

/// The keys of a set; `None` where it is none. Keys of other kinds, for other uses or that are
/// malformed are left out: they do not spoil the rest.
pub(super) fn keys_of(text: &str) -> Option<Vec<Key>> {
    // Not the library's set, of which one entry that it can not read spoils all.
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
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            _ => return None,
        };
        let common = &jwk.common;
        let signs = common
            .public_key_use
            .as_ref()
            .is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common
                .key_operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        let meant = common
            .key_algorithm
            .is_none_or(|named| named == algorithm.into());
        if !signs || !meant {
            return None;
        }
        Some(Self {
            material: DecodingKey::from_jwk(&jwk).ok()?,
            id: jwk.common.key_id,
            algorithm,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8037 appendix A.2, and a point on P-256 from RFC 7517 appendix A.1.
    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    const EC: &str = r#""kty":"EC","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
    const RSA: &str = r#""kty":"RSA","n":"AQAB","e":"AQAB""#;

    fn algorithms(keys: &[&str]) -> Vec<Algorithm> {
        let keys: Vec<String> = keys.iter().map(|key| format!("{{{key}}}")).collect();
        let set = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        let keys = keys_of(&set).unwrap();
        keys.iter().map(|key| key.algorithm).collect()
    }

    #[test]
    fn a_key_is_for_the_algorithm_of_its_kind() {
        let p256 = format!(r#"{EC},"crv":"P-256""#);
        assert_eq!(
            algorithms(&[ED, &p256, RSA]),
            [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256]
        );
    }

    #[test]
    fn a_key_for_another_use_is_left_out() {
        for fits in [
            r#""use":"sig""#,
            r#""alg":"EdDSA""#,
            r#""key_ops":["verify"]"#,
        ] {
            assert_eq!(algorithms(&[&format!("{ED},{fits}")]).len(), 1, "{fits}");
        }
        for other in [
            r#""use":"enc""#,
            r#""alg":"HS256""#,
            r#""alg":"ES256""#,
            r#""alg":"of next year""#,
            r#""key_ops":["sign"]"#,
        ] {
            assert!(
                algorithms(&[&format!("{ED},{other}")]).is_empty(),
                "{other}"
            );
        }
        let pss = format!(r#"{RSA},"alg":"PS256""#);
        assert!(algorithms(&[&pss]).is_empty());
    }

    #[test]
    fn keys_of_other_kinds_do_not_spoil_the_rest() {
        let p384 = format!(r#"{EC},"crv":"P-384""#);
        let others = [
            r#""kty":"oct","k":"AAAA""#,
            r#""kty":"EC","crv":"P-256","x":"AA=","y":"AA""#,
            r#""kty":"OKP","crv":"X25519","x":"AAAA""#,
            r#""kty":"of next year""#,
            r#""kid":7"#,
            &p384,
            ED,
        ];
        assert_eq!(algorithms(&others), [Algorithm::EdDSA]);
        let set = format!(r#"{{"keys":[7,{{{ED}}}]}}"#);
        assert_eq!(keys_of(&set).unwrap().len(), 1);
        assert!(keys_of("[]").is_none());
    }
}
