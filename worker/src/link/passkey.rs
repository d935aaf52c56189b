//! Linking an account that wants a passkey.
//!
//! WhatsApp asks some accounts for an assertion of a passkey (WebAuthn) before it links a device. It
//! can be made only where the passkey is, for the origin of WhatsApp Web, so it comes from outside:
//! the request is told, and the answer is given on.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use whatsapp_rust::passkey::{Assertion, PasskeyError};

use super::Link;

/// An answer to a passkey request was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyFailure {
    /// It is no assertion.
    #[error("the assertion has no rawId in base64url")]
    Unreadable,
    /// There is nothing to answer, or WhatsApp refused it.
    #[error("{0}")]
    Refused(#[source] PasskeyError),
}

impl Link {
    /// Gives WhatsApp an assertion (`PublicKeyCredential`, as JSON). What follows is told as
    /// [`Fact::PasskeyCode`](super::Fact::PasskeyCode) or
    /// [`Fact::PasskeyFailed`](super::Fact::PasskeyFailed).
    ///
    /// # Errors
    /// See [`PasskeyFailure`].
    pub async fn answer_passkey(&self, assertion: &Value) -> Result<(), PasskeyFailure> {
        let id = assertion["rawId"].as_str().unwrap_or_default();
        let credential_id = BASE64_URL_SAFE_NO_PAD
            .decode(id.trim_end_matches('='))
            .map_err(|_| PasskeyFailure::Unreadable)?;
        let answer = Assertion {
            assertion_json: assertion.to_string().into_bytes(),
            credential_id,
        };
        let answered = self.client.send_passkey_response(answer).await;
        answered.map_err(PasskeyFailure::Refused)
    }

    /// Says that the phone shows the same code: the pairing goes on.
    ///
    /// # Errors
    /// See [`PasskeyFailure`].
    pub async fn confirm_passkey(&self) -> Result<(), PasskeyFailure> {
        let confirmed = self.client.send_passkey_confirmation().await;
        confirmed.map_err(PasskeyFailure::Refused)
    }
}
