//! What the protocol has to remember about groups, contacts, devices and messages under way.

use async_trait::async_trait;
use wacore::store::error::Result;
use wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore,
    TcTokenEntry,
};

use super::timed::{BASE_KEYS, PENDING, SENT};
use super::write::ROWS;
use super::{RedisKeystore, codec, keys};

#[async_trait]
impl ProtocolStore for RedisKeystore {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Result<Vec<(String, bool)>> {
        let key = self.key_of(keys::SKDM_DEVICES, group_jid);
        Ok(self.read_key("HGETALL", &key, &[]).await?)
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Result<()> {
        for rows in entries.chunks(ROWS) {
            let mut write = self
                .write()
                .op("SADD", &[keys::SKDM_GROUPS])
                .arg(group_jid)
                .op_of("HSET", keys::SKDM_DEVICES, group_jid);
            for (device, has_key) in rows {
                write = write.arg(*device).number(u8::from(*has_key));
            }
            write.run().await?;
        }
        Ok(())
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Result<()> {
        self.write()
            .op_of("UNLINK", keys::SKDM_DEVICES, group_jid)
            .op("SREM", &[keys::SKDM_GROUPS])
            .arg(group_jid)
            .run()
            .await?;
        Ok(())
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        for devices in device_jids.chunks(ROWS) {
            let mut write = self
                .write()
                .op("forget", &[keys::SKDM_GROUPS])
                .own(self.key_of(keys::SKDM_DEVICES, ""));
            for device in devices {
                write = write.arg(*device);
            }
            write.run().await?;
        }
        Ok(())
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        self.write()
            .op("clear", &[keys::SKDM_GROUPS])
            .own(self.key_of(keys::SKDM_DEVICES, ""))
            .run()
            .await?;
        Ok(())
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        Ok(self.mapping_of_lid(lid).await?)
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        Ok(self.mapping_of_phone(phone).await?)
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        Ok(self.put_mappings(std::slice::from_ref(entry)).await?)
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        Ok(self.put_mappings(entries).await?)
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        Ok(self.identify_all().await?)
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Result<()> {
        let field = keys::field(&[address, message_id]);
        Ok(self.put_timed(&BASE_KEYS, &[(field, base_key)]).await?)
    }

    async fn has_same_base_key(
        &self,
        address: &str,
        message_id: &str,
        current_base_key: &[u8],
    ) -> Result<bool> {
        let field = keys::field(&[address, message_id]);
        let saved = self.get_timed(&BASE_KEYS, &field).await?;
        Ok(saved.as_deref() == Some(current_base_key))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        let field = keys::field(&[address, message_id]);
        Ok(self.drop_timed(&BASE_KEYS, &[field]).await?)
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        for rows in records.chunks(ROWS) {
            let mut write = self.write().op("HSET", &[keys::DEVICES]);
            for record in rows {
                write = write
                    .arg(&record.user)
                    .own(codec::encode_device_list(record));
            }
            write.run().await?;
        }
        Ok(())
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        let stored = self.field(keys::DEVICES, user.as_bytes()).await?;
        Ok(stored
            .as_deref()
            .map(codec::decode_device_list)
            .transpose()?)
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        Ok(self.drop_field(keys::DEVICES, user.as_bytes()).await?)
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.sealed_field(keys::GROUP, group_jid.as_bytes()).await?)
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Result<()> {
        Ok(self
            .set_sealed(keys::GROUP, group_jid.as_bytes(), blob)
            .await?)
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Result<()> {
        Ok(self.drop_field(keys::GROUP, group_jid.as_bytes()).await?)
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        Ok(self.tc_token(jid).await?)
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        Ok(self.put_tc(jid, entry).await?)
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        Ok(self.delete_tc(jid).await?)
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        Ok(self.read("HKEYS", keys::TC_TOKEN, &[]).await?)
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        Ok(self.expire_tc(token_cutoff, sender_cutoff).await?)
    }

    async fn touch_tc_token_sender_timestamp(
        &self,
        jid: &str,
        sender_timestamp: i64,
    ) -> Result<()> {
        Ok(self.touch_tc(jid, sender_timestamp).await?)
    }

    async fn store_received_tc_token(
        &self,
        jid: &str,
        token: &[u8],
        token_timestamp: i64,
    ) -> Result<()> {
        Ok(self.receive_tc(jid, token, token_timestamp).await?)
    }

    async fn store_sent_message(
        &self,
        chat_jid: &str,
        message_id: &str,
        payload: &[u8],
    ) -> Result<()> {
        let field = keys::field(&[chat_jid, message_id]);
        Ok(self.put_timed(&SENT, &[(field, payload)]).await?)
    }

    async fn take_sent_message(&self, chat_jid: &str, message_id: &str) -> Result<Option<Vec<u8>>> {
        let field = keys::field(&[chat_jid, message_id]);
        // Read, and not taken: a second device may ask in the same moment, and the library puts the
        // copy back after it answered. Its life ends by time.
        Ok(self.get_timed(&SENT, &field).await?)
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Result<u32> {
        Ok(self.expire_timed(&SENT, cutoff_timestamp).await?)
    }

    async fn store_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
        message: &[u8],
    ) -> Result<()> {
        let field = keys::field(&[chat, sender, id]);
        Ok(self.put_timed(&PENDING, &[(field, message)]).await?)
    }

    async fn get_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
    ) -> Result<Option<Vec<u8>>> {
        let field = keys::field(&[chat, sender, id]);
        let pending = self.get_timed(&PENDING, &field).await?;
        if pending.is_none() {
            self.settle(chat, sender, id).await?;
        }
        Ok(pending)
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        let field = keys::field(&[chat, sender, id]);
        Ok(self.drop_timed(&PENDING, &[field]).await?)
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Result<u32> {
        Ok(self.expire_timed(&PENDING, cutoff_timestamp).await?)
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (keys::field(&[row.chat, row.sender, row.id]), row.message))
            .collect();
        Ok(self.put_timed(&PENDING, &rows).await?)
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Result<()> {
        let fields: Vec<_> = keys
            .iter()
            .map(|key| keys::field(&[key.chat, key.sender, key.id]))
            .collect();
        Ok(self.drop_timed(&PENDING, &fields).await?)
    }
}
