//! A file on its way: on this machine's disk, under no name, gone with the process.

use std::fs::File;
use std::io::{self, SeekFrom};

use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::too_large;
use crate::error::{ApiError, Code};

/// How much is written and read at once.
const STEP: usize = 256 << 10;

/// A file that is being received, or was.
#[derive(Debug)]
pub(super) struct Spool {
    file: tokio::fs::File,
    size: u64,
    most: u64,
}

impl Spool {
    /// An empty file that may get so many bytes.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) async fn new(most: u64) -> Result<Self, ApiError> {
        let file = tokio::task::spawn_blocking(tempfile::tempfile).await;
        let file = file
            .map_err(io::Error::other)
            .and_then(|file| file)
            .map_err(disk)?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(STEP);
        Ok(Self {
            file,
            size: 0,
            most,
        })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// 413 where there are too many of them; when the disk fails.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        self.size += bytes.len() as u64;
        if self.size > self.most {
            return Err(too_large(self.most));
        }
        self.file.write_all(bytes).await.map_err(disk)
    }

    /// All was written: the file for whoever looks at it, from its beginning.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) async fn view(&mut self) -> Result<File, ApiError> {
        self.file.flush().await.map_err(disk)?;
        self.file.seek(SeekFrom::Start(0)).await.map_err(disk)?;
        let view = self.file.try_clone().await.map_err(disk)?;
        Ok(view.into_std().await)
    }

    /// Another file takes its place.
    pub(crate) fn replace(&mut self, file: File, size: u64) {
        self.file = tokio::fs::File::from_std(file);
        self.file.set_max_buf_size(STEP);
        self.size = size;
    }

    /// Goes back to the beginning, to read all of it with [`Self::chunk`].
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) async fn rewind(&mut self) -> Result<(), ApiError> {
        self.file.flush().await.map_err(disk)?;
        self.file.seek(SeekFrom::Start(0)).await.map_err(disk)?;
        Ok(())
    }

    /// More of it into `buffer`; 0 at the end.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) async fn chunk(&mut self, buffer: &mut [u8]) -> Result<usize, ApiError> {
        self.file.read(buffer).await.map_err(disk)
    }
}

pub(super) fn disk(error: io::Error) -> ApiError {
    ApiError::new(Code::Internal, "internal error").caused_by(error)
}
