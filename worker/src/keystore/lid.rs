//! Which LID belongs to which phone number.

use std::sync::LazyLock;

use gateway_shared::redis::{LuaScript, script};
use wacore::store::traits::LidPnMappingEntry;

use super::with_retry::with_retry;
use super::write::COSTLY_ROWS;
use super::{KeystoreError, RedisKeystore, codec, keys};

static LID_OF_PHONE: LazyLock<LuaScript> =
    LazyLock::new(|| LuaScript::bare(include_str!("lid_of_phone.lua")));

impl RedisKeystore {
    /// Stores mappings. A phone number leads to the LID stored last for it, and one that a LID had
    /// before leads nowhere any more.
    pub(super) async fn put_mappings(
        &self,
        entries: &[LidPnMappingEntry],
    ) -> Result<(), KeystoreError> {
        self.identify(entries).await;
        for entries in entries.chunks(COSTLY_ROWS) {
            let mut write = self.write().op("lid", &[keys::LID, keys::PHONE]);
            for entry in entries {
                write = write
                    .arg(&entry.lid)
                    .arg(&entry.phone_number)
                    .own(codec::encode_lid(entry));
            }
            write.run().await?;
            self.move_tokens(entries).await?;
        }
        Ok(())
    }

    pub(super) async fn mapping_of_phone(
        &self,
        phone: &str,
    ) -> Result<Option<LidPnMappingEntry>, KeystoreError> {
        let mut call = LID_OF_PHONE.on(&self.key(keys::PHONE));
        call.key(self.key(keys::LID))
            .key(script::guard(&self.state.root));
        call.arg(phone);
        let (connection, call) = (&self.state.store.connection, &call);
        let stored: Option<Vec<u8>> =
            with_retry(&self.state.lost, || script::run(connection, call)).await?;
        stored.as_deref().map(codec::decode_lid).transpose()
    }

    pub(super) async fn mapping_of_lid(
        &self,
        lid: &str,
    ) -> Result<Option<LidPnMappingEntry>, KeystoreError> {
        let stored = self.field(keys::LID, lid.as_bytes()).await?;
        stored.as_deref().map(codec::decode_lid).transpose()
    }

    pub(super) async fn all_mappings(&self) -> Result<Vec<LidPnMappingEntry>, KeystoreError> {
        let stored: Vec<Vec<u8>> = self.read("HVALS", keys::LID, &[]).await?;
        stored
            .iter()
            .map(|entry| codec::decode_lid(entry))
            .collect()
    }
}
