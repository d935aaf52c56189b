//! From whatsmeow's tables to an account.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::libsignal::protocol::{SenderKeyRecord, SessionRecord};
use wacore::libsignal::store::record_helpers::encode_pre_key_record_to;
use wacore::store::Device;
use wacore::store::traits::{AppStateSyncKey, LidPnMappingEntry, MsgSecretEntry, TcTokenEntry};
use wacore_binary::Jid;
use waproto::whatsapp as wa;

use crate::moving::account::{Collection, PreKey, digits};
use crate::moving::sqlite::{Database, Row};
use crate::moving::{ImportedAccount, LeftOut, MovingError, records};

/// For how long the secrets of messages are kept; whatsmeow keeps them for ever and has no time.
const SECRETS_LAST: i64 = 30 * 24 * 3_600;

/// The JIDs of the devices in a file.
///
/// # Errors
/// When it is no SQLite file or not of whatsmeow.
pub fn devices(path: &Path) -> Result<Vec<String>, MovingError> {
    Database::open(path)?.rows("whatsmeow_device", &["jid"], None, |row| row.text(0))
}

/// Reads one device. `now` is Unix time in seconds.
///
/// # Errors
/// Naming the table and the column, when something is not what whatsmeow writes.
pub fn read(path: &Path, jid: &str, now: i64) -> Result<ImportedAccount, MovingError> {
    let database = Database::open(path)?;
    let file = path.display().to_string();
    let found = database.rows(
        "whatsmeow_device",
        &[
            "jid",
            "?lid",
            "registration_id",
            "noise_key",
            "identity_key",
            "signed_pre_key",
            "signed_pre_key_id",
            "signed_pre_key_sig",
            "adv_key",
            "adv_details",
            "adv_account_sig",
            "adv_account_sig_key",
            "adv_device_sig",
            "push_name",
            "?lid_migration_ts",
        ],
        Some(("jid", &jid)),
        device,
    )?;
    let device = found.into_iter().next();
    let device = device
        .ok_or_else(|| MovingError::invalid(&file, "whatsmeow_device", "holds no such device"))?;
    let account = ImportedAccount::of(device);
    account.check(&file)?;
    let mut tables = Tables {
        database,
        jid: jid.to_owned(),
        now,
        account,
    };
    tables.pre_keys()?;
    tables.signal()?;
    tables.app_state()?;
    tables.people()?;
    tables.account.left_out.push(LeftOut {
        what: "who has our sender key of which group".to_owned(),
        why: "whatsmeow keeps that in memory: it is sent anew with the first message to a group"
            .to_owned(),
    });
    Ok(tables.account)
}

fn jid_at(row: &Row<'_>, at: usize, text: &str) -> Result<Jid, MovingError> {
    text.parse().map_err(|_| row.error(at, "is no JID"))
}

fn device(row: &Row<'_>) -> Result<Device, MovingError> {
    let pair = |at: usize| {
        let pair = records::key_pair(&row.array::<32>(at)?);
        pair.ok_or_else(|| row.error(at, "is no private key"))
    };
    let mut device = Device::new();
    device.pn = Some(jid_at(row, 0, &row.text(0)?)?);
    if let Some(lid) = row.optional_text(1)?.filter(|lid| !lid.is_empty()) {
        device.lid = Some(jid_at(row, 1, &lid)?);
    }
    device.registration_id = row.number(2)?;
    records::own_keys(row, &mut device, pair)?;
    device.account = Some(Arc::new(wa::ADVSignedDeviceIdentity {
        details: Some(row.bytes(9)?),
        account_signature: Some(row.array::<64>(10)?.to_vec()),
        account_signature_key: Some(row.array::<32>(11)?.to_vec()),
        device_signature: Some(row.array::<64>(12)?.to_vec()),
    }));
    device.push_name = row.text(13)?.chars().take(100).collect();
    device.lid_migrated = row.optional_number::<i64>(14)?.unwrap_or(0) > 0;
    device.last_signed_pre_key_rotation_ms = 0;
    Ok(device)
}

