//! Authenticated encryption under a key derived for each sealing.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk};
use ring::rand::{SecureRandom, SystemRandom};

use super::{OpenError, SealError};

/// Length of a key, in bytes.
pub(super) const KEY: usize = 32;
/// Length of the salt before each ciphertext, in bytes.
const SALT: usize = 16;
/// Length of the tag behind it, in bytes.
const TAG: usize = 16;
/// What a sealing adds to the plaintext besides its head, in bytes.
pub(super) const OVERHEAD: usize = SALT + TAG;

/// A key from which those of single sealings are derived.
pub(super) struct Cipher(Prk);

impl Cipher {
    pub(super) fn new(key: &[u8; KEY]) -> Self {
        Self(Prk::new_less_safe(HKDF_SHA256, key))
    }

    /// The key of the sealing with this salt.
    fn derive(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let info = [b"gateway seal".as_slice(), salt];
        let derived = self.0.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(derived)))
    }

    /// Seals `plaintext` for `context` behind `head`, which is authenticated as well.
    pub(super) fn seal(
        &self,
        mut head: Vec<u8>,
        context: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let aad = Aad::from([&head, context].concat());
        let salt: [u8; SALT] = random()?;
        let key = self.derive(&salt).ok_or(SealError)?;
        head.reserve(OVERHEAD + plaintext.len());
        head.extend_from_slice(&salt);
        let from = head.len();
        head.extend_from_slice(plaintext);
        let text = head.get_mut(from..).unwrap_or_default();
        let tag = key
            .seal_in_place_separate_tag(nonce(), aad, text)
            .map_err(|_| SealError)?;
        head.extend_from_slice(tag.as_ref());
        Ok(head)
    }

    /// Opens what stands behind `head`.
    pub(super) fn open(
        &self,
        head: &[u8],
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        let (salt, text) = sealed.split_at_checked(SALT).ok_or(OpenError::NotSealed)?;
        let aad = Aad::from([head, context].concat());
        let key = self.derive(salt).ok_or(OpenError::Forged)?;
        let mut text = text.to_vec();
        let opened = key.open_in_place(nonce(), aad, &mut text);
        let length = opened.map_err(|_| OpenError::Forged)?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| SealError)?;
    Ok(bytes)
}

/// Each derived key seals once, so its nonce may always be the same.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
