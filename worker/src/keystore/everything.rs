//! All rows of a family at once, for moving out.

use gateway_shared::redis::keys::KeyFamily;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::traits::{AppStateSyncKey, DeviceListRecord, MsgSecretEntry, TcTokenEntry};

use super::{KeystoreError, RedisKeystore, codec, keys};

/// A row that is opened: field and record.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

impl RedisKeystore {
    async fn rows(&self, family: KeyFamily) -> Result<Vec<Row>, KeystoreError> {
        self.read("HGETALL", family, &[]).await
    }

    async fn opened(&self, family: KeyFamily) -> Result<Vec<Row>, KeystoreError> {
        let rows = self.rows(family).await?;
        let opened = rows.into_iter().map(|(field, row)| {
            let record = self.unseal(family, &field, row)?;
            Ok((field, record))
        });
        opened.collect()
    }

    pub(crate) async fn every_session(&self) -> Result<Vec<Row>, KeystoreError> {
        self.opened(keys::SESSION).await
    }

    pub(crate) async fn every_identity(&self) -> Result<Vec<Row>, KeystoreError> {
        self.opened(keys::IDENTITY).await
    }

    pub(crate) async fn every_sender_key(&self) -> Result<Vec<Row>, KeystoreError> {
        self.opened(keys::SENDER_KEY).await
    }

    /// Id, record, and whether WhatsApp has it.
    pub(crate) async fn every_pre_key(&self) -> Result<Vec<(u32, Vec<u8>, bool)>, KeystoreError> {
        let rows = self.rows(keys::PREKEY).await?;
        let mut found = Vec::with_capacity(rows.len());
        for (field, row) in rows {
            let id = number(&field)?;
            let uploaded = row.first().is_some_and(|flag| *flag != 0);
            let sealed = codec::decode_prekey(row)?;
            found.push((
                id,
                self.unseal(keys::PREKEY, &field, sealed.into())?,
                uploaded,
            ));
        }
        found.sort_by_key(|(id, ..)| *id);
        Ok(found)
    }

    pub(crate) async fn every_sync_key(
        &self,
    ) -> Result<Vec<(Vec<u8>, AppStateSyncKey)>, KeystoreError> {
        let rows = self.opened(keys::SYNC_KEY).await?;
        rows.into_iter()
            .map(|(id, row)| Ok((id, codec::decode_sync_key(&row)?)))
            .collect()
    }

    /// The collections that there is a version of.
    pub(crate) async fn every_collection(&self) -> Result<Vec<String>, KeystoreError> {
        self.read("HKEYS", keys::SYNC_VERSION, &[]).await
    }

    pub(crate) async fn every_mac(
        &self,
        collection: &str,
    ) -> Result<Vec<AppStateMutationMAC>, KeystoreError> {
        let key = self.key_of(keys::MAC, collection);
        let rows: Vec<Row> = self.read_key("HGETALL", &key, &[]).await?;
        Ok(rows
            .into_iter()
            .map(|(index_mac, value_mac)| AppStateMutationMAC {
                index_mac,
                value_mac,
            })
            .collect())
    }

    pub(crate) async fn every_keyed_group(&self) -> Result<Vec<String>, KeystoreError> {
        self.read("SMEMBERS", keys::SKDM_GROUPS, &[]).await
    }

    pub(crate) async fn every_device_list(&self) -> Result<Vec<DeviceListRecord>, KeystoreError> {
        let rows = self.rows(keys::DEVICES).await?;
        rows.iter()
            .map(|(_, row)| codec::decode_device_list(row))
            .collect()
    }

    pub(crate) async fn every_tc_token(
        &self,
    ) -> Result<Vec<(String, TcTokenEntry)>, KeystoreError> {
        let contacts: Vec<String> = self.read("HKEYS", keys::TC_TOKEN, &[]).await?;
        let mut found = Vec::with_capacity(contacts.len());
        for contact in contacts {
            if let Some(entry) = self.tc_token(&contact).await? {
                found.push((contact, entry));
            }
        }
        Ok(found)
    }

    /// Secrets of messages that are not past their deadline.
    pub(crate) async fn every_secret(&self) -> Result<Vec<MsgSecretEntry>, KeystoreError> {
        let deadlines: Vec<(Vec<u8>, f64)> = self
            .read(
                "ZRANGE",
                keys::SECRET_DEADLINE,
                &[b"0", b"-1", b"WITHSCORES"],
            )
            .await?;
        let deadlines: std::collections::HashMap<Vec<u8>, f64> = deadlines.into_iter().collect();
        let mut found = Vec::new();
        for (field, row) in self.rows(keys::SECRET).await? {
            let (sealed, message_ts) = codec::decode_secret(&row)?;
            let secret = self.unseal(keys::SECRET, &field, sealed)?;
            let parts: Vec<&str> = match std::str::from_utf8(&field) {
                Ok(text) => text.split('\0').collect(),
                Err(_) => continue,
            };
            let ([chat, sender, id], Ok(secret)) = (parts.as_slice(), secret.try_into()) else {
                continue;
            };
            #[expect(clippy::cast_possible_truncation, reason = "seconds are whole")]
            let expires_at = deadlines.get(&field).map_or(0, |at| *at as i64);
            found.push(MsgSecretEntry {
                chat: (*chat).into(),
                sender: (*sender).into(),
                msg_id: (*id).into(),
                secret,
                expires_at,
                message_ts,
            });
        }
        Ok(found)
    }
}

fn number(field: &[u8]) -> Result<u32, KeystoreError> {
    let text = std::str::from_utf8(field).ok();
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| KeystoreError::corrupt("pre-key id"))
}
