//! From files to an account.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::libsignal::protocol::{IdentityKey, LegacySessionLocalContext};
use wacore::libsignal::store::record_helpers::encode_pre_key_record_to;
use wacore::store::traits::{AppStateSyncKey, LidPnMappingEntry, TcTokenEntry};
use waproto::whatsapp as wa;

use super::field::Field;
use super::name::{Kind, kind};
use super::{identity, sender_key, session};
use crate::moving::account::{Collection, PreKey, digits};
use crate::moving::files::Files;
use crate::moving::{ImportedAccount, LeftOut, MovingError, records};

/// Collections of app state that there are.
const COLLECTIONS: [&str; 5] = [
    "critical_block",
    "critical_unblock_low",
    "regular_high",
    "regular_low",
    "regular",
];

/// Reads the account that the files of one folder of Baileys make. `now` is Unix time in seconds.
///
/// # Errors
/// Naming the file and the field, when one is missing, or not what Baileys writes.
pub fn read(files: &Files, now: i64) -> Result<ImportedAccount, MovingError> {
    let creds = files.get("creds.json").ok_or_else(|| {
        MovingError::file(
            "creds.json",
            "is missing: is this the folder of one account?",
        )
    })?;
    let mut creds = parse("creds.json", creds)?;
    // Evolution's database holds the text of the JSON as JSON.
    if let Value::String(text) = &creds {
        creds = parse("creds.json", text.as_bytes())?;
    }
    let device = identity::read(&Field::root("creds.json", &creds))?;
    let context = LegacySessionLocalContext {
        identity_key: IdentityKey::new(device.identity_key.public_key),
        registration_id: device.registration_id,
    };
    let mut reading = Reading {
        account: ImportedAccount::of(device),
        context,
        now,
        identities: BTreeMap::new(),
        unknown: Vec::new(),
    };
    reading.account.check("creds.json")?;
    let mut latest = None;
    if let Some(id) = Field::root("creds.json", &creds).find("myAppStateKeyId")? {
        latest = Some(id.bytes()?);
    }
    for (name, bytes) in files {
        reading.file(name, bytes)?;
    }
    // The one used for what is written comes last, by which the store knows it.
    let keys = &mut reading.account.sync_keys;
    keys.sort_by_key(|(id, key)| (Some(id) == latest.as_ref(), key.timestamp));
    Ok(reading.finish())
}

struct Reading {
    account: ImportedAccount,
    context: LegacySessionLocalContext,
    now: i64,
    /// By address; a file of its own is worth more than what a session says.
    identities: BTreeMap<String, ([u8; 32], bool)>,
    unknown: Vec<String>,
}

fn parse(name: &str, bytes: &[u8]) -> Result<Value, MovingError> {
    let value = serde_json::from_slice(bytes);
    // What serde says names line and column and never the text.
    value.map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => {
            MovingError::invalid(name, "the file", "is cut off: it is no whole JSON")
        }
        _ => MovingError::invalid(
            name,
            "the file",
            format!("is no JSON, from line {} on", error.line()),
        ),
    })
}

