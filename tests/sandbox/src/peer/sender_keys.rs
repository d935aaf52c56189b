//! The sender keys of a phone: with one a member writes once for a whole group,
//! after every device was given it.

use std::collections::{HashMap, HashSet};
use std::fmt;

use async_trait::async_trait;
use rand::rngs::StdRng;
use wacore_libsignal::protocol::error::Result as SignalResult;
use wacore_libsignal::protocol::{
    ProtocolAddress, SenderKeyDistributionMessage, SenderKeyName, SenderKeyRecord, SenderKeyStore,
    create_sender_key_distribution_message, group_decrypt, group_encrypt,
    process_sender_key_distribution_message,
};

use super::at_once;
use crate::error::PhoneError;

/// The keys of others, the own ones, and who has those.
#[derive(Default)]
pub(super) struct SenderKeys {
    records: Records,
    /// By group: the devices that have the phone's present key.
    given: HashMap<String, HashSet<ProtocolAddress>>,
}

impl fmt::Debug for SenderKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SenderKeys").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Records(HashMap<SenderKeyName, SenderKeyRecord>);

impl SenderKeys {
    /// Takes a key that a member gave to this phone.
    pub(super) fn accept(
        &mut self,
        group: &str,
        from: &ProtocolAddress,
        distribution: &[u8],
    ) -> Result<(), PhoneError> {
        let distribution = SenderKeyDistributionMessage::try_from(distribution)?;
        let name = SenderKeyName::from_parts(group, from.as_str());
        at_once(process_sender_key_distribution_message(
            &name,
            &distribution,
            &mut self.records,
        ))
    }

    /// Decrypts what a member wrote for the group. The plaintext is padded.
    pub(super) fn decrypt(
        &mut self,
        group: &str,
        from: &ProtocolAddress,
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, PhoneError> {
        let name = SenderKeyName::from_parts(group, from.as_str());
        at_once(group_decrypt(ciphertext, &mut self.records, &name))
    }

    /// The phone's key for those of `devices` that do not have it. Whoever had
    /// it and is no longer among them makes a new one necessary.
    pub(super) fn distribute(
        &mut self,
        group: &str,
        own: &ProtocolAddress,
        devices: &[ProtocolAddress],
    ) -> Result<(Vec<u8>, HashSet<ProtocolAddress>), PhoneError> {
        let name = SenderKeyName::from_parts(group, own.as_str());
        let given = self.given.entry(group.to_owned()).or_default();
        if !given.iter().all(|device| devices.contains(device)) {
            given.clear();
            self.records.0.remove(&name);
        }
        let wanting = devices.iter().filter(|device| !given.contains(*device));
        let wanting: HashSet<_> = wanting.cloned().collect();
        let distribution = at_once(create_sender_key_distribution_message(
            &name,
            &mut self.records,
            &mut rand::make_rng::<StdRng>(),
        ))?;
        given.extend(wanting.iter().cloned());
        Ok((distribution.serialized().to_vec(), wanting))
    }

    /// A device could not use the key: it gets it again.
    pub(super) fn give_again(&mut self, group: &str, device: &ProtocolAddress) {
        if let Some(given) = self.given.get_mut(group) {
            given.remove(device);
        }
    }

    /// Encrypts for everybody who has the phone's key.
    pub(super) fn encrypt(
        &mut self,
        group: &str,
        own: &ProtocolAddress,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, PhoneError> {
        let name = SenderKeyName::from_parts(group, own.as_str());
        let sealed = at_once(group_encrypt(
            &mut self.records,
            &name,
            plaintext,
            &mut rand::make_rng::<StdRng>(),
        ))?;
        Ok(sealed.as_ref().to_vec())
    }
}

#[async_trait]
impl SenderKeyStore for Records {
    async fn store_sender_key(
        &mut self,
        name: &SenderKeyName,
        record: SenderKeyRecord,
    ) -> SignalResult<()> {
        self.0.insert(name.clone(), record);
        Ok(())
    }

    async fn load_sender_key(&self, name: &SenderKeyName) -> SignalResult<Option<SenderKeyRecord>> {
        Ok(self.0.get(name).cloned())
    }
}
