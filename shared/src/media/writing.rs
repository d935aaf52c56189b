//! A file on its way into the store.

use std::time::{Duration, Instant};

use object_store::{MultipartUpload, PutPayload};
use ring::digest::{Context, SHA256};
use serde_json::json;
use ulid::Ulid;

use super::format::{CHUNK, FileKey};
use super::store::{MediaStore, read};
use super::{MediaError, MediaName, StoredFile};
use crate::clock::Millis;
use crate::domain::{FileFacts, MediaId, OrganizationId};
use crate::redis::{RedisFailure, script, unexpected};

/// A writer that says nothing for so long has died.
const SILENCE: Duration = Duration::from_secs(600);
/// It says something this often.
const PULSE: Duration = Duration::from_secs(60);
/// Room is made in steps of so many bytes where the size was not announced.
const STEP: u64 = 16 << 20;

/// A file that is being written. Dropping it leaves an object to the sweep; better is
/// [`abandon`](Self::abandon).
pub struct Writing {
    store: MediaStore,
    organization: OrganizationId,
    object: String,
    upload: Box<dyn MultipartUpload>,
    key: FileKey,
    hash: Context,
    size: u64,
    /// Bytes that there is room for.
    reserved: u64,
    pulse: Instant,
    /// Content that does not fill a chunk yet, and how many chunks came before it.
    open: Vec<u8>,
    chunks: u64,
    /// Sealed bytes that do not fill a part yet.
    part: Vec<u8>,
    part_size: usize,
}

