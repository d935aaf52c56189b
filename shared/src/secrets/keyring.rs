//! The keys of the configuration together.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::cipher::Cipher;
use super::{KeyId, KeyringError, OpenError, SealError, SecretKey};
use crate::config::SecretsConfig;

/// What bytes sealed by a keyring begin with.
const MAGIC: [u8; 4] = *b"\0gk1";

/// The keys that seal secrets at rest: one encrypts, all decrypt. Cloning it is cheap, and its
/// `Debug` form names ids alone.
#[derive(Clone)]
pub struct Keyring(Arc<Keys>);

struct Keys {
    /// The one that encrypts comes first.
    keys: Vec<(KeyId, Cipher)>,
}

impl Keyring {
    /// The keyring of the configuration: the keys of `secrets.keys`, then those of the file. The
    /// one that `secrets.active` names encrypts, or else the first.
    ///
    /// # Errors
    /// When there is no key, or a key or the file is not understood.
    pub fn load(config: &SecretsConfig) -> Result<Self, KeyringError> {
        let mut keys = parse("secrets.keys", config.keys.reveal())?;
        if !config.key_file.is_empty() {
            let path = Path::new(&config.key_file);
            let text = std::fs::read_to_string(path).map_err(|source| KeyringError::File {
                path: path.to_owned(),
                source,
            })?;
            keys.extend(parse("secrets.key_file", &text)?);
        }
        Self::of(keys, &config.active)
    }

