//! Identities, sessions, pre-keys and sender keys.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_shared::redis::keys::KeyFamily;
use wacore::store::error::Result;
use wacore::store::traits::SignalStore;

use super::with_retry::with_retry;
use super::write::{COSTLY_ROWS, ROWS};
use super::{KeystoreError, RedisKeystore, codec, keys};

const IDENTITIES: [KeyFamily; 2] = [keys::IDENTITY, keys::IDENTITY_INDEX];
const SESSIONS: [KeyFamily; 2] = [keys::SESSION, keys::SESSION_INDEX];

impl RedisKeystore {
    /// Stores records by address and keeps the index of the addresses.
    async fn put_addresses<V: AsRef<[u8]> + Sync>(
        &self,
        families: &[KeyFamily; 2],
        rows: &[(Arc<str>, V)],
    ) -> std::result::Result<(), KeystoreError> {
        for rows in rows.chunks(ROWS) {
            let mut write = self.write().op("put", families);
            for (address, record) in rows {
                write = write.arg(&**address).own(self.seal(
                    families[0],
                    address.as_bytes(),
                    record.as_ref(),
                )?);
            }
            write.run().await?;
        }
        Ok(())
    }

    fn open_prekey(&self, id: u32, stored: Vec<u8>) -> std::result::Result<Bytes, KeystoreError> {
        let record = codec::decode_prekey(stored)?;
        let field = id.to_string();
        let opened = self.unseal(keys::PREKEY, field.as_bytes(), record.into())?;
        Ok(Bytes::from(opened))
    }

