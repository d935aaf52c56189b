//! The files of all organizations.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use redis::AsyncCommands;
use tokio::sync::OnceCell;

use super::format::{CHUNK, FileKey, HEAD, chunks_of};
use super::objects::Objects;
use super::{MediaError, MediaName, StoredFile, Writing};
use crate::clock::Millis;
use crate::config::MediaConfig;
use crate::domain::{MediaId, OrganizationId};
use crate::redis::keys::{GLOBAL, PARTITION, key};
use crate::redis::{LuaScript, RedisFailure, Store, script, unexpected};
use crate::secrets::Keyring;

/// The object that says whose folder or bucket this is.
const MARKER: &str = "gateway-media";

/// The files of an installation. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct MediaStore(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: MediaConfig,
    pub(super) store: Store,
    pub(super) keyring: Keyring,
    pub(super) scripts: Scripts,
    /// The folder or bucket, once it turned out to be the installation's own.
    objects: OnceCell<Objects>,
}

#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) reserve: LuaScript,
    pub(super) register: LuaScript,
    hold: LuaScript,
    pub(super) expire: LuaScript,
    pub(super) removed: LuaScript,
    pub(super) uploaded: LuaScript,
}

impl MediaStore {
    /// The store of the configuration. Nothing is opened before it is used or [checked](Self::check).
    #[must_use]
    pub fn new(config: &MediaConfig, store: Store, keyring: Keyring) -> Self {
        Self(Arc::new(Inner {
            config: config.clone(),
            store,
            keyring,
            scripts: Scripts {
                reserve: LuaScript::partition(&[include_str!("lua/reserve.lua")]),
                register: LuaScript::partition(&[include_str!("lua/register.lua")]),
                hold: LuaScript::partition(&[include_str!("lua/hold.lua")]),
                expire: LuaScript::partition(&[include_str!("lua/expire.lua")]),
                removed: LuaScript::partition(&[include_str!("lua/removed.lua")]),
                uploaded: LuaScript::partition(&[
                    include_str!("../redis/lua/fence.lua"),
                    include_str!("lua/uploaded.lua"),
                ]),
            },
            objects: OnceCell::new(),
        }))
    }

    /// How many bytes an organization keeps.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn used(&self, organization: &OrganizationId) -> Result<u64, RedisFailure> {
        let root = self.0.store.keys.partition(organization);
        let used = key(PARTITION, &root, "media_used", &[]);
        let used: Option<i64> = self.0.store.connection.clone().get(used).await?;
        Ok(used.and_then(|used| used.try_into().ok()).unwrap_or(0))
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &MediaConfig {
        &self.0.config
    }

    /// Makes sure that the folder or bucket is the one that this installation's other processes use:
    /// a marker object in it, and the same marker in Redis. Whoever is first makes both.
    ///
    /// # Errors
    /// [`MediaError::Foreign`] when it is another one: a folder that is not shared between machines, or
    /// that of another installation. Otherwise when it can not be reached.
    pub async fn check(&self) -> Result<(), MediaError> {
        self.objects().await.map(|_| ())
    }

    pub(super) async fn objects(&self) -> Result<&Objects, MediaError> {
        self.0.objects.get_or_try_init(|| self.look()).await
    }

    async fn look(&self) -> Result<Objects, MediaError> {
        let inner = &self.0;
        let objects = Objects::open(&inner.config)?;
        let global = inner.store.keys.global();
        let record = key(GLOBAL, &global, "media_marker", &[]);
        let mut connection = inner.store.connection.clone();
        let fresh = hex::encode(rand::random::<[u8; 16]>());
        // The object first: a marker in Redis without one in the store would shut everybody out.
        let here = match objects.read_whole(MARKER).await? {
            Some(marker) => marker,
            None => {
                let known: Option<String> =
                    connection.get(&record).await.map_err(RedisFailure::from)?;
                if known.is_some() {
                    return Err(MediaError::Foreign(
                        "the folder or bucket of [media] is empty, and this installation has \
                         another one: with several machines, share the folder or use S3"
                            .into(),
                    ));
                }
                objects.create(MARKER, fresh.into_bytes()).await?;
                objects.read_whole(MARKER).await?.unwrap_or_default()
            }
        };
        let here = String::from_utf8_lossy(&here).into_owned();
        let _: bool = connection
            .set_nx(&record, &here)
            .await
            .map_err(RedisFailure::from)?;
        let known: String = connection.get(&record).await.map_err(RedisFailure::from)?;
        if known == here {
            return Ok(objects);
        }
        Err(MediaError::Foreign(
            "the folder or bucket of [media] belongs to another installation".into(),
        ))
    }

    pub(super) fn root(&self, organization: &OrganizationId) -> String {
        self.0.store.keys.partition(organization)
    }

