//! The three parts of a token. Nothing in here may be believed before its signature was verified.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::jwk::Algorithm;

/// The longest token that is looked at, in bytes. Header fields of a request are bounded anyway.
const LONGEST: usize = 16 << 10;

/// A signed token in compact form (RFC 7515 §7.1).
#[derive(Debug)]
pub(super) struct Jws<'a> {
    signed: &'a str,
    payload: &'a str,
    header: Header,
    signature: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood: none are.
    crit: Option<Value>,
}

impl<'a> Jws<'a> {
    /// The parts of a text, if it has the form of a token.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        Some(Self {
            signed,
            payload,
            header: serde_json::from_slice(&decode(header)?).ok()?,
            signature: decode(signature)?,
        })
    }

    /// How it says that it is signed, if that is a way we accept. `none` and keyed hashes, for
    /// which a public key would be the secret, are no such ways.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        if self.header.crit.is_some() {
            return None;
        }
        Algorithm::named(&self.header.alg)
    }

    /// The key that it says it is signed with.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What is signed.
    pub(super) fn signed(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    /// The signature.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What it claims.
    pub(super) fn claims(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&decode(self.payload)?).ok()
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn only_three_signature_algorithms_are_known() {
        let algorithm = |alg: &str| {
            let token = token(&format!(r#"{{"alg":"{alg}"}}"#));
            Jws::parse(&token).unwrap().algorithm()
        };
        assert_eq!(algorithm("EdDSA"), Some(Algorithm::EdDsa));
        assert_eq!(algorithm("ES256"), Some(Algorithm::Es256));
        assert_eq!(algorithm("RS256"), Some(Algorithm::Rs256));
        for other in [
            "none", "None", "", "HS256", "HS512", "RS512", "PS256", "es256", "ES384",
        ] {
            assert_eq!(algorithm(other), None, "{other}");
        }
    }

    #[test]
    fn what_must_be_understood_and_is_not_is_refused() {
        let token = token(r#"{"alg":"ES256","crit":["b64"],"b64":false}"#);
        assert_eq!(Jws::parse(&token).unwrap().algorithm(), None);
    }

    #[test]
    fn another_form_is_no_token() {
        for text in [
            "",
            ".",
            "..",
            "a.b",
            "a.b.c",
            "e30.e30.e30.e30",
            "e30.e30.AA=",
            "e30.e30.A",
        ] {
            assert!(Jws::parse(text).is_none(), "{text}");
        }
        // Twice the same field: which one counts?
        let twice = token(r#"{"alg":"ES256","alg":"none"}"#);
        assert!(Jws::parse(&twice).is_none());
    }
}
