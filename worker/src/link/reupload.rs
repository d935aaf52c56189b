//! Asking the phone of whoever sent a file to upload it again.

use std::time::Duration;

use wacore_binary::{Jid, JidExt as _};
use whatsapp_rust::features::{MediaRetryResult, MediaReuploadError, MediaReuploadRequest};

use super::Link;

/// How long a phone is waited for. Whoever asks waits a little longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no new reference.
#[derive(Debug, thiserror::Error)]
pub enum NotUploadedAgain {
    /// The session has no connection, or lost it.
    #[error("the session is not connected")]
    NotConnected,
    /// The phone does not have the file, or does not answer.
    #[error("the sender's phone does not have the file, or does not answer")]
    Gone,
    /// The request could not be made.
    #[error("the file can not be asked for again: {0}")]
    Refused(String),
}

impl Link {
    /// Has the file of a message uploaded again, and gives where it is then. `sender` is absent for a
    /// message of this account.
    ///
    /// # Errors
    /// See [`NotUploadedAgain`].
    pub async fn upload_again(
        &self,
        message: &str,
        chat: &str,
        sender: Option<&str>,
        media_key: &[u8],
    ) -> Result<String, NotUploadedAgain> {
        if !self.is_connected() {
            return Err(NotUploadedAgain::NotConnected);
        }
        let jid = |text: &str| {
            let jid = text.parse::<Jid>();
            jid.map_err(|error| NotUploadedAgain::Refused(error.to_string()))
        };
        let chat = jid(chat)?;
        let sender = sender.map(jid).transpose()?;
        let request = MediaReuploadRequest {
            msg_id: message,
            chat_jid: &chat,
            media_key,
            is_from_me: sender.is_none(),
            participant: sender.as_ref().filter(|_| chat.is_group()),
        };
        let reupload = self.client.media_reupload();
        let answer = tokio::time::timeout(PATIENCE, reupload.request(&request)).await;
        match answer {
            Ok(Ok(MediaRetryResult::Success { direct_path })) => Ok(direct_path),
            Ok(Ok(_) | Err(MediaReuploadError::Timeout)) | Err(_) => Err(NotUploadedAgain::Gone),
            Ok(Err(_)) if !self.is_connected() => Err(NotUploadedAgain::NotConnected),
            Ok(Err(error)) => Err(NotUploadedAgain::Refused(error.to_string())),
        }
    }
}