    async fn put_prekeys(
        &self,
        rows: &[(u32, &[u8])],
        uploaded: bool,
    ) -> std::result::Result<(), KeystoreError> {
        for rows in rows.chunks(ROWS) {
            let mut write = self.write().op("HSET", &[keys::PREKEY]);
            for (id, record) in rows {
                let sealed = self.seal(keys::PREKEY, id.to_string().as_bytes(), record)?;
                write = write
                    .number(id)
                    .own(codec::encode_prekey(&sealed, uploaded));
            }
            write = write.op("ZADD", &[keys::PREKEY_INDEX]);
            for (id, _) in rows {
                write = write.number(id).number(id);
            }
            write.run().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl SignalStore for RedisKeystore {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        let rows = [(Arc::from(address), key)];
        Ok(self.put_addresses(&IDENTITIES, &rows).await?)
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        Ok(self.put_addresses(&IDENTITIES, identities).await?)
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        let Some(key) = self
            .sealed_field(keys::IDENTITY, address.as_bytes())
            .await?
        else {
            return Ok(None);
        };
        let key = key.try_into();
        Ok(Some(
            key.map_err(|_| KeystoreError::corrupt("identity key"))?,
        ))
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        let [family, index] = IDENTITIES;
        Ok(self.drop_indexed(family, index, &[address.into()]).await?)
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        let session = self.sealed_field(keys::SESSION, address.as_bytes()).await?;
        Ok(session.map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        let rows = [(Arc::from(address), session)];
        Ok(self.put_addresses(&SESSIONS, &rows).await?)
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        Ok(self.put_addresses(&SESSIONS, sessions).await?)
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        let [family, index] = SESSIONS;
        Ok(self.drop_indexed(family, index, &[address.into()]).await?)
    }

    async fn has_session(&self, address: &str) -> Result<bool> {
        Ok(self.has_field(keys::SESSION, address.as_bytes()).await?)
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        // An address is `user@…` or `user:…`; the next character after either bounds the range.
        let mut pipeline = redis::pipe();
        for index in [keys::SESSION_INDEX, keys::IDENTITY_INDEX] {
            for (from, to) in [('@', 'A'), (':', ';')] {
                pipeline
                    .cmd("ZRANGEBYLEX")
                    .arg(self.key(index))
                    .arg(format!("[{user}{from}"))
                    .arg(format!("({user}{to}"))
                    .arg(&["LIMIT", "0", "1"]);
            }
        }
        let (connection, pipeline) = (&self.state.store.connection, &pipeline);
        let found = with_retry(&self.state.lost, || {
            let mut connection = connection.clone();
            async move { pipeline.query_async(&mut connection).await }
        });
        let found: Vec<Vec<Vec<u8>>> = found.await.map_err(KeystoreError::from)?;
        Ok(found.iter().any(|addresses| !addresses.is_empty()))
    }

    async fn store_prekey(&self, id: u32, record: &[u8], uploaded: bool) -> Result<()> {
        Ok(self.put_prekeys(&[(id, record)], uploaded).await?)
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], uploaded: bool) -> Result<()> {
        let rows: Vec<_> = keys.iter().map(|(id, record)| (*id, &**record)).collect();
        Ok(self.put_prekeys(&rows, uploaded).await?)
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        let stored = self.field(keys::PREKEY, id.to_string().as_bytes()).await?;
        let opened = stored.map(|stored| self.open_prekey(id, stored));
        Ok(opened.transpose()?)
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(ROWS) {
            let fields: Vec<_> = ids.iter().map(u32::to_string).collect();
            let fields: Vec<_> = fields.iter().map(String::as_bytes).collect();
            let stored: Vec<Option<Vec<u8>>> = self.read("HMGET", keys::PREKEY, &fields).await?;
            for (id, record) in ids.iter().zip(stored) {
                if let Some(record) = record {
                    found.push((*id, self.open_prekey(*id, record)?));
                }
            }
        }
        Ok(found)
    }

    async fn mark_prekeys_uploaded(&self, ids: &[u32]) -> Result<()> {
        for ids in ids.chunks(COSTLY_ROWS) {
            let mut write = self.write().op("mark", &[keys::PREKEY]);
            for id in ids {
                write = write.number(id);
            }
            write.run().await?;
        }
        Ok(())
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        let field = id.to_string().into_bytes();
        let families = (keys::PREKEY, keys::PREKEY_INDEX);
        Ok(self.drop_indexed(families.0, families.1, &[field]).await?)
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        let highest: Vec<u32> = self
            .read("ZREVRANGE", keys::PREKEY_INDEX, &[b"0", b"0"])
            .await?;
        Ok(highest.first().copied().unwrap_or(0))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        let field = id.to_string();
        Ok(self
            .set_sealed(keys::SIGNED_PREKEY, field.as_bytes(), record)
            .await?)
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        let field = id.to_string();
        Ok(self
            .sealed_field(keys::SIGNED_PREKEY, field.as_bytes())
            .await?)
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        let stored: Vec<(u32, Vec<u8>)> = self.read("HGETALL", keys::SIGNED_PREKEY, &[]).await?;
        let mut opened = Vec::with_capacity(stored.len());
        for (id, row) in stored {
            let field = id.to_string();
            let record = self.unseal(keys::SIGNED_PREKEY, field.as_bytes(), row)?;
            opened.push((id, record));
        }
        Ok(opened)
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        let field = id.to_string();
        Ok(self
            .drop_field(keys::SIGNED_PREKEY, field.as_bytes())
            .await?)
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        Ok(self
            .set_sealed(keys::SENDER_KEY, address.as_bytes(), record)
            .await?)
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        for rows in sender_keys.chunks(ROWS) {
            let mut write = self.write().op("HSET", &[keys::SENDER_KEY]);
            for (address, record) in rows {
                write = write.arg(&**address).own(self.seal(
                    keys::SENDER_KEY,
                    address.as_bytes(),
                    record,
                )?);
            }
            write.run().await?;
        }
        Ok(())
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        Ok(self
            .sealed_field(keys::SENDER_KEY, address.as_bytes())
            .await?)
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        Ok(self
            .drop_field(keys::SENDER_KEY, address.as_bytes())
            .await?)
    }
}