    /// A keyring of one random key: for tests and for what need not outlive the process.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, SealError> {
        let key = SecretKey::generate(SecretKey::random_id()?)?;
        let cipher = Cipher::new(key.bytes());
        let keys = vec![(key.id().clone(), cipher)];
        Ok(Self(Arc::new(Keys { keys })))
    }

    /// A keyring of these keys, of which the one called `active` encrypts; the first if that is
    /// empty.
    ///
    /// # Errors
    /// When there is none, two have one id, or none is called `active`.
    pub fn of(keys: Vec<SecretKey>, active: &str) -> Result<Self, KeyringError> {
        let mut unique: Vec<SecretKey> = Vec::new();
        for key in keys {
            match unique.iter().find(|other| other.id() == key.id()) {
                None => unique.push(key),
                // The same key in the environment and in the file is no contradiction.
                Some(other) if *other == key => {}
                Some(_) => return Err(KeyringError::Twice(key.id().clone())),
            }
        }
        if unique.is_empty() {
            return Err(KeyringError::Missing);
        }
        if !active.is_empty() {
            let place = unique.iter().position(|key| key.id().as_str() == active);
            let place = place.ok_or_else(|| KeyringError::NoSuchActive(active.to_owned()))?;
            unique.swap(0, place);
        }
        let keys = unique
            .into_iter()
            .map(|key| (key.id().clone(), Cipher::new(key.bytes())))
            .collect();
        Ok(Self(Arc::new(Keys { keys })))
    }

    /// The ids of all keys, that of the one that encrypts first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.keys.iter().map(|(id, _)| id)
    }

    /// Encrypts `plaintext` with the active key, bound to `context`.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal(&self, context: &str, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let (id, cipher) = self.0.keys.first().ok_or(SealError)?;
        let length = u8::try_from(id.as_str().len()).map_err(|_| SealError)?;
        let mut head = MAGIC.to_vec();
        head.push(length);
        head.extend_from_slice(id.as_str().as_bytes());
        cipher.seal(head, context.as_bytes(), plaintext)
    }

    /// Decrypts what [`Keyring::seal`] made for the same `context`, with whichever key made it.
    ///
    /// # Errors
    /// When these are no sealed bytes, their key is missing, or they do not belong here.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (id, head) = head(sealed)?;
        let found = self.0.keys.iter().find(|(other, _)| *other == id);
        let (_, cipher) = found.ok_or_else(|| OpenError::UnknownKey(id.clone()))?;
        let (head, rest) = sealed.split_at_checked(head).ok_or(OpenError::NotSealed)?;
        cipher.open(head, context.as_bytes(), rest)
    }

    /// Whether another key than the active one sealed these bytes (or none did, so that they lie
    /// in clear): open them and seal them again.
    #[must_use]
    pub fn needs_reseal(&self, sealed: &[u8]) -> bool {
        let active = self.0.keys.first().map(|(id, _)| id);
        Self::key_of(sealed).as_ref() != active
    }

    /// The id of the key that sealed these bytes; `None` if they are not sealed by a keyring.
    #[must_use]
    pub fn key_of(sealed: &[u8]) -> Option<KeyId> {
        head(sealed).ok().map(|(id, _)| id)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// The id in the head of sealed bytes, and the length of the head.
fn head(sealed: &[u8]) -> Result<(KeyId, usize), OpenError> {
    let rest = sealed.strip_prefix(&MAGIC).ok_or(OpenError::NotSealed)?;
    let (length, rest) = rest.split_first().ok_or(OpenError::NotSealed)?;
    let length = usize::from(*length);
    let id = rest.get(..length).ok_or(OpenError::NotSealed)?;
    let id = std::str::from_utf8(id).map_err(|_| OpenError::NotSealed)?;
    let id = id.parse().map_err(|_| OpenError::NotSealed)?;
    Ok((id, MAGIC.len() + 1 + length))
}

/// The keys of a text: separated by commas or line ends, with `#` before a comment.
fn parse(setting: &'static str, text: &str) -> Result<Vec<SecretKey>, KeyringError> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or(""));
    let keys = lines.flat_map(|line| line.split(',')).map(str::trim);
    keys.filter(|key| !key.is_empty())
        .enumerate()
        .map(|(index, key)| {
            key.parse().map_err(|problem| KeyringError::Malformed {
                setting,
                place: index + 1,
                problem,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> SecretKey {
        SecretKey::generate(id.parse().unwrap()).unwrap()
    }

    fn ring(keys: &[&SecretKey]) -> Keyring {
        Keyring::of(keys.iter().copied().cloned().collect(), "").unwrap()
    }

    #[test]
    fn what_is_sealed_opens_in_its_context_alone() {
        let ring = Keyring::generate().unwrap();
        let sealed = ring.seal("webhook:org_1", b"whsec").unwrap();
        assert_eq!(ring.open("webhook:org_1", &sealed).unwrap(), b"whsec");
        assert_eq!(ring.open("webhook:org_2", &sealed), Err(OpenError::Forged));
        let again = ring.seal("webhook:org_1", b"whsec").unwrap();
        assert_ne!(sealed, again, "nobody sees that two secrets are the same");
        assert!(
            ring.open("", &ring.seal("", b"").unwrap())
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let ring = Keyring::generate().unwrap();
        let sealed = ring.seal("here", b"secret").unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(ring.open("here", &changed).is_err(), "byte {place}");
            assert!(
                ring.open("here", &sealed[..place]).is_err(),
                "cut at {place}"
            );
        }
    }

    #[test]
    fn a_key_is_replaced_without_a_pause() {
        let (old, new) = (key("old"), key("new"));
        let sealed = ring(&[&old]).seal("here", b"secret").unwrap();
        let both = ring(&[&new, &old]);
        assert_eq!(both.open("here", &sealed).unwrap(), b"secret");
        assert!(both.needs_reseal(&sealed));
        let resealed = both.seal("here", b"secret").unwrap();
        assert!(!both.needs_reseal(&resealed));
        assert_eq!(ring(&[&new]).open("here", &resealed).unwrap(), b"secret");
        let unknown = OpenError::UnknownKey(old.id().clone());
        assert_eq!(ring(&[&new]).open("here", &sealed), Err(unknown));
        assert!(both.needs_reseal(b"in clear"));
    }

    #[test]
    fn a_key_of_the_same_name_is_not_the_same_key() {
        let sealed = ring(&[&key("a")]).seal("here", b"secret").unwrap();
        let other = ring(&[&key("a")]).open("here", &sealed);
        assert_eq!(other, Err(OpenError::Forged));
    }

    #[test]
    fn a_wrong_configuration_says_what_is_wrong() {
        let load = |keys: &str, active: &str| {
            let config = SecretsConfig {
                keys: keys.to_owned().into(),
                key_file: String::new(),
                active: active.to_owned(),
            };
            let error = Keyring::load(&config).map(|ring| format!("{ring:?}"));
            error.unwrap_or_else(|error| error.to_string())
        };
        let zeros = "0".repeat(64);
        let ones = "1".repeat(64);
        let emitted = [
            load("", ""),
            load(&zeros, ""),
            load(&format!("a:{zeros}, B:{ones}"), ""),
            load(&format!("a:{zeros},b:12"), ""),
            load(&format!("a:{zeros},a:{ones}"), ""),
            load(&format!("a:{zeros}"), "b"),
            load(&format!("a:{zeros} # the old one\n\nb:{ones}"), "b"),
        ];
        insta::assert_snapshot!(emitted.join("\n"));
    }
}
