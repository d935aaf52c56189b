//! Starting a conversation's encryption anew, where it broke.

use gateway_shared::domain::Jid as Person;
use wacore_binary::Jid;

use super::Link;

/// A session with somebody could not be renewed.
#[derive(Debug, thiserror::Error)]
#[error("the encryption could not be renewed: {0}")]
pub struct NotRenewed(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Link {
    /// Forgets the encryption with every device of a person (or with one device, where the address
    /// names it): the next message to them, or from them, begins it anew. Gives how many devices.
    ///
    /// # Errors
    /// When the devices can not be found, or the key store does not answer.
    pub async fn renew_signal(&self, person: &Person) -> Result<usize, NotRenewed> {
        self.renew(person.as_str()).await
    }

    /// As [`renew_signal`](Self::renew_signal), by an address as WhatsApp writes it.
    ///
    /// # Errors
    /// As there.
    pub async fn renew(&self, person: &str) -> Result<usize, NotRenewed> {
        let jid: Jid = person
            .parse()
            .map_err(|_| NotRenewed("that is no address".into()))?;
        let signal = self.client.signal();
        let devices = if jid.device == 0 {
            let found = signal.get_user_devices(std::slice::from_ref(&jid)).await;
            found.map_err(|error| NotRenewed(error.into()))?
        } else {
            vec![jid]
        };
        let renewed = signal.delete_sessions(&devices).await;
        renewed.map_err(|error| NotRenewed(error.into()))?;
        Ok(devices.len())
    }
}
