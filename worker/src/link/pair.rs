//! Pairing with a phone by a code, and parting from it.

use std::sync::Arc;
use std::time::Duration;

use whatsapp_rust::pair_code::{PairCodeOptions, PairError};
use whatsapp_rust::{Client, ConnectError};

use super::Link;

/// How long a connection may take before a code can be asked for.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(30);

/// A code that a phone's owner enters under *Linked devices → Link with phone number*.
#[derive(Clone, PartialEq, Eq)]
pub struct PairingCode(String);

impl PairingCode {
    /// Its 8 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PairingCode")
    }
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum PairingFailure {
    /// The session has its phone already.
    #[error("the session is paired already")]
    AlreadyPaired,
    /// Another request for a code came before this one was answered, and its code is the one that
    /// counts.
    #[error("another request for a pairing code took the place of this one")]
    Superseded,
    /// No connection came about in time.
    #[error("there is no connection to WhatsApp")]
    NotConnected(#[source] ConnectError),
    /// The number is not international, or WhatsApp refuses it; it also refuses with a plain 400
    /// when it was asked too often for one number.
    #[error("{0}")]
    Refused(#[source] PairError),
}

/// WhatsApp could not be told of a logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no connection to WhatsApp")]
pub struct Unreported;

impl Link {
    /// Whether a phone has taken this device in.
    #[must_use]
    pub fn is_paired(&self) -> bool {
        self.client.pn().is_some()
    }

    /// Asks for a code that pairs with this phone (digits, with or without a `+`). An earlier code
    /// is void from then on. It is told as [`Fact::PairingCode`](super::Fact::PairingCode) too.
    ///
    /// # Errors
    /// See [`PairingFailure`].
    pub async fn pairing_code(&self, phone: &str) -> Result<PairingCode, PairingFailure> {
        if self.is_paired() {
            return Err(PairingFailure::AlreadyPaired);
        }
        request_code(&self.client, phone).await
    }

    /// Parts from the phone: WhatsApp forgets this device, and the link ends with
    /// [`Fact::LoggedOut`](super::Fact::LoggedOut). The keys in the backend are then worth
    /// nothing; deleting them is the caller's.
    ///
    /// # Errors
    /// When the link was not up, so that WhatsApp could not be told: the phone goes on listing
    /// the device. The link ends all the same.
    pub async fn logout(&self) -> Result<(), Unreported> {
        let up = self.is_connected();
        self.core.closing.cancel();
        self.client.logout().await;
        self.core.ended().await;
        if up { Ok(()) } else { Err(Unreported) }
    }
}

pub(super) async fn request_code(
    client: &Arc<Client>,
    phone: &str,
) -> Result<PairingCode, PairingFailure> {
    client
        .wait_for_socket(SOCKET_TIMEOUT)
        .await
        .map_err(PairingFailure::NotConnected)?;
    // The library guards a code that may be on a screen; a new wish is worth more to us.
    client.cancel_pair_code().await;
    let options = PairCodeOptions {
        phone_number: phone.to_owned(),
        ..Default::default()
    };
    match client.pair_with_code(options).await {
        Ok(code) => Ok(PairingCode(code)),
        Err(error) if error.lost_the_flow_to_another_request() => Err(PairingFailure::Superseded),
        Err(error) => Err(PairingFailure::Refused(error)),
    }
}
