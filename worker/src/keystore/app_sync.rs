//! WhatsApp's synchronized app state: keys, versions and mutation MACs.

use std::collections::HashMap;

use async_trait::async_trait;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::error::Result;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore};

use super::write::ROWS;
use super::{RedisKeystore, codec, keys};

/// The field of `meta` with the id of the sync key stored last.
const LATEST: &[u8] = b"sync_key";

#[async_trait]
impl AppSyncStore for RedisKeystore {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        let stored = self.sealed_field(keys::SYNC_KEY, key_id).await?;
        Ok(stored.as_deref().map(codec::decode_sync_key).transpose()?)
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Result<()> {
        let record = codec::encode_sync_key(&key);
        self.write()
            .op("HSET", &[keys::SYNC_KEY])
            .arg(key_id)
            .own(self.seal(keys::SYNC_KEY, key_id, &record)?)
            .op("HSET", &[keys::META])
            .arg(LATEST)
            .arg(key_id)
            .run()
            .await?;
        Ok(())
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        let stored = self
            .sealed_field(keys::SYNC_VERSION, name.as_bytes())
            .await?;
        let state = stored
            .as_deref()
            .map(codec::decode_hash_state)
            .transpose()?;
        Ok(state.unwrap_or_default())
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        let record = codec::encode_hash_state(&state);
        Ok(self
            .set_sealed(keys::SYNC_VERSION, name.as_bytes(), &record)
            .await?)
    }

    async fn put_mutation_macs(
        &self,
        name: &str,
        _version: u64,
        mutations: &[AppStateMutationMAC],
    ) -> Result<()> {
        for rows in mutations.chunks(ROWS) {
            let mut write = self
                .write()
                .op("SADD", &[keys::COLLECTIONS])
                .arg(name)
                .op_of("HSET", keys::MAC, name);
            for mac in rows {
                write = write.arg(&mac.index_mac).arg(&mac.value_mac);
            }
            write.run().await?;
        }
        Ok(())
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        let key = self.key_of(keys::MAC, name);
        Ok(self.read_key("HGET", &key, &[index_mac]).await?)
    }

    async fn get_mutation_macs(
        &self,
        name: &str,
        index_macs: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let key = self.key_of(keys::MAC, name);
        let mut found = HashMap::with_capacity(index_macs.len());
        for rows in index_macs.chunks(ROWS) {
            let fields: Vec<&[u8]> = rows.iter().map(<[u8; 32]>::as_slice).collect();
            let values: Vec<Option<Vec<u8>>> = self.read_key("HMGET", &key, &fields).await?;
            for (index_mac, value) in rows.iter().zip(values) {
                if let Some(value) = value {
                    found.insert(*index_mac, value);
                }
            }
        }
        Ok(found)
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        for rows in index_macs.chunks(ROWS) {
            let mut write = self.write().op_of("HDEL", keys::MAC, name);
            for index_mac in rows {
                write = write.arg(index_mac);
            }
            write.run().await?;
        }
        Ok(())
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        self.write()
            .op_of("UNLINK", keys::MAC, name)
            .op("SREM", &[keys::COLLECTIONS])
            .arg(name)
            .run()
            .await?;
        Ok(())
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.field(keys::META, LATEST).await?)
    }
}