impl Reading {
    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), MovingError> {
        let kind = kind(name);
        match kind {
            Kind::Creds | Kind::Derived => return Ok(()),
            Kind::Unknown => {
                self.unknown.push(name.to_owned());
                return Ok(());
            }
            Kind::Wrong => {
                let reason = "no record of Baileys has such a name";
                return Err(MovingError::file(name, reason));
            }
            _ => {}
        }
        let value = parse(name, bytes)?;
        // Stores that never delete leave `null` behind.
        if value.is_null() {
            return Ok(());
        }
        let root = Field::root(name, &value);
        match kind {
            Kind::PreKey(id) => self.pre_key(id, &root)?,
            Kind::Session(jid) => {
                if let Some(session) = session::read(&root, self.context)? {
                    let address = records::address(&jid);
                    if let Some(key) = session.identity {
                        let found = self.identities.entry(address.clone());
                        found.or_insert((key, false));
                    }
                    let sessions = &mut self.account.sessions;
                    sessions.push((Arc::from(address), session.record));
                }
            }
            Kind::Identity(jid) => {
                let key = root.public_key()?;
                let key = key.public_key_bytes().try_into();
                let key = key.map_err(|_| root.error("is no public key"))?;
                let address = records::address(&jid);
                self.identities.insert(address, (key, true));
            }
            Kind::SenderKey(group, jid) => {
                if let Some(record) = sender_key::read(name, &root)? {
                    let name = format!("{group}:{}", records::address(&jid));
                    self.account.sender_keys.push((Arc::from(name), record));
                }
            }
            Kind::SenderKeyMemory(group) => self.sender_key_memory(group, &root)?,
            Kind::SyncKey(id) => self.sync_key(&id, &root)?,
            Kind::SyncVersion(collection) => self.collection(&collection, &root)?,
            Kind::LidMapping(phone) => self.lid(&phone, &root)?,
            Kind::TcToken(contact) => self.tc_token(&contact, &root)?,
            Kind::Creds | Kind::Derived | Kind::Unknown | Kind::Wrong => {}
        }
        Ok(())
    }

    fn pre_key(&mut self, id: u32, root: &Field<'_>) -> Result<(), MovingError> {
        let pair = root.key_pair()?;
        let mut record = Vec::new();
        encode_pre_key_record_to(id, &pair, &mut record);
        self.account.pre_keys.push(PreKey {
            id,
            record: Bytes::from(record),
            uploaded: id < self.account.device.first_unupload_pre_key_id,
        });
        Ok(())
    }

    fn sender_key_memory(&mut self, group: String, root: &Field<'_>) -> Result<(), MovingError> {
        let mut devices = Vec::new();
        for (device, has) in root.members()? {
            let jid: Result<wacore_binary::Jid, _> = device.parse();
            let jid = jid.map_err(|_| has.error("its name must be a JID"))?;
            devices.push((jid.to_string(), has.flag()?));
        }
        self.account.sender_key_devices.push((group, devices));
        Ok(())
    }

    fn sync_key(&mut self, id: &str, root: &Field<'_>) -> Result<(), MovingError> {
        let id = STANDARD.decode(id);
        let id = id.map_err(|_| root.error("its name must be base64"))?;
        let mut fingerprint = wa::message::AppStateSyncKeyFingerprint::default();
        if let Some(field) = root.find("fingerprint")? {
            let number = |name: &str| -> Result<Option<u32>, MovingError> {
                field.find(name)?.map(|field| field.number()).transpose()
            };
            fingerprint.raw_id = number("rawId")?;
            fingerprint.current_index = number("currentIndex")?;
            if let Some(indexes) = field.find("deviceIndexes")? {
                for index in indexes.items()? {
                    fingerprint.device_indexes.push(index.number()?);
                }
            }
        }
        let timestamp = root.find("timestamp")?;
        let key = AppStateSyncKey {
            key_data: root.get("keyData")?.array::<32>()?.to_vec(),
            fingerprint: waproto::codec::app_state_sync_key_fingerprint_to_vec(&fingerprint),
            timestamp: timestamp.map_or(Ok(0), |timestamp| timestamp.integer())?,
        };
        self.account.sync_keys.push((id, key));
        Ok(())
    }

    fn collection(&mut self, name: &str, root: &Field<'_>) -> Result<(), MovingError> {
        if !COLLECTIONS.contains(&name) {
            self.account.left_out.push(LeftOut {
                what: "a collection of app state".to_owned(),
                why: "there is none of its name any more".to_owned(),
            });
            return Ok(());
        }
        let mut macs = Vec::new();
        if let Some(map) = root.find("indexValueMap")? {
            for (index, entry) in map.members()? {
                let index_mac = STANDARD.decode(index);
                let index_mac = index_mac.map_err(|_| entry.error("its name must be base64"))?;
                if index_mac.len() != 32 {
                    return Err(entry.error("its name must be 32 bytes"));
                }
                let value_mac = entry.get("valueMac")?.array::<32>()?.to_vec();
                macs.push(AppStateMutationMAC {
                    index_mac,
                    value_mac,
                });
            }
        }
        self.account.collections.push(Collection {
            name: name.to_owned(),
            state: HashState {
                version: root.get("version")?.number()?,
                hash: root.get("hash")?.array::<128>()?,
                ..HashState::default()
            },
            macs,
        });
        Ok(())
    }

    fn lid(&mut self, phone: &str, root: &Field<'_>) -> Result<(), MovingError> {
        let lid = root.text()?;
        if !digits(lid) {
            return Err(root.error("must be the digits of a LID"));
        }
        // Baileys keeps hosted devices in the same way, under other names.
        if digits(phone) {
            self.account.lids.push(LidPnMappingEntry {
                lid: lid.to_owned(),
                phone_number: phone.to_owned(),
                created_at: self.now,
                updated_at: self.now,
                learning_source: "other".to_owned(),
            });
        }
        Ok(())
    }

    fn tc_token(&mut self, contact: &str, root: &Field<'_>) -> Result<(), MovingError> {
        let Some(token) = root.find("token")? else {
            return Ok(());
        };
        let time = |name: &str| -> Result<Option<i64>, MovingError> {
            root.find(name)?.map(|time| time.integer()).transpose()
        };
        let user = contact.split(['@', '-', ':']).next().unwrap_or_default();
        if !digits(user) {
            return Err(root.error("its name must be of a contact"));
        }
        let entry = TcTokenEntry {
            token: token.bytes()?,
            token_timestamp: time("timestamp")?.unwrap_or(0),
            sender_timestamp: time("senderTimestamp")?,
        };
        self.account.tc_tokens.push((user.to_owned(), entry));
        Ok(())
    }

    fn finish(self) -> ImportedAccount {
        let mut account = self.account;
        account.identities = self
            .identities
            .into_iter()
            .map(|(address, (key, _))| (Arc::from(address), key))
            .collect();
        if !self.unknown.is_empty() {
            account.left_out.push(LeftOut {
                what: format!("{} files, such as {}", self.unknown.len(), self.unknown[0]),
                why: "they are not of Baileys' credentials".to_owned(),
            });
        }
        account.left_out.push(LeftOut {
            what: "messages".to_owned(),
            why: "Baileys' credentials hold none: messages from before can not be edited or voted \
                  on through the API"
                .to_owned(),
        });
        account
    }
}
