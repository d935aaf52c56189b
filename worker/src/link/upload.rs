//! Uploading a file to WhatsApp, in constant memory: encrypted into a file that nobody else can open,
//! and from there sent to the CDN.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use gateway_shared::domain::{FileKind, HexBytes};
use gateway_shared::media::{MediaError, Reading, Uploaded};
use wacore::download::MediaType;
use wacore::upload::{MediaEncryptor, UploadSource};

use super::Link;

/// Why a file was not uploaded.
#[derive(Debug, thiserror::Error)]
pub enum UploadFailed {
    /// The session has no connection, or lost it.
    #[error("the session is not connected")]
    NotConnected,
    /// The file can not be read from the store.
    #[error(transparent)]
    Store(#[from] MediaError),
    /// The disk of this machine failed.
    #[error("the encrypted file could not be written: {0}")]
    Disk(#[from] io::Error),
    /// WhatsApp did not take it.
    #[error("WhatsApp did not take the file{}: {message}", .status.map(|status| format!(" ({status})")).unwrap_or_default())]
    Refused {
        /// The status that the last host answered with.
        status: Option<u16>,
        /// What the library says.
        message: String,
    },
}

fn media_type(kind: FileKind) -> MediaType {
    match kind {
        FileKind::Image => MediaType::Image,
        FileKind::Video | FileKind::Gif | FileKind::Ptv => MediaType::Video,
        FileKind::Audio | FileKind::Voice => MediaType::Audio,
        FileKind::Document => MediaType::Document,
        FileKind::Sticker => MediaType::Sticker,
    }
}

impl Link {
    /// Encrypts a file and uploads it. With the key of an earlier upload the ciphertext is the same,
    /// byte for byte.
    ///
    /// # Errors
    /// See [`UploadFailed`]. Nothing was told to anybody then.
    pub async fn upload(
        &self,
        kind: FileKind,
        mut content: Reading,
        key: Option<&HexBytes>,
    ) -> Result<Uploaded, UploadFailed> {
        if !self.is_connected() {
            return Err(UploadFailed::NotConnected);
        }
        let media_type = media_type(kind);
        let sidecar = matches!(media_type, MediaType::Audio | MediaType::Video);
        let key = key.and_then(|key| <[u8; 32]>::try_from(key.0.as_slice()).ok());
        let encryptor = match key {
            Some(key) => MediaEncryptor::with_key_and_sidecar(key, media_type, sidecar),
            None => MediaEncryptor::new_with_sidecar(media_type, sidecar),
        };
        let mut encryptor = encryptor.map_err(io::Error::other)?;
        let mut file = BufWriter::with_capacity(256 << 10, tempfile::tempfile()?);
        while let Some(chunk) = content.chunk().await? {
            // Encrypting is work, and the file may wait for the disk.
            (encryptor, file) = blocking(move || {
                encryptor.update_to_writer(&chunk, &mut file)?;
                Ok((encryptor, file))
            })
            .await?;
        }
        let (info, source) = blocking(move || {
            let info = encryptor
                .finalize_to_writer(&mut file)
                .map_err(io::Error::other)?;
            file.flush()?;
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            let length = file.stream_position()?;
            Ok((
                info,
                Ciphertext {
                    file: Arc::new(file),
                    length,
                },
            ))
        })
        .await?;
        let enc_sha256 = info.file_enc_sha256;
        let uploaded = self.client.upload_stream(source, info, media_type).await;
        let uploaded = uploaded.map_err(|error| {
            if !self.is_connected() {
                return UploadFailed::NotConnected;
            }
            let cause: &(dyn std::error::Error + 'static) = error.as_ref();
            UploadFailed::Refused {
                status: whatsapp_rust::ErrorChainExt::http_status(cause),
                message: format!("{error:#}"),
            }
        })?;
        Ok(Uploaded {
            url: uploaded.url,
            direct_path: uploaded.direct_path,
            media_key: HexBytes(uploaded.media_key.to_vec()),
            sha256: HexBytes(uploaded.file_sha256.to_vec()),
            enc_sha256: HexBytes(enc_sha256.to_vec()),
            size: uploaded.file_length,
            media_key_timestamp: uploaded.media_key_timestamp,
            sidecar: uploaded.streaming_sidecar.map(HexBytes),
            at: self.core.clock.now(),
        })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// An encrypted file without a name: it is gone with the process, however that ends.
struct Ciphertext {
    file: Arc<File>,
    length: u64,
}

impl UploadSource for Ciphertext {
    fn len(&self) -> u64 {
        self.length
    }

    fn reader_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(From {
            file: Arc::clone(&self.file),
            at: offset,
        }))
    }
}

/// Reads a file from a place on, whatever others read of it.
struct From {
    file: Arc<File>,
    at: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
