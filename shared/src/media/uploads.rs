//! What WhatsApp's CDN answered to an upload: kept with the send, so that every attempt of whichever
//! worker carries the same bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};

use super::{MediaError, MediaStore};
use crate::clock::Millis;
use crate::domain::{HexBytes, OrganizationId, OutboxId};
use crate::lane::{Epoch, SessionRef};
use crate::redis::keys::{PARTITION, key};
use crate::redis::{RedisFailure, script, unexpected};

/// A file as it was encrypted and uploaded for one send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Uploaded {
    /// Where it is, with a host.
    pub url: String,
    /// Where it is at any host.
    pub direct_path: String,
    /// What it is encrypted with.
    pub media_key: HexBytes,
    /// SHA-256 of its content.
    pub sha256: HexBytes,
    /// SHA-256 of the ciphertext.
    pub enc_sha256: HexBytes,
    /// Bytes of its content.
    pub size: u64,
    /// When the key was made, in seconds.
    pub media_key_timestamp: i64,
    /// What a player needs to begin before it has all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<HexBytes>,
    /// When it was uploaded.
    pub at: Millis,
}

fn context(of: &SessionRef, id: &OutboxId) -> String {
    format!("upload:{}:{}:{id}", of.organization, of.session)
}

impl MediaStore {
    /// Keeps what an upload gave with the send, sealed. `item` is the place of the file in the send.
    /// False where the session has another owner, or the send is gone.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn keep_upload(
        &self,
        owner: (&SessionRef, Epoch),
        id: &OutboxId,
        item: usize,
        uploaded: &Uploaded,
    ) -> Result<bool, MediaError> {
        let (of, epoch) = owner;
        let json = serde_json::to_vec(uploaded).unwrap_or_default();
        let sealed = STANDARD.encode(self.0.keyring.seal(&context(of, id), &json)?);
        let root = self.root(&of.organization);
        let mut call = self.0.scripts.uploaded.on(&root);
        call.arg(of.session.as_str())
            .arg(epoch.0)
            .arg(id.as_str())
            .arg(item)
            .arg(sealed);
        let reply: Vec<String> = script::run_durably(&self.0.store.connection, &call)
            .await
            .map_err(RedisFailure::from)?;
        match reply.first().map(String::as_str) {
            Some("kept") => Ok(true),
            Some("stale" | "gone") => Ok(false),
            _ => Err(unexpected("uploaded.lua").into()),
        }
    }

    /// What was uploaded for a message that this session sent, while its send is kept. `item` is
    /// the place of its file in the send.
    ///
    /// # Errors
    /// When Redis does not answer, or the record can not be opened.
    pub async fn upload_of_message(
        &self,
        of: &SessionRef,
        wa_message_id: &str,
        item: usize,
    ) -> Result<Option<Uploaded>, MediaError> {
        let root = self.root(&of.organization);
        let ids = key(PARTITION, &root, "by_wa_id", &[of.session.as_str()]);
        let mut connection = self.0.store.connection.clone();
        let id: Option<String> = connection
            .hget(ids, wa_message_id)
            .await
            .map_err(RedisFailure::from)?;
        match id.and_then(|id| id.parse().ok()) {
            Some(id) => self.upload_of(of, &id, item).await,
            None => Ok(None),
        }
    }

    /// What WhatsApp has of a file, for a message that is forwarded: nothing is uploaded for it.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal_reference(
        &self,
        organization: &OrganizationId,
        uploaded: &Uploaded,
    ) -> Result<HexBytes, MediaError> {
        let json = serde_json::to_vec(uploaded).unwrap_or_default();
        let context = format!("reference:{organization}");
        Ok(HexBytes(self.0.keyring.seal(&context, &json)?))
    }

    /// The same, opened.
    ///
    /// # Errors
    /// When it is not one of this organization's, or its key is missing.
    pub fn open_reference(
        &self,
        organization: &OrganizationId,
        sealed: &HexBytes,
    ) -> Result<Uploaded, MediaError> {
        let context = format!("reference:{organization}");
        let json = self.0.keyring.open(&context, &sealed.0)?;
        serde_json::from_slice(&json).map_err(|_| MediaError::Damaged)
    }

    /// What an earlier upload of a file of this send gave, if there was one.
    ///
    /// # Errors
    /// When Redis does not answer, or the record can not be opened.
    pub async fn upload_of(
        &self,
        of: &SessionRef,
        id: &OutboxId,
        item: usize,
    ) -> Result<Option<Uploaded>, MediaError> {
        let root = self.root(&of.organization);
        let entry = key(PARTITION, &root, "outbox", &[id.as_str()]);
        let mut connection = self.0.store.connection.clone();
        let sealed: Option<String> = connection
            .hget(entry, format!("upload{item}"))
            .await
            .map_err(RedisFailure::from)?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let sealed = STANDARD.decode(sealed).map_err(|_| MediaError::Damaged)?;
        let json = self.0.keyring.open(&context(of, id), &sealed)?;
        Ok(serde_json::from_slice(&json).ok())
    }
}
