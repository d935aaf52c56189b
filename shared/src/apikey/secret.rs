//! The text of a key, and the hash by which it is known.

use std::borrow::Borrow;
use std::fmt;

use sha2::{Digest, Sha256};

/// What every key begins with.
const PREFIX: &str = "wa_";
/// Random bytes of a key; it shows them as twice as many hexadecimal digits.
const RANDOM_BYTES: usize = 32;

/// The text of an API key. It is shown to its owner once, and in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret(String);

impl ApiKeySecret {
    /// A new key, from 256 random bits of the operating system's generator.
    #[must_use]
    pub fn generate() -> Self {
        let random: [u8; RANDOM_BYTES] = rand::random();
        Self(format!("{PREFIX}{}", hex::encode(random)))
    }

    /// The text, to be shown to its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The hash by which it is known.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash::digest(&self.0)
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeySecret(wa_***)")
    }
}

/// SHA-256 of a key's text, in hexadecimal. A key has 256 random bits, so a slow hash would add
/// nothing but time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyHash(String);

impl KeyHash {
    /// The hash of a text that has the form of a key, and `None` of any other: such a text can
    /// not be a key and costs no look-up.
    #[must_use]
    pub fn of(token: &str) -> Option<Self> {
        let digits = token.strip_prefix(PREFIX)?;
        let plausible =
            digits.len() == 2 * RANDOM_BYTES && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        plausible.then(|| Self::digest(token))
    }

    pub(super) fn from_stored(hash: String) -> Self {
        Self(hash)
    }

    fn digest(text: &str) -> Self {
        Self(hex::encode(Sha256::digest(text)))
    }

    /// The hash as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A map by hash can be asked by the hash's text, which is what the `changed` channel carries.
impl Borrow<str> for KeyHash {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_hash_and_shown_by_nothing_else() {
        let secret = ApiKeySecret::generate();
        assert_eq!(KeyHash::of(secret.reveal()), Some(secret.hash()));
        assert!(!format!("{secret:?}").contains(&secret.reveal()[3..]));
        assert_ne!(secret, ApiKeySecret::generate());
    }

    #[test]
    fn what_can_not_be_a_key_is_told_without_a_look_up() {
        for token in ["", "wa_", "wa_123", "Bearer x", "eyJhbGciOi.J9.x"] {
            assert_eq!(KeyHash::of(token), None, "{token}");
        }
    }
}
