//! How a file is encrypted at rest, so that any part of it can be read without the rest.
//!
//! An object is a head of [`HEAD`] bytes with the file's own key, sealed by the keyring, and then
//! the content in chunks of [`CHUNK`] bytes, each sealed by that key for its number and for whether
//! it is the last one: chunks can be neither exchanged nor cut off.

use std::ops::Range;

use crate::secrets::{DataKey, Keyring};

use super::MediaError;

/// Bytes of content in one chunk.
pub const CHUNK: usize = 64 * 1024;
/// Bytes of an object before its first chunk.
pub(super) const HEAD: usize = 512;
/// What an object begins with.
const MAGIC: [u8; 4] = *b"WGM1";

/// The key of one file, and how much longer it makes a chunk.
#[derive(Debug, Clone)]
pub(super) struct FileKey {
    key: DataKey,
    overhead: usize,
}

fn context(organization: &str, object: &str) -> String {
    format!("media:{organization}:{object}")
}

impl FileKey {
    /// A new key, and the head of the object.
    pub(super) fn generate(
        keyring: &Keyring,
        organization: &str,
        object: &str,
    ) -> Result<(Self, Vec<u8>), MediaError> {
        let (key, sealed) = DataKey::generate(keyring, &context(organization, object))?;
        let length = u16::try_from(sealed.len()).map_err(|_| MediaError::Damaged)?;
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&length.to_be_bytes());
        head.extend_from_slice(&sealed);
        if head.len() > HEAD {
            return Err(MediaError::Damaged);
        }
        head.resize(HEAD, 0);
        Ok((Self::of(key)?, head))
    }

    /// The key in the head of an object.
    pub(super) fn open(
        keyring: &Keyring,
        organization: &str,
        object: &str,
        head: &[u8],
    ) -> Result<Self, MediaError> {
        let rest = head.strip_prefix(&MAGIC).ok_or(MediaError::Damaged)?;
        let (length, rest) = rest.split_first_chunk().ok_or(MediaError::Damaged)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let sealed = rest.get(..length).ok_or(MediaError::Damaged)?;
        Self::of(DataKey::open(
            keyring,
            &context(organization, object),
            sealed,
        )?)
    }

    fn of(key: DataKey) -> Result<Self, MediaError> {
        let overhead = key.seal("", b"")?.len();
        Ok(Self { key, overhead })
    }

    /// A chunk as the object holds it.
    pub(super) fn seal(
        &self,
        number: u64,
        last: bool,
        chunk: &[u8],
    ) -> Result<Vec<u8>, MediaError> {
        Ok(self.key.seal(place(number, last), chunk)?)
    }

    /// The content of a chunk.
    pub(super) fn unseal(
        &self,
        number: u64,
        last: bool,
        sealed: &[u8],
    ) -> Result<Vec<u8>, MediaError> {
        let opened = self.key.unseal(place(number, last), sealed);
        opened.map_err(|_| MediaError::Damaged)
    }

    /// Bytes of a full chunk in the object.
    pub(super) fn sealed_chunk(&self) -> usize {
        CHUNK + self.overhead
    }

    /// The part of the object that holds these chunks of a file of `size` bytes.
    pub(super) fn part(&self, chunks: &Range<u64>, size: u64) -> Range<u64> {
        let full = self.sealed_chunk() as u64;
        let head = HEAD as u64;
        let end = if chunks.end >= chunks_of(size) {
            head + size + chunks_of(size) * self.overhead as u64
        } else {
            head + chunks.end * full
        };
        head + chunks.start * full..end
    }
}

fn place(number: u64, last: bool) -> String {
    format!("{number}{}", if last { "!" } else { "" })
}

/// How many chunks a file has; an empty one has one.
pub(super) fn chunks_of(size: u64) -> u64 {
    size.div_ceil(CHUNK as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_opens_in_its_place_alone() {
        let keyring = Keyring::generate().unwrap();
        let (key, head) = FileKey::generate(&keyring, "org_1", "o").unwrap();
        assert_eq!(head.len(), HEAD);
        let sealed = key.seal(3, false, b"content").unwrap();
        let again = FileKey::open(&keyring, "org_1", "o", &head).unwrap();
        assert_eq!(again.unseal(3, false, &sealed).unwrap(), b"content");
        assert!(again.unseal(4, false, &sealed).is_err());
        assert!(again.unseal(3, true, &sealed).is_err());
        assert!(FileKey::open(&keyring, "org_2", "o", &head).is_err());
        assert!(FileKey::open(&keyring, "org_1", "p", &head).is_err());
        assert!(FileKey::open(&keyring, "org_1", "o", &head[..40]).is_err());
    }

    #[test]
    fn the_parts_of_an_object_follow_from_the_size_of_the_file() {
        let keyring = Keyring::generate().unwrap();
        let (key, _) = FileKey::generate(&keyring, "org_1", "o").unwrap();
        let (chunk, full) = (CHUNK as u64, key.sealed_chunk() as u64);
        let over = full - chunk;
        assert_eq!(key.part(&(0..1), 0), 512..512 + over);
        assert_eq!(key.part(&(0..1), chunk), 512..512 + full);
        assert_eq!(
            key.part(&(1..2), chunk + 5),
            512 + full..512 + full + 5 + over
        );
        assert_eq!(key.part(&(0..1), chunk + 5), 512..512 + full);
        assert_eq!(
            (chunks_of(0), chunks_of(chunk), chunks_of(chunk + 1)),
            (1, 1, 2)
        );
    }
}
