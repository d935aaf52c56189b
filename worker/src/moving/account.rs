//! A paired device with all that it needs to go on, apart from any store.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::Device;
use wacore::store::traits::{
    AppStateSyncKey, DeviceListRecord, LidPnMappingEntry, MsgSecretEntry, TcTokenEntry,
};

use super::MovingError;

/// A one-time key.
#[derive(Clone)]
pub struct PreKey {
    /// Its id, 1 to 16,777,215.
    pub id: u32,
    /// The record, as whatsapp-rust stores it.
    pub record: Bytes,
    /// Whether WhatsApp has it.
    pub uploaded: bool,
}

/// The state of one collection of app state.
#[derive(Clone)]
pub struct Collection {
    /// Its name, `regular_high` for one.
    pub name: String,
    /// Version and hash. The map in it is empty; the MACs are beside it.
    pub state: HashState,
    /// The MACs of what is in it.
    pub macs: Vec<AppStateMutationMAC>,
}

/// Something that can not come along, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// What.
    pub what: String,
    /// Why, and what becomes of it.
    pub why: String,
}

/// A paired device: who it is, its keys, and what it agreed on with others. Records are in the form
/// in which whatsapp-rust stores them, under its addresses (`user[:device]@server.0`).
#[derive(Clone)]
pub struct ImportedAccount {
    /// Identity, noise key, account, registration id, signed pre-key, counters.
    pub device: Device,
    /// Signed pre-keys that were replaced and may still be used by others.
    pub signed_pre_keys: Vec<(u32, Vec<u8>)>,
    /// One-time keys.
    pub pre_keys: Vec<PreKey>,
    /// Signal sessions by address.
    pub sessions: Vec<(Arc<str>, Bytes)>,
    /// Identity keys by address.
    pub identities: Vec<(Arc<str>, [u8; 32])>,
    /// Sender keys by `group:address`.
    pub sender_keys: Vec<(Arc<str>, Bytes)>,
    /// Group, and which devices have our sender key of it.
    pub sender_key_devices: Vec<(String, Vec<(String, bool)>)>,
    /// Keys of the app state by id.
    pub sync_keys: Vec<(Vec<u8>, AppStateSyncKey)>,
    /// The app state.
    pub collections: Vec<Collection>,
    /// Which number and which LID are one person.
    pub lids: Vec<LidPnMappingEntry>,
    /// Devices of people.
    pub devices: Vec<DeviceListRecord>,
    /// Tokens of contacts, by the user part of their LID or number.
    pub tc_tokens: Vec<(String, TcTokenEntry)>,
    /// Secrets of messages, by which votes and edits are read.
    pub secrets: Vec<MsgSecretEntry>,
    /// What stays behind.
    pub left_out: Vec<LeftOut>,
}

impl fmt::Debug for PreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreKey({})", self.id)
    }
}

impl fmt::Debug for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collection({})", self.name)
    }
}

impl fmt::Debug for ImportedAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportedAccount").finish_non_exhaustive()
    }
}

/// What an account consists of, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The number, digits.
    pub number: String,
    /// The device among those of the number.
    pub device: u16,
    /// The LID, where it is known.
    pub lid: Option<String>,
    /// People with Signal sessions.
    pub contacts: usize,
    /// Signal sessions.
    pub sessions: usize,
    /// Groups with sender keys.
    pub groups: usize,
    /// Sender keys.
    pub sender_keys: usize,
    /// One-time keys.
    pub pre_keys: usize,
    /// Keys of the app state.
    pub app_state_keys: usize,
    /// Collections of the app state.
    pub collections: usize,
    /// People known by number and LID.
    pub lid_mappings: usize,
    /// Tokens of contacts.
    pub contact_tokens: usize,
    /// Secrets of messages.
    pub message_secrets: usize,
    /// What stays behind.
    pub left_out: Vec<LeftOut>,
}

impl ImportedAccount {
    /// An account of nothing but its device.
    #[must_use]
    pub fn of(device: Device) -> Self {
        Self {
            device,
            signed_pre_keys: Vec::new(),
            pre_keys: Vec::new(),
            sessions: Vec::new(),
            identities: Vec::new(),
            sender_keys: Vec::new(),
            sender_key_devices: Vec::new(),
            sync_keys: Vec::new(),
            collections: Vec::new(),
            lids: Vec::new(),
            devices: Vec::new(),
            tc_tokens: Vec::new(),
            secrets: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The number, digits.
    #[must_use]
    pub fn number(&self) -> &str {
        self.device.pn.as_ref().map_or("", |pn| pn.user.as_str())
    }

    /// What makes it this device and no other: a hash that tells nothing of the key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"moved-in:");
        hash.update(self.device.noise_key.public_key.public_key_bytes());
        hash.update(self.device.identity_key.public_key.public_key_bytes());
        let digest = hash.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What it consists of.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let users: BTreeSet<&str> = self
            .sessions
            .iter()
            .map(|(address, _)| user_of(address))
            .collect();
        let groups: BTreeSet<&str> = self
            .sender_keys
            .iter()
            .filter_map(|(name, _)| name.split_once("@g.us:").map(|(group, _)| group))
            .collect();
        Summary {
            number: self.number().to_owned(),
            device: self.device.pn.as_ref().map_or(0, |pn| pn.device),
            lid: self.device.lid.as_ref().map(|lid| lid.user.to_string()),
            contacts: users.len(),
            sessions: self.sessions.len(),
            groups: groups.len(),
            sender_keys: self.sender_keys.len(),
            pre_keys: self.pre_keys.len(),
            app_state_keys: self.sync_keys.len(),
            collections: self.collections.len(),
            lid_mappings: self.lids.len(),
            contact_tokens: self.tc_tokens.len(),
            message_secrets: self.secrets.len(),
            left_out: self.left_out.clone(),
        }
    }

    /// Refuses what no session could connect with.
    pub(crate) fn check(&self, file: &str) -> Result<(), MovingError> {
        let invalid = |field, reason| Err(MovingError::invalid(file, field, reason));
        match &self.device.pn {
            None => return invalid("me.id", "is missing: no phone was ever linked"),
            Some(pn) if !pn.is_pn() || !digits(&pn.user) => {
                return invalid("me.id", "is no number's JID");
            }
            Some(_) => {}
        }
        if self.device.account.is_none() {
            return invalid("account", "is missing: no phone was ever linked");
        }
        Ok(())
    }
}

/// Whether a text is a number of a plausible length.
pub(crate) fn digits(user: &str) -> bool {
    (5..=20).contains(&user.len()) && user.bytes().all(|byte| byte.is_ascii_digit())
}

/// The user of `user[:device]@server.0`.
fn user_of(address: &str) -> &str {
    address.split([':', '@']).next().unwrap_or(address)
}
