//! Whether a process has the keys that this installation's secrets were sealed with.
//!
//! Beside the marker Redis keeps a *check* for each key that ever was the active one of a process:
//! a constant sealed by it. A process whose keyring can not open all of them would meet secrets that
//! it can not read, or, with another key of the same name, seal what nobody else can read.

use redis::AsyncCommands;

use super::Foreign;
use crate::redis::keys::{GLOBAL, key};
use crate::redis::{RedisFailure, Store};
use crate::secrets::{KeyId, Keyring, OpenError};

/// What is sealed.
const CONSTANT: &[u8] = b"whatsapp gateway";

/// What is wrong with `keyring` for the installation in `store`, if anything. The check of its
/// active key is added.
///
/// # Errors
/// When Redis does not answer.
pub(super) async fn check(
    store: &Store,
    keyring: &Keyring,
) -> Result<Option<Foreign>, RedisFailure> {
    let place = key(GLOBAL, &store.keys.global(), "secrets", &[]);
    let mut connection = store.connection.clone();
    let known: Vec<(String, Vec<u8>)> = connection.hgetall(&place).await?;
    if let Some(wrong) = judge(keyring, &known) {
        return Ok(Some(wrong));
    }
    let Some(active) = keyring.ids().next() else {
        return Ok(None);
    };
    if known.iter().any(|(id, _)| id == active.as_str()) {
        return Ok(None);
    }
    let Ok(sealed) = keyring.seal(&context(active.as_str()), CONSTANT) else {
        // Without random bytes nothing is sealed, so nothing needs a check either.
        return Ok(None);
    };
    let added: bool = connection.hset_nx(&place, active.as_str(), sealed).await?;
    if added {
        tracing::info!(key = %active, "a new key encrypts this installation's secrets");
        return Ok(None);
    }
    // Another process was faster, perhaps with another key of that name.
    let known: Vec<(String, Vec<u8>)> = connection.hgetall(&place).await?;
    Ok(judge(keyring, &known))
}

/// The keys that are, or were, the active one of a process of this installation.
///
/// # Errors
/// When Redis does not answer.
pub async fn known_keys(store: &Store) -> Result<Vec<KeyId>, RedisFailure> {
    let place = key(GLOBAL, &store.keys.global(), "secrets", &[]);
    let ids: Vec<String> = store.connection.clone().hkeys(place).await?;
    let mut ids: Vec<KeyId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Lets processes run without this key: nothing is sealed with it any more. False when it was not
/// known.
///
/// # Errors
/// When Redis does not answer.
pub async fn forget_key(store: &Store, id: &KeyId) -> Result<bool, RedisFailure> {
    let place = key(GLOBAL, &store.keys.global(), "secrets", &[]);
    let removed: u64 = store.connection.clone().hdel(place, id.as_str()).await?;
    Ok(removed > 0)
}

fn judge(keyring: &Keyring, known: &[(String, Vec<u8>)]) -> Option<Foreign> {
    known
        .iter()
        .find_map(|(id, sealed)| match keyring.open(&context(id), sealed) {
            Ok(_) => None,
            Err(OpenError::UnknownKey(id)) => Some(Foreign::KeyMissing { id }),
            Err(OpenError::Forged | OpenError::NotSealed) => {
                let id: KeyId = id.parse().ok()?;
                Some(Foreign::KeyWrong { id })
            }
        })
}

fn context(id: &str) -> String {
    format!("check:{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::SecretKey;

    fn key(id: &str) -> SecretKey {
        SecretKey::generate(id.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_missing_and_a_wrong_key_are_told_apart() {
        let (a, b) = (key("a"), key("b"));
        let ring = |keys: Vec<SecretKey>| Keyring::of(keys, "").unwrap();
        let ours = ring(vec![a.clone()]);
        let known = [("a".to_owned(), ours.seal("check:a", CONSTANT).unwrap())];
        assert_eq!(judge(&ours, &[]), None);
        assert_eq!(judge(&ours, &known), None);
        assert_eq!(judge(&ring(vec![b.clone(), a]), &known), None);
        let id: KeyId = "a".parse().unwrap();
        let missing = Some(Foreign::KeyMissing { id: id.clone() });
        assert_eq!(judge(&ring(vec![b]), &known), missing);
        let wrong = Some(Foreign::KeyWrong { id });
        assert_eq!(judge(&ring(vec![key("a")]), &known), wrong);
    }
}
