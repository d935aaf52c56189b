//! What can go wrong with sealed bytes and with the keys that seal them.

use std::path::PathBuf;

use super::KeyId;

/// There is no usable keyring. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// No key is configured.
    #[error(
        "no key encrypts the secrets that Redis keeps: set secrets.keys or secrets.key_file \
         (`gateway-api secrets generate` makes a key)"
    )]
    Missing,
    /// The key file can not be read.
    #[error("secrets.key_file: {} can not be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is not understood. Its text is not shown.
    #[error(
        "{setting}: key {place} is not understood: {problem}; a key is `id:` and 64 hexadecimal \
         digits, as `gateway-api secrets generate` prints it"
    )]
    Malformed {
        /// The setting it stands in.
        setting: &'static str,
        /// Which of its keys, counted from 1.
        place: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// Two keys have one id.
    #[error("secrets: two different keys are called {0:?}; ids must differ")]
    Twice(KeyId),
    /// The key that should encrypt is not there.
    #[error("secrets.active is {0:?}, and no key is called that")]
    NoSuchActive(String),
}

/// Nothing could be sealed: the system gives no random bytes, or there is too much (over 60 GiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes to encrypt with")]
pub struct SealError;

/// Sealed bytes could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// They do not have the form of sealed bytes.
    #[error("these are no sealed bytes")]
    NotSealed,
    /// A key sealed them that is not in the keyring.
    #[error("sealed with key {0:?}, which is not among secrets.keys")]
    UnknownKey(KeyId),
    /// They were changed, belong to another context, or the key of that id is another one.
    #[error("sealed bytes do not belong to this key and context, or were changed")]
    Forged,
}
