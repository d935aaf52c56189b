//! Where objects lie: a folder, or a bucket of an S3-compatible store.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, Result,
};

use super::s3;
use crate::config::MediaConfig;

/// What S3 takes as the least part of an upload but the last.
const S3_PART: usize = 5 << 20;
/// A folder takes any.
const FOLDER_PART: usize = 512 << 10;

/// The objects of an installation.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    folder: Option<PathBuf>,
}

impl Objects {
    /// The folder or bucket of the configuration; the folder is made where there is none.
    pub(super) fn open(config: &MediaConfig) -> Result<Self> {
        if !config.s3.bucket.is_empty() {
            return Ok(Self {
                store: Arc::new(s3::open(&config.s3)?),
                folder: None,
            });
        }
        let folder = PathBuf::from(&config.folder);
        let failed = |error: std::io::Error| Error::Generic {
            store: "folder",
            source: Box::new(error),
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        restrict(&folder).map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(&folder)?.with_automatic_cleanup(true);
        Ok(Self {
            store: Arc::new(store),
            folder: Some(folder),
        })
    }

    /// How many bytes are gathered before they are written.
    pub(super) fn part(&self) -> usize {
        if self.folder.is_some() {
            FOLDER_PART
        } else {
            S3_PART
        }
    }

    /// Begins to write an object.
    pub(super) async fn begin(&self, name: &str) -> Result<Box<dyn MultipartUpload>> {
        let options = PutMultipartOptions::default();
        self.store
            .put_multipart_opts(&Path::from(name), options)
            .await
    }

    /// Writes a small object unless there is one of this name; false where there is.
    pub(super) async fn create(&self, name: &str, content: Vec<u8>) -> Result<bool> {
        let options = PutOptions::from(PutMode::Create);
        let put = self
            .store
            .put_opts(&Path::from(name), PutPayload::from(content), options)
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A part of an object; none where there is no such object.
    pub(super) async fn read(
        &self,
        name: &str,
        range: std::ops::Range<u64>,
    ) -> Result<Option<BoxStream<'static, Result<Bytes>>>> {
        let options = GetOptions::new().with_range(Some(range));
        match self.store.get_opts(&Path::from(name), options).await {
            Ok(found) => Ok(Some(found.into_stream())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A small object as a whole.
    pub(super) async fn read_whole(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self
            .store
            .get_opts(&Path::from(name), GetOptions::new())
            .await
        {
            Ok(found) => Ok(Some(found.bytes().await?.to_vec())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes an object and what a broken-off write of it has left; that there is none is no error.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        let path = Path::from(name);
        let one = futures_util::stream::iter([Ok(path)]).boxed();
        match self.store.delete_stream(one).try_collect::<Vec<_>>().await {
            Ok(_) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Some(folder) = &self.folder {
            remove_staged(&folder.join(name)).await;
        }
        Ok(())
    }
}

/// Only the gateway's own user has business in it.
fn restrict(folder: &FilePath) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

/// A folder's objects are staged beside their place as `name#number`.
async fn remove_staged(object: &FilePath) {
    let (Some(folder), Some(name)) = (object.parent(), object.file_name()) else {
        return;
    };
    let staged = format!("{}#", name.to_string_lossy());
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else {
        return;
    };
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name().to_string_lossy().starts_with(&staged) {
            // Somebody else may have been faster.
            let _ = tokio::fs::remove_file(entry.path()).await;
        }
    }
    // Only if nothing else is in it.
    let _ = tokio::fs::remove_dir(folder).await;
}