    /// Begins to write a file of which `expected` bytes are announced (0 = not known).
    ///
    /// # Errors
    /// When there is no room for it, or the store or Redis does not answer.
    pub async fn begin(
        &self,
        organization: &OrganizationId,
        expected: u64,
    ) -> Result<Writing, MediaError> {
        Writing::begin(self.clone(), organization.clone(), expected).await
    }

    /// The file with this content, if it is here. It is needed until `until` (Redis' time; 0 = as it
    /// was) and at least for `at_least_ms` from now on.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn hold(
        &self,
        organization: &OrganizationId,
        sha256: &str,
        until: Millis,
        at_least_ms: u64,
    ) -> Result<Option<StoredFile>, MediaError> {
        let root = self.root(organization);
        let mut call = self.0.scripts.hold.on(&root);
        call.arg(sha256).arg(until).arg(at_least_ms);
        let reply: Vec<String> = script::run_durably(&self.0.store.connection, &call)
            .await
            .map_err(RedisFailure::from)?;
        match reply.as_slice() {
            [held, record] if held == "held" => {
                Ok(Some(read(record).ok_or_else(|| unexpected("hold.lua"))?))
            }
            [unknown] if unknown == "unknown" => Ok(None),
            _ => Err(unexpected("hold.lua").into()),
        }
    }

    /// What a name stands for, while it does.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn named(
        &self,
        organization: &OrganizationId,
        id: &MediaId,
    ) -> Result<Option<MediaName>, MediaError> {
        let record = key(PARTITION, &self.root(organization), "media", &[id.as_str()]);
        let mut connection = self.0.store.connection.clone();
        let name: Option<String> = connection.get(record).await.map_err(RedisFailure::from)?;
        Ok(name.and_then(|name| serde_json::from_str(&name).ok()))
    }

    /// Begins to read a part of a file.
    ///
    /// # Errors
    /// When its object is gone or damaged, or the store does not answer.
    pub async fn read(
        &self,
        organization: &OrganizationId,
        file: &StoredFile,
        range: Range<u64>,
    ) -> Result<Reading, MediaError> {
        let (objects, object) = (self.objects().await?, &file.object);
        let mut head = objects
            .read(object, 0..HEAD as u64)
            .await?
            .ok_or(MediaError::Damaged)?;
        let mut bytes = Vec::with_capacity(HEAD);
        while let Some(part) = head.next().await {
            bytes.extend_from_slice(&part?);
        }
        let key = FileKey::open(&self.0.keyring, organization.as_str(), object, &bytes)?;
        let range = range.start.min(file.size)..range.end.min(file.size);
        let chunk = CHUNK as u64;
        let chunks = range.start / chunk..range.end.div_ceil(chunk).max(range.start / chunk + 1);
        let part = key.part(&chunks, file.size);
        let sealed = if range.is_empty() {
            futures_util::stream::empty().boxed()
        } else {
            let sealed = objects.read(object, part).await?;
            sealed.ok_or(MediaError::Damaged)?
        };
        Ok(Reading {
            sealed,
            gathered: BytesMut::new(),
            next: chunks.start,
            chunks: chunks_of(file.size),
            skip: range.start - chunks.start * chunk,
            left: range.end - range.start,
            key,
        })
    }
}

pub(super) fn read(record: &str) -> Option<StoredFile> {
    serde_json::from_str(record).ok()
}

/// The content of a part of a file, chunk by chunk.
pub struct Reading {
    sealed: BoxStream<'static, object_store::Result<Bytes>>,
    gathered: BytesMut,
    key: FileKey,
    next: u64,
    chunks: u64,
    /// Bytes of the next chunk that come before the part.
    skip: u64,
    left: u64,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Reading {
    /// The next bytes, at most [`CHUNK`]; none at the end.
    ///
    /// # Errors
    /// When the object is damaged or the store fails: nothing of the chunk is given then.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, MediaError> {
        if self.left == 0 {
            return Ok(None);
        }
        let full = self.key.sealed_chunk();
        let mut ended = false;
        while self.gathered.len() < full && !ended {
            match self.sealed.next().await {
                Some(part) => self.gathered.extend_from_slice(&part?),
                None => ended = true,
            }
        }
        let sealed = self.gathered.split_to(full.min(self.gathered.len()));
        let last = self.next + 1 == self.chunks;
        let mut content = Bytes::from(self.key.unseal(self.next, last, &sealed)?);
        self.next += 1;
        let skip = usize::try_from(std::mem::take(&mut self.skip)).unwrap_or(usize::MAX);
        if skip > content.len() {
            return Err(MediaError::Damaged);
        }
        content = content.split_off(skip);
        content.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        if content.is_empty() {
            return Err(MediaError::Damaged);
        }
        self.left -= content.len() as u64;
        Ok(Some(content))
    }
}
