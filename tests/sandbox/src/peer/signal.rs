//! The Signal endpoint of a phone: its keys and its sessions, in memory.

use std::collections::HashMap;

use async_trait::async_trait;
use rand::rngs::StdRng;
use wacore_libsignal::protocol::error::Result as SignalResult;
use wacore_libsignal::protocol::{
    CiphertextMessage, Direction, GenericSignedPreKey as _, IdentityChange, IdentityKey,
    IdentityKeyPair, IdentityKeyStore, KeyPair, PreKeyBundle, PreKeyId, PreKeyRecord,
    PreKeySignalMessage, PreKeyStore, ProtocolAddress, PublicKey, SessionRecord, SessionStore,
    SignalMessage, SignalProtocolError, SignedPreKeyId, SignedPreKeyRecord, SignedPreKeyStore,
    Timestamp, UsePQRatchet, message_decrypt, message_encrypt, process_prekey_bundle,
};

use super::at_once;
use crate::certificate::public_bytes;
use crate::clock;
use crate::error::{PairingError, PhoneError};
use crate::prekeys::{Bundle, OneTimePreKey, SignedPreKey};

const SIGNED_PREKEY_ID: u32 = 1;
/// Ids of pre-keys are three bytes on the wire.
const LAST_PREKEY_ID: u32 = 0x00ff_ffff;

/// Keys and sessions of one phone.
pub(super) struct Signal {
    signed: SignedPreKey,
    next_prekey: u32,
    identities: Identities,
    sessions: Sessions,
    prekeys: OneTimePreKeys,
    signed_store: SignedStore,
}

/// An encrypted payload, with the type that its `<enc>` names.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Signal {
    pub(super) fn new(identity: &KeyPair, registration_id: u32) -> Result<Self, PairingError> {
        let mut rng = rand::make_rng::<StdRng>();
        let pair = KeyPair::generate(&mut rng);
        let signature = identity
            .private_key
            .calculate_signature(&pair.public_key.serialize(), &mut rng)?;
        let record = SignedPreKeyRecord::new(
            SIGNED_PREKEY_ID.into(),
            Timestamp::from_epoch_millis(clock::now_millis()),
            &pair,
            &signature,
        );
        let identity_pair = IdentityKeyPair::new(
            IdentityKey::new(identity.public_key),
            identity.private_key.clone(),
        );
        Ok(Self {
            signed: SignedPreKey {
                id: SIGNED_PREKEY_ID,
                value: public_bytes(&pair),
                signature,
            },
            next_prekey: 1,
            identities: Identities {
                own: identity_pair,
                registration_id,
                known: HashMap::new(),
            },
            sessions: Sessions::default(),
            prekeys: OneTimePreKeys::default(),
            signed_store: SignedStore(record),
        })
    }

    pub(super) fn registration_id(&self) -> u32 {
        self.identities.registration_id
    }

    /// A bundle with a one-time key made for it. So a phone needs no stock of
    /// keys, and never runs out of them.
    pub(super) fn bundle(&mut self) -> Result<Bundle, PhoneError> {
        let pair = KeyPair::generate(&mut rand::make_rng::<StdRng>());
        let id = self.next_prekey;
        self.next_prekey = if id == LAST_PREKEY_ID { 1 } else { id + 1 };
        self.prekeys
            .0
            .insert(id.into(), PreKeyRecord::new(id.into(), &pair));
        let mut identity = [0; 32];
        identity.copy_from_slice(self.identities.own.public_key().public_key_bytes());
        Ok(Bundle {
            registration_id: self.identities.registration_id,
            identity,
            signed: self.signed.clone(),
            one_time: Some(OneTimePreKey {
                id,
                value: public_bytes(&pair),
            }),
        })
    }

    pub(super) fn has_session(&self, with: &ProtocolAddress) -> bool {
        self.sessions.0.contains_key(with)
    }

    /// Begins a session from another device's bundle, in place of an older one.
    pub(super) fn begin_session(
        &mut self,
        with: &ProtocolAddress,
        bundle: &Bundle,
    ) -> Result<(), PhoneError> {
        let key = |bytes: &[u8; 32]| PublicKey::from_djb_public_key_bytes(bytes);
        let one_time = match bundle.one_time {
            Some(prekey) => Some((PreKeyId::from(prekey.id), key(&prekey.value)?)),
            None => None,
        };
        let bundle = PreKeyBundle::new(
            bundle.registration_id,
            with.device_id(),
            one_time,
            bundle.signed.id.into(),
            key(&bundle.signed.value)?,
            bundle.signed.signature.to_vec(),
            IdentityKey::new(key(&bundle.identity)?),
        )?;
        at_once(process_prekey_bundle(
            with,
            &mut self.sessions,
            &mut self.identities,
            &bundle,
            &mut rand::make_rng::<StdRng>(),
            UsePQRatchet::No,
        ))?;
        Ok(())
    }

    /// Encrypts for a device with which there is a session.
    pub(super) fn encrypt(
        &mut self,
        to: &ProtocolAddress,
        plaintext: &[u8],
    ) -> Result<Sealed, PhoneError> {
        let sealed = at_once(message_encrypt(
            plaintext,
            to,
            &mut self.sessions,
            &mut self.identities,
        ))?;
        let kind = match &sealed {
            CiphertextMessage::PreKeySignalMessage(_) => "pkmsg",
            _ => "msg",
        };
        Ok(Sealed {
            kind,
            bytes: sealed.serialize().to_vec(),
        })
    }

    /// Decrypts what an `<enc>` of type `kind` holds. The plaintext is padded.
    pub(super) fn decrypt(
        &mut self,
        from: &ProtocolAddress,
        kind: &str,
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, PhoneError> {
        let message = match kind {
            "pkmsg" => {
                CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(ciphertext)?)
            }
            "msg" => CiphertextMessage::SignalMessage(SignalMessage::try_from(ciphertext)?),
            other => return Err(PhoneError::PayloadType(other.to_owned())),
        };
        let opened = at_once(message_decrypt(
            &message,
            from,
            &mut self.sessions,
            &mut self.identities,
            &mut self.prekeys,
            &self.signed_store,
            &mut rand::rng(),
            UsePQRatchet::No,
        ))?;
        if let Some(id) = opened.consumed_prekey_id {
            self.prekeys.0.remove(&id);
        }
        Ok(opened.plaintext)
    }
}

