//! How the files of messages are fetched, sealed: whoever has it can read the file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{MediaError, MediaStore};
use crate::domain::{Download, KnownMessage};
use crate::lane::SessionRef;

fn context(of: &SessionRef, message: &str) -> String {
    format!("download:{}:{}:{message}", of.organization, of.session)
}

impl MediaStore {
    /// What the message index keeps of how the file of a message is fetched.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal_download(
        &self,
        of: &SessionRef,
        message: &str,
        download: &Download,
    ) -> Result<String, MediaError> {
        let json = serde_json::to_vec(download).unwrap_or_default();
        let sealed = self.0.keyring.seal(&context(of, message), &json)?;
        Ok(STANDARD.encode(sealed))
    }

    /// How the file of a message of the index is fetched; `None` where it has none.
    ///
    /// # Errors
    /// When it was sealed with a key that is not there any more.
    pub fn download_of(
        &self,
        of: &SessionRef,
        message: &str,
        known: &KnownMessage,
    ) -> Result<Option<Download>, MediaError> {
        let Some(sealed) = &known.sealed_download else {
            return Ok(known.download.clone());
        };
        let sealed = STANDARD.decode(sealed).map_err(|_| MediaError::Damaged)?;
        let json = self.0.keyring.open(&context(of, message), &sealed)?;
        Ok(serde_json::from_slice(&json).ok())
    }
}