/// `user[_domain]:device`.
fn address(row: &Row<'_>, at: usize) -> Result<String, MovingError> {
    let text = row.text(at)?;
    let read = || {
        let (user, device) = text.rsplit_once(':')?;
        let (user, domain) = match user.split_once('_') {
            Some((user, domain)) => (user, domain.parse().ok()?),
            None => (user, 0),
        };
        records::jid(user, domain, device.parse().ok()?)
    };
    let jid = read().ok_or_else(|| row.error(at, "is no Signal address"))?;
    Ok(records::address(&jid))
}

struct Tables {
    database: Database,
    jid: String,
    now: i64,
    account: ImportedAccount,
}

impl Tables {
    fn rows<T>(
        &self,
        table: &'static str,
        columns: &[&'static str],
        owner: &str,
        read: impl FnMut(&Row<'_>) -> Result<T, MovingError>,
    ) -> Result<Vec<T>, MovingError> {
        self.database
            .rows(table, columns, Some((owner, &self.jid)), read)
    }

    fn pre_keys(&mut self) -> Result<(), MovingError> {
        let columns = ["key_id", "key", "uploaded"];
        let mut keys = self.rows("whatsmeow_pre_keys", &columns, "jid", |row| {
            let id: u32 = row.number(0)?;
            let pair = records::key_pair(&row.array::<32>(1)?);
            let pair = pair.ok_or_else(|| row.error(1, "is no private key"))?;
            let mut record = Vec::new();
            encode_pre_key_record_to(id, &pair, &mut record);
            Ok(PreKey {
                id,
                record: record.into(),
                uploaded: row.flag(2)?,
            })
        })?;
        keys.sort_by_key(|key| key.id);
        let next = keys.last().map_or(1, |key| key.id + 1);
        let first = keys.iter().find(|key| !key.uploaded);
        let device = &mut self.account.device;
        device.next_pre_key_id = next;
        device.first_unupload_pre_key_id = first.map_or(next, |key| key.id);
        device.server_has_prekeys = keys.iter().any(|key| key.uploaded);
        self.account.pre_keys = keys;
        Ok(())
    }

    fn signal(&mut self) -> Result<(), MovingError> {
        let columns = ["their_id", "session"];
        let sessions = self.rows("whatsmeow_sessions", &columns, "our_jid", |row| {
            // What was deleted is null.
            let Some(record) = row.optional_bytes(1)? else {
                return Ok(None);
            };
            let record = SessionRecord::deserialize(&record);
            let record = record.and_then(|record| record.serialize());
            let record = record.map_err(|error| row.error(1, error))?;
            Ok(Some((Arc::from(address(row, 0)?), record.into())))
        })?;
        self.account.sessions = sessions.into_iter().flatten().collect();
        let columns = ["their_id", "identity"];
        let identities = self.rows("whatsmeow_identity_keys", &columns, "our_jid", |row| {
            Ok((Arc::from(address(row, 0)?), row.array::<32>(1)?))
        })?;
        self.account.identities = identities;
        let columns = ["chat_id", "sender_id", "sender_key"];
        let keys = self.rows("whatsmeow_sender_keys", &columns, "our_jid", |row| {
            let group = row.text(0)?;
            let jid = jid_at(row, 0, &group)?;
            let record = SenderKeyRecord::deserialize(&row.bytes(2)?);
            let record = record.and_then(|record| record.serialize());
            let record = record.map_err(|error| row.error(2, error))?;
            let name = format!("{jid}:{}", address(row, 1)?);
            Ok((Arc::from(name), record.into()))
        })?;
        self.account.sender_keys = keys;
        Ok(())
    }

    fn app_state(&mut self) -> Result<(), MovingError> {
        let columns = ["key_id", "key_data", "timestamp", "fingerprint"];
        let keys = self.rows("whatsmeow_app_state_sync_keys", &columns, "jid", |row| {
            let key = AppStateSyncKey {
                key_data: row.array::<32>(1)?.to_vec(),
                timestamp: row.number(2)?,
                fingerprint: row.bytes(3)?,
            };
            Ok((row.bytes(0)?, key))
        })?;
        self.account.sync_keys = keys;
        self.account
            .sync_keys
            .sort_by(|(one, a), (other, b)| (a.timestamp, one).cmp(&(b.timestamp, other)));
        let columns = ["name", "version", "hash"];
        let mut collections = self.rows("whatsmeow_app_state_version", &columns, "jid", |row| {
            Ok(Collection {
                name: row.text(0)?,
                state: HashState {
                    version: row.number(1)?,
                    hash: row.array::<128>(2)?,
                    ..HashState::default()
                },
                macs: Vec::new(),
            })
        })?;
        let columns = ["name", "version", "index_mac", "value_mac"];
        let table = "whatsmeow_app_state_mutation_macs";
        let macs = self.rows(table, &columns, "jid", |row| {
            let version: u64 = row.number(1)?;
            let index = row.array::<32>(2)?;
            Ok((row.text(0)?, version, index, row.array::<32>(3)?))
        })?;
        // Of several values of an index the one of the highest version stands.
        let mut latest: HashMap<(String, [u8; 32]), (u64, [u8; 32])> = HashMap::new();
        for (name, version, index, value) in macs {
            let entry = latest.entry((name, index)).or_insert((version, value));
            if version >= entry.0 {
                *entry = (version, value);
            }
        }
        for ((name, index), (_, value)) in latest {
            if let Some(collection) = collections.iter_mut().find(|of| of.name == name) {
                collection.macs.push(AppStateMutationMAC {
                    index_mac: index.to_vec(),
                    value_mac: value.to_vec(),
                });
            }
        }
        self.account.collections = collections;
        Ok(())
    }

    fn people(&mut self) -> Result<(), MovingError> {
        let now = self.now;
        // One map for all devices of the file: who is who does not depend on who asks.
        if !self.database.columns("whatsmeow_lid_map")?.is_empty() {
            let table = "whatsmeow_lid_map";
            self.account.lids = self.database.rows(table, &["lid", "pn"], None, |row| {
                let (lid, phone_number) = (row.text(0)?, row.text(1)?);
                for (at, user) in [(0, &lid), (1, &phone_number)] {
                    if !digits(user) {
                        return Err(row.error(at, "must be digits"));
                    }
                }
                Ok(LidPnMappingEntry {
                    lid,
                    phone_number,
                    created_at: now,
                    updated_at: now,
                    learning_source: "other".to_owned(),
                })
            })?;
        }
        let table = "whatsmeow_privacy_tokens";
        if !self.database.columns(table)?.is_empty() {
            let columns = ["their_jid", "token", "timestamp", "?sender_timestamp"];
            self.account.tc_tokens = self.rows(table, &columns, "our_jid", |row| {
                let jid = jid_at(row, 0, &row.text(0)?)?;
                let entry = TcTokenEntry {
                    token: row.bytes(1)?,
                    token_timestamp: row.number(2)?,
                    sender_timestamp: row.optional_number(3)?,
                };
                Ok((jid.user.to_string(), entry))
            })?;
        }
        let table = "whatsmeow_message_secrets";
        if !self.database.columns(table)?.is_empty() {
            let columns = ["chat_jid", "sender_jid", "message_id", "key"];
            let secrets = self.rows(table, &columns, "our_jid", |row| {
                let chat = jid_at(row, 0, &row.text(0)?)?;
                let sender = jid_at(row, 1, &row.text(1)?)?;
                let Ok(secret) = row.bytes(3)?.try_into() else {
                    return Ok(None);
                };
                let until = now + SECRETS_LAST;
                let id = row.text(2)?;
                Ok(Some(MsgSecretEntry::new(
                    &chat, &sender, &id, secret, until, 0,
                )))
            })?;
            self.account.secrets = secrets.into_iter().flatten().collect();
        }
        let table = "whatsmeow_nct_salt";
        if !self.database.columns(table)?.is_empty() {
            let salts = self.rows(table, &["salt"], "our_jid", |row| row.bytes(0))?;
            self.account.device.nct_salt = salts.into_iter().next();
        }
        Ok(())
    }
}