impl std::fmt::Debug for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writing")
            .field("object", &self.object)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Writing {
    pub(super) async fn begin(
        store: MediaStore,
        organization: OrganizationId,
        expected: u64,
    ) -> Result<Self, MediaError> {
        let object = format!("{organization}/{}", Ulid::new());
        let reserved = if expected == 0 { STEP } else { expected };
        // Listed before it exists, so that the sweep finds it whatever happens.
        reserve(&store, &organization, &object, reserved, true).await?;
        let (key, head) = FileKey::generate(&store.0.keyring, organization.as_str(), &object)?;
        let objects = store.objects().await?;
        let (upload, part_size) = (objects.begin(&object).await?, objects.part());
        Ok(Self {
            upload,
            key,
            hash: Context::new(&SHA256),
            size: 0,
            reserved,
            pulse: Instant::now(),
            open: Vec::with_capacity(CHUNK),
            chunks: 0,
            part: head,
            part_size,
            store,
            organization,
            object,
        })
    }

    /// How many bytes were written.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of what was written so far, as hex.
    #[must_use]
    pub fn sha256_so_far(&self) -> String {
        hex::encode(self.hash.clone().finish())
    }

    /// Writes more of it.
    ///
    /// # Errors
    /// When there is no room for it, or the store or Redis does not answer.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), MediaError> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        if self.size > self.reserved || self.pulse.elapsed() > PULSE {
            let wanted = self.reserved.max(self.size.next_multiple_of(STEP));
            reserve(&self.store, &self.organization, &self.object, wanted, false).await?;
            self.reserved = wanted;
            self.pulse = Instant::now();
        }
        while !bytes.is_empty() {
            // A full chunk is sealed only when more follows: the last one is sealed as such.
            if self.open.len() == CHUNK {
                self.seal(false).await?;
            }
            let taken = bytes.len().min(CHUNK - self.open.len());
            self.open.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    async fn seal(&mut self, last: bool) -> Result<(), MediaError> {
        let sealed = self.key.seal(self.chunks, last, &self.open)?;
        self.open.clear();
        self.chunks += 1;
        self.part.extend_from_slice(&sealed);
        if last || self.part.len() >= self.part_size {
            let part = std::mem::take(&mut self.part);
            self.upload.put_part(PutPayload::from(part)).await?;
        }
        Ok(())
    }

    /// Ends the file: from now on it is in the store for at least `needed_ms`, and, where `name` is
    /// given, can be sent by that name until then. Where the same content was there before, that file
    /// is given.
    ///
    /// # Errors
    /// When there is no room for it, it took too long, or the store or Redis does not answer.
    pub async fn finish(
        mut self,
        facts: FileFacts,
        needed_ms: u64,
        name: Option<NewName>,
    ) -> Result<(StoredFile, Option<MediaName>), MediaError> {
        match self.end(facts, needed_ms, name).await {
            Ok((file, name, keeps)) => {
                if !keeps {
                    self.abandon().await;
                }
                Ok((file, name))
            }
            // Redis may have registered it, or may do so when what was sent arrives: nothing is removed
            // that might be somebody's file. If it did not, the sweep finds the object.
            Err(error @ MediaError::Redis(_)) => Err(error),
            Err(error) => {
                self.abandon().await;
                Err(error)
            }
        }
    }

    async fn end(
        &mut self,
        facts: FileFacts,
        needed_ms: u64,
        name: Option<NewName>,
    ) -> Result<(StoredFile, Option<MediaName>, bool), MediaError> {
        self.seal(true).await?;
        self.upload.complete().await?;
        let hash = std::mem::replace(&mut self.hash, Context::new(&SHA256)).finish();
        let file = StoredFile {
            sha256: hex::encode(hash),
            size: self.size,
            object: self.object.clone(),
            facts,
        };
        let shown = name.as_ref().map(|name| {
            json!({
                "id": name.id,
                "sha256": file.sha256,
                "mimetype": name.mimetype,
                "filename": name.filename,
            })
            .to_string()
        });
        let root = self.store.root(&self.organization);
        let inner = &self.store.0;
        let mut call = inner.scripts.register.on(&root);
        call.arg(&self.object)
            .arg(&file.sha256)
            .arg(file.size)
            .arg(serde_json::to_string(&file).unwrap_or_default())
            .arg(inner.config.quota_bytes)
            .arg(needed_ms)
            .arg(name.as_ref().map_or("", |name| name.id.as_str()))
            .arg(shown.unwrap_or_default());
        let reply: Vec<String> = script::run_durably(&inner.store.connection, &call)
            .await
            .map_err(RedisFailure::from)?;
        let time = |text: &String| text.parse::<Millis>().unwrap_or_default();
        let named = |created_at: &String, expires_at: &String| {
            name.map(|name| MediaName {
                id: name.id,
                sha256: file.sha256.clone(),
                mimetype: name.mimetype,
                filename: name.filename,
                created_at: time(created_at),
                expires_at: time(expires_at),
            })
        };
        let outcome: Vec<&str> = reply.iter().map(String::as_str).collect();
        match outcome.as_slice() {
            ["stored", ..] if reply.len() == 3 => {
                let name = named(&reply[1], &reply[2]);
                Ok((file, name, true))
            }
            ["known", _, _, record] => {
                let known = read(record).ok_or_else(|| unexpected("register.lua"))?;
                Ok((known, named(&reply[1], &reply[2]), false))
            }
            ["full", used] => Err(MediaError::Full {
                used: used.parse().unwrap_or_default(),
                quota: inner.config.quota_bytes,
            }),
            ["late"] => Err(MediaError::Late),
            _ => Err(unexpected("register.lua").into()),
        }
    }

    /// Gives the file up. What can not be removed now is left to the sweep.
    pub async fn abandon(mut self) {
        // A write that was completed has nothing to abort.
        let _ = self.upload.abort().await;
        if let Err(error) = self.store.remove(&self.organization, &self.object).await {
            tracing::debug!(%error, "an object is left to the sweep");
        }
    }
}

/// A name for a file.
#[derive(Debug, Clone)]
pub struct NewName {
    /// `med_…`.
    pub id: MediaId,
    /// What the caller says that it is.
    pub mimetype: Option<String>,
    /// What it is called.
    pub filename: Option<String>,
}

async fn reserve(
    store: &MediaStore,
    organization: &OrganizationId,
    object: &str,
    wanted: u64,
    first: bool,
) -> Result<(), MediaError> {
    let root = store.root(organization);
    let quota = store.0.config.quota_bytes;
    let mut call = store.0.scripts.reserve.on(&root);
    call.arg(object)
        .arg(wanted)
        .arg(quota)
        .arg(u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX))
        .arg(u8::from(first));
    let reply: Vec<String> = script::run(&store.0.store.connection, &call)
        .await
        .map_err(RedisFailure::from)?;
    match reply.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ok"] => Ok(()),
        ["full", used] => Err(MediaError::Full {
            used: used.parse().unwrap_or_default(),
            quota,
        }),
        ["late"] => Err(MediaError::Late),
        _ => Err(unexpected("reserve.lua").into()),
    }
}
