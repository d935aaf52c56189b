//! Keys of the configuration and their ids.

use std::fmt;
use std::str::FromStr;

use super::SealError;
use super::cipher::{KEY, random};

/// The name of a key: 1 to 32 lower-case letters, digits, `-` or `_`. It is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if text.is_empty() || text.len() > 32 || !text.chars().all(allowed) {
            return Err("its id must be 1 to 32 lower-case letters, digits, '-' or '_'");
        }
        Ok(Self(text.to_owned()))
    }
}

/// A key with its id, as the configuration writes it: `id:` and 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey {
    id: KeyId,
    bytes: [u8; KEY],
}

impl SecretKey {
    /// A new random key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate(id: KeyId) -> Result<Self, SealError> {
        let bytes = random()?;
        Ok(Self { id, bytes })
    }

    /// A new random id.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random_id() -> Result<KeyId, SealError> {
        let bytes: [u8; 4] = random()?;
        Ok(KeyId(format!("k{}", hex::encode(bytes))))
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    pub(super) fn bytes(&self) -> &[u8; KEY] {
        &self.bytes
    }

    /// The text for the configuration. It is the secret itself.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{}:{}", self.id, hex::encode(self.bytes))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id)
    }
}

impl FromStr for SecretKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, digits) = text.split_once(':').ok_or("it has no id")?;
        let mut bytes = [0; KEY];
        hex::decode_to_slice(digits, &mut bytes)
            .map_err(|_| "what follows the id is not 64 hexadecimal digits")?;
        let id = id.parse()?;
        Ok(Self { id, bytes })
    }
}
