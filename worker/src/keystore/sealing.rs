//! What of the key material is encrypted, and with what.
//!
//! A session's rows are sealed by a data key of its own, which lies in the fence, sealed by the
//! keyring of the configuration. So a key of the configuration is replaced by rewriting one small
//! field of each session, and erasing the fence's field makes every copy of the rows worthless.
//! Each row is bound to its family and field: a row that is put in the place of another does not
//! open.
//!
//! Not sealed are rows that hold no key and no content: which devices have our sender key, device
//! lists, the MACs of app state, and which LID belongs to which number.

use gateway_shared::domain::SessionId;
use gateway_shared::redis::keys::KeyFamily;
use gateway_shared::secrets::DataKey;

use super::{KeystoreError, RedisKeystore, keys};

/// The field of `meta` with the device, which is the only one of it that is sealed.
pub(super) const DEVICE: &[u8] = b"device";

/// The sealed families, and how many bytes of their rows stay in clear in front: those that scripts
/// read or write.
pub(super) const SEALED: &[(KeyFamily, usize)] = &[
    (keys::META, 0),
    (keys::SESSION, 0),
    (keys::IDENTITY, 0),
    (keys::PREKEY, 1),
    (keys::SIGNED_PREKEY, 0),
    (keys::SENDER_KEY, 0),
    (keys::SYNC_KEY, 0),
    (keys::SYNC_VERSION, 0),
    (keys::GROUP, 0),
    (keys::TC_TOKEN, 17),
    (keys::BASE_KEY, 0),
    (keys::SENT, 0),
    (keys::PENDING, 0),
    (keys::SECRET, 8),
];

/// What a session's data key is sealed for.
pub(super) fn data_key_context(session: &SessionId) -> String {
    format!("keystore:{session}")
}

/// What a row is sealed for.
pub(super) fn row_context(family: KeyFamily, field: &[u8]) -> Vec<u8> {
    [family.name.as_bytes(), b"\0", field].concat()
}

impl RedisKeystore {
    /// The form in which a record is stored.
    pub(super) fn seal(
        &self,
        family: KeyFamily,
        field: &[u8],
        record: &[u8],
    ) -> Result<Vec<u8>, KeystoreError> {
        let context = row_context(family, field);
        Ok(self.state.data_key.seal(context, record)?)
    }

    /// The record of a row as it was stored; of what stays in clear in front of it the caller has
    /// taken care. A row that a version before this one stored in clear is read as it is, until all
    /// of the session's rows are known to be sealed.
    pub(super) fn unseal(
        &self,
        family: KeyFamily,
        field: &[u8],
        stored: Vec<u8>,
    ) -> Result<Vec<u8>, KeystoreError> {
        if !self.state.sealed && !DataKey::is_sealed(&stored) {
            return Ok(stored);
        }
        let context = row_context(family, field);
        let opened = self.state.data_key.unseal(context, &stored);
        opened.map_err(|source| KeystoreError::Sealed {
            record: family.name,
            source,
        })
    }

    /// The sealed field of a hash.
    pub(super) async fn sealed_field(
        &self,
        family: KeyFamily,
        field: &[u8],
    ) -> Result<Option<Vec<u8>>, KeystoreError> {
        let stored = self.field(family, field).await?;
        stored
            .map(|stored| self.unseal(family, field, stored))
            .transpose()
    }

    /// Seals one field of a hash that has no index.
    pub(super) async fn set_sealed(
        &self,
        family: KeyFamily,
        field: &[u8],
        record: &[u8],
    ) -> Result<(), KeystoreError> {
        let sealed = self.seal(family, field, record)?;
        self.set_field(family, field, &sealed).await
    }
}