struct Identities {
    own: IdentityKeyPair,
    registration_id: u32,
    known: HashMap<ProtocolAddress, IdentityKey>,
}

#[async_trait]
impl IdentityKeyStore for Identities {
    async fn get_identity_key_pair(&self) -> SignalResult<IdentityKeyPair> {
        Ok(self.own.clone())
    }

    async fn get_local_registration_id(&self) -> SignalResult<u32> {
        Ok(self.registration_id)
    }

    async fn save_identity(
        &mut self,
        address: &ProtocolAddress,
        identity: &IdentityKey,
    ) -> SignalResult<IdentityChange> {
        Ok(match self.known.insert(address.clone(), *identity) {
            Some(known) if known != *identity => IdentityChange::ReplacedExisting,
            _ => IdentityChange::NewOrUnchanged,
        })
    }

    async fn is_trusted_identity(
        &self,
        _address: &ProtocolAddress,
        _identity: &IdentityKey,
        _direction: Direction,
    ) -> SignalResult<bool> {
        // A person who changed the phone is the same person.
        Ok(true)
    }

    async fn get_identity(&self, address: &ProtocolAddress) -> SignalResult<Option<IdentityKey>> {
        Ok(self.known.get(address).copied())
    }
}

#[derive(Default)]
struct Sessions(HashMap<ProtocolAddress, SessionRecord>);

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, address: &ProtocolAddress) -> SignalResult<Option<SessionRecord>> {
        Ok(self.0.get(address).cloned())
    }

    async fn has_session(&self, address: &ProtocolAddress) -> SignalResult<bool> {
        Ok(self.0.contains_key(address))
    }

    async fn store_session(
        &mut self,
        address: &ProtocolAddress,
        record: SessionRecord,
    ) -> SignalResult<()> {
        self.0.insert(address.clone(), record);
        Ok(())
    }
}

#[derive(Debug, Default)]
struct OneTimePreKeys(HashMap<PreKeyId, PreKeyRecord>);

#[async_trait]
impl PreKeyStore for OneTimePreKeys {
    async fn get_pre_key(&self, id: PreKeyId) -> SignalResult<PreKeyRecord> {
        self.0
            .get(&id)
            .cloned()
            .ok_or(SignalProtocolError::InvalidPreKeyId)
    }

    async fn save_pre_key(&mut self, id: PreKeyId, record: &PreKeyRecord) -> SignalResult<()> {
        self.0.insert(id, record.clone());
        Ok(())
    }

    async fn remove_pre_key(&mut self, id: PreKeyId) -> SignalResult<()> {
        self.0.remove(&id);
        Ok(())
    }
}

#[derive(Debug)]
struct SignedStore(SignedPreKeyRecord);

#[async_trait]
impl SignedPreKeyStore for SignedStore {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> SignalResult<SignedPreKeyRecord> {
        if u32::from(id) == SIGNED_PREKEY_ID {
            Ok(self.0.clone())
        } else {
            Err(SignalProtocolError::InvalidSignedPreKeyId)
        }
    }

    async fn save_signed_pre_key(
        &mut self,
        _id: SignedPreKeyId,
        record: &SignedPreKeyRecord,
    ) -> SignalResult<()> {
        self.0 = record.clone();
        Ok(())
    }
}
