//! WhatsApp's encryption of files, read as it comes: AES-256-CBC, and the first ten bytes of an
//! HMAC-SHA-256 over the initialisation vector and the ciphertext. The keys are derived from the media
//! key with HKDF-SHA-256, for each kind of file others.
//!
//! What is given out is not verified before [`Decryptor::finish`] has said so.

use aes::Aes256;
use cbc::cipher::{Block, BlockModeDecrypt, KeyIvInit};
use ring::digest::{self, SHA256};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac::{self, HMAC_SHA256};

/// Bytes of a block.
const BLOCK: usize = 16;
/// Bytes of the HMAC at the end.
const MAC: usize = 10;
/// Initialisation vector, key of the cipher, key of the HMAC, and one that nobody needs.
const KEYS: usize = 112;

/// What is being decrypted is not what it claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file is not what its message says: it was damaged or exchanged")]
pub(super) struct Forged;

/// Decrypts one file.
pub(super) struct Decryptor {
    cipher: cbc::Decryptor<Aes256>,
    mac: hmac::Context,
    hash: digest::Context,
    /// What may be the end: the last block and the HMAC.
    held: Vec<u8>,
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Decryptor {
    /// Begins a file with this media key; `info` names the kind of file, as WhatsApp does.
    pub(super) fn new(media_key: &[u8], info: &str) -> Result<Self, Forged> {
        let mut keys = [0; KEYS];
        Salt::new(HKDF_SHA256, &[])
            .extract(media_key)
            .expand(&[info.as_bytes()], Length(KEYS))
            .and_then(|expanded| expanded.fill(&mut keys))
            .map_err(|_| Forged)?;
        let (iv, rest) = keys.split_at(BLOCK);
        let (cipher, rest) = rest.split_at(32);
        let mut mac = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, &rest[..32]));
        mac.update(iv);
        Ok(Self {
            cipher: cbc::Decryptor::new_from_slices(cipher, iv).map_err(|_| Forged)?,
            mac,
            hash: digest::Context::new(&SHA256),
            held: Vec::new(),
        })
    }

    /// Takes more of the file and gives what can be decrypted of it.
    pub(super) fn update(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.hash.update(bytes);
        self.held.extend_from_slice(bytes);
        let ready = self.held.len().saturating_sub(BLOCK + MAC) / BLOCK * BLOCK;
        let mut plain: Vec<u8> = self.held.drain(..ready).collect();
        self.mac.update(&plain);
        self.decrypt(&mut plain);
        plain
    }

    fn decrypt(&mut self, bytes: &mut [u8]) {
        let (blocks, _) = Block::<Aes256>::slice_as_chunks_mut(bytes);
        self.cipher.decrypt_blocks(blocks);
    }

    /// The rest of the file, once all of it was taken and is what it should be.
    ///
    /// # Errors
    /// When its HMAC, its hash (where `enc_sha256` gives one) or its padding is wrong.
    pub(super) fn finish(mut self, enc_sha256: Option<&[u8]>) -> Result<Vec<u8>, Forged> {
        let end = self.held.len().checked_sub(MAC).ok_or(Forged)?;
        if end == 0 || end % BLOCK != 0 {
            return Err(Forged);
        }
        let told = self.held.split_off(end);
        let mut plain = std::mem::take(&mut self.held);
        self.mac.update(&plain);
        let mac = self.mac.clone().sign();
        // Ten bytes that nobody can try: a wrong file is told once.
        if mac.as_ref()[..MAC] != told[..] {
            return Err(Forged);
        }
        let hash = self.hash.clone().finish();
        if enc_sha256.is_some_and(|expected| expected != hash.as_ref()) {
            return Err(Forged);
        }
        self.decrypt(&mut plain);
        let padding = usize::from(*plain.last().ok_or(Forged)?);
        let kept = plain.len().checked_sub(padding).ok_or(Forged)?;
        if padding == 0
            || padding > BLOCK
            || plain[kept..]
                .iter()
                .any(|byte| usize::from(*byte) != padding)
        {
            return Err(Forged);
        }
        plain.truncate(kept);
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by whatsapp-rust's `encrypt_media`: the key is 32 bytes of 7, the file is "a picture".
    const INFO: &str = "WhatsApp Image Keys";

    fn sealed(file: &[u8]) -> Vec<u8> {
        use cbc::cipher::BlockModeEncrypt;
        let mut keys = [0; KEYS];
        Salt::new(HKDF_SHA256, &[])
            .extract(&[7; 32])
            .expand(&[INFO.as_bytes()], Length(KEYS))
            .unwrap()
            .fill(&mut keys)
            .unwrap();
        let padding = BLOCK - file.len() % BLOCK;
        let mut bytes = file.to_vec();
        bytes.extend(std::iter::repeat_n(padding as u8, padding));
        let mut cipher =
            cbc::Encryptor::<Aes256>::new_from_slices(&keys[16..48], &keys[..16]).unwrap();
        let (blocks, _) = Block::<Aes256>::slice_as_chunks_mut(&mut bytes);
        cipher.encrypt_blocks(blocks);
        let mut mac = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, &keys[48..80]));
        mac.update(&keys[..16]);
        mac.update(&bytes);
        bytes.extend_from_slice(&mac.sign().as_ref()[..MAC]);
        bytes
    }

    fn open(sealed: &[u8], piece: usize) -> Result<Vec<u8>, Forged> {
        let mut decryptor = Decryptor::new(&[7; 32], INFO)?;
        let mut file = Vec::new();
        for piece in sealed.chunks(piece) {
            file.extend(decryptor.update(piece));
        }
        file.extend(decryptor.finish(None)?);
        Ok(file)
    }

    #[test]
    fn a_file_is_read_whatever_the_pieces() {
        for length in [0, 1, 15, 16, 17, 26, 1_000] {
            let file: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let sealed = sealed(&file);
            for piece in [1, 7, 16, 26, 4_096] {
                assert_eq!(
                    open(&sealed, piece).as_ref(),
                    Ok(&file),
                    "{length} by {piece}"
                );
            }
        }
    }

    #[test]
    fn what_was_changed_or_cut_is_noticed() {
        let whole = sealed(b"a file of more than one block, at any rate");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert_eq!(open(&changed, 8), Err(Forged), "byte {at}");
        }
        for length in 0..whole.len() {
            assert_eq!(open(&whole[..length], 8), Err(Forged), "{length} bytes");
        }
        let mut decryptor = Decryptor::new(&[7; 32], INFO).unwrap();
        decryptor.update(&whole);
        assert_eq!(decryptor.finish(Some(&[0; 32])), Err(Forged));
    }
}
