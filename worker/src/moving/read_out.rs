//! From a session's keys in Redis to an account.

use std::sync::Arc;

use wacore::store::traits::{AppSyncStore, DeviceStore, ProtocolStore, SignalStore};

use super::account::{Collection, PreKey};
use super::{ImportedAccount, MovingError};
use crate::keystore::RedisKeystore;

/// Reads all that a session holds.
///
/// # Errors
/// When it is not paired, Redis does not answer, or a record can not be read.
pub async fn read_out(keystore: &RedisKeystore) -> Result<ImportedAccount, MovingError> {
    let device = keystore.load().await?;
    let device = device.filter(|device| device.pn.is_some());
    let device = device.ok_or_else(|| MovingError::file("the session", "is not paired"))?;
    let mut account = ImportedAccount::of(device);
    account.signed_pre_keys = keystore.load_all_signed_prekeys().await?;
    account.pre_keys = keystore
        .every_pre_key()
        .await?
        .into_iter()
        .map(|(id, record, uploaded)| PreKey {
            id,
            record: record.into(),
            uploaded,
        })
        .collect();
    account.sessions = addressed(keystore.every_session().await?, Into::into);
    account.sender_keys = addressed(keystore.every_sender_key().await?, Into::into);
    for (address, key) in addressed(keystore.every_identity().await?, |key| key) {
        if let Ok(key) = key.try_into() {
            account.identities.push((address, key));
        }
    }
    for group in keystore.every_keyed_group().await? {
        let devices = keystore.get_sender_key_devices(&group).await?;
        account.sender_key_devices.push((group, devices));
    }
    account.sync_keys = keystore.every_sync_key().await?;
    let latest = keystore.get_latest_sync_key_id().await?;
    account
        .sync_keys
        .sort_by_key(|(id, key)| (Some(id) == latest.as_ref(), key.timestamp));
    for name in keystore.every_collection().await? {
        account.collections.push(Collection {
            state: keystore.get_version(&name).await?,
            macs: keystore.every_mac(&name).await?,
            name,
        });
    }
    account.lids = keystore.get_all_lid_mappings().await?;
    account.devices = keystore.every_device_list().await?;
    account.tc_tokens = keystore.every_tc_token().await?;
    account.secrets = keystore.every_secret().await?;
    Ok(account)
}

/// Rows whose fields are texts, as all addresses are, in their order.
fn addressed<T>(rows: Vec<(Vec<u8>, Vec<u8>)>, make: fn(Vec<u8>) -> T) -> Vec<(Arc<str>, T)> {
    let mut named: Vec<(Arc<str>, T)> = rows
        .into_iter()
        .filter_map(|(field, record)| {
            Some((Arc::from(String::from_utf8(field).ok()?), make(record)))
        })
        .collect();
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    named
}
