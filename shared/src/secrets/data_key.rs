//! Keys of the data itself, sealed by the keyring.

use std::fmt;
use std::sync::Arc;

use super::cipher::{Cipher, KEY, random};
use super::{Keyring, OpenError, SealError};

/// What bytes sealed by a data key begin with. No record that was ever kept in clear does.
const MAGIC: [u8; 4] = *b"\0gd1";

/// A key for many small records of one owner. Redis keeps it sealed by the keyring. Cloning it is
/// cheap.
#[derive(Clone)]
pub struct DataKey(Arc<Cipher>);

impl DataKey {
    /// A new random key, and its form to keep: sealed by the keyring for `context`.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate(keyring: &Keyring, context: &str) -> Result<(Self, Vec<u8>), SealError> {
        let bytes: [u8; KEY] = random()?;
        let sealed = keyring.seal(context, &bytes)?;
        Ok((Self(Arc::new(Cipher::new(&bytes))), sealed))
    }

    /// The key in the form in which it is kept.
    ///
    /// # Errors
    /// When the keyring can not open it.
    pub fn open(keyring: &Keyring, context: &str, sealed: &[u8]) -> Result<Self, OpenError> {
        let bytes = keyring.open(context, sealed)?;
        let bytes = bytes.try_into().map_err(|_| OpenError::NotSealed)?;
        Ok(Self(Arc::new(Cipher::new(&bytes))))
    }

    /// Encrypts a record for `context`.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal(&self, context: impl AsRef<[u8]>, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.seal(MAGIC.to_vec(), context.as_ref(), plaintext)
    }

    /// Decrypts a record.
    ///
    /// # Errors
    /// When it is not one that this key sealed for `context`.
    pub fn unseal(&self, context: impl AsRef<[u8]>, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let rest = sealed.strip_prefix(&MAGIC).ok_or(OpenError::NotSealed)?;
        self.0.open(&MAGIC, context.as_ref(), rest)
    }

    /// Whether bytes look like a record that a data key sealed.
    #[must_use]
    pub fn is_sealed(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_opens_only_with_its_key_and_in_its_place() {
        let keyring = Keyring::generate().unwrap();
        let (key, kept) = DataKey::generate(&keyring, "session:1").unwrap();
        let sealed = key.seal(b"identity", b"a secret").unwrap();
        assert!(DataKey::is_sealed(&sealed));
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
        let again = DataKey::open(&keyring, "session:1", &kept).unwrap();
        assert_eq!(again.unseal(b"identity", &sealed).unwrap(), b"a secret");
        assert_eq!(again.unseal(b"noise", &sealed), Err(OpenError::Forged));
        let elsewhere = DataKey::open(&keyring, "session:2", &kept);
        assert_eq!(elsewhere.err(), Some(OpenError::Forged));
        let (other, _) = DataKey::generate(&keyring, "session:1").unwrap();
        assert_eq!(other.unseal(b"identity", &sealed), Err(OpenError::Forged));
        let clear = key.unseal(b"identity", b"a secret");
        assert_eq!(clear, Err(OpenError::NotSealed));
    }
}
