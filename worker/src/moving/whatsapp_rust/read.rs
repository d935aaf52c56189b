//! From whatsapp-rust's tables to an account.

use std::path::Path;
use std::sync::Arc;

use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::libsignal::protocol::{KeyPair, PreKeyRecord, SenderKeyRecord, SessionRecord};
use wacore::store::Device;
use wacore::store::device::account_serde;
use wacore::store::traits::{AppStateSyncKey, LidPnMappingEntry, MsgSecretEntry, TcTokenEntry};
use wacore_binary::Jid;

use super::wire::{self, Value};
use crate::moving::account::{Collection, PreKey, digits};
use crate::moving::sqlite::{Database, Row};
use crate::moving::{ImportedAccount, LeftOut, MovingError, records};

/// The ids of the devices in a file that are linked.
///
/// # Errors
/// When it is no SQLite file or not of whatsapp-rust.
pub fn devices(path: &Path) -> Result<Vec<i64>, MovingError> {
    let found = Database::open(path)?.rows("device", &["id", "pn"], None, |row| {
        Ok((row.number(0)?, row.text(1)?))
    })?;
    let linked = found.into_iter().filter(|(_, pn)| !pn.is_empty());
    Ok(linked.map(|(id, _)| id).collect())
}

/// Reads one device.
///
/// # Errors
/// Naming the table and the column, when something is not what whatsapp-rust writes.
pub fn read(path: &Path, id: i64) -> Result<ImportedAccount, MovingError> {
    let database = Database::open(path)?;
    let file = path.display().to_string();
    let found = database.rows(
        "device",
        &[
            "pn",
            "lid",
            "registration_id",
            "noise_key",
            "identity_key",
            "signed_pre_key",
            "signed_pre_key_id",
            "signed_pre_key_signature",
            "adv_secret_key",
            "account",
            "push_name",
            "?edge_routing_info",
            "?next_pre_key_id",
            "?first_unupload_pre_key_id",
            "?server_has_prekeys",
            "?nct_salt",
            "?login_counter",
            "?lid_migrated",
            "?last_signed_pre_key_rotation_ms",
            "?read_receipts_disabled",
        ],
        Some(("id", &id)),
        device,
    )?;
    let device = found.into_iter().next();
    let device =
        device.ok_or_else(|| MovingError::invalid(&file, "device", "holds no such device"))?;
    let account = ImportedAccount::of(device);
    account.check(&file)?;
    let mut tables = Tables {
        database,
        id,
        account,
    };
    tables.pre_keys()?;
    tables.signal()?;
    tables.app_state()?;
    tables.people()?;
    tables.account.left_out.push(LeftOut {
        what: "copies of messages sent, and messages not yet told".to_owned(),
        why: "their former owner answered for them".to_owned(),
    });
    Ok(tables.account)
}

fn device(row: &Row<'_>) -> Result<Device, MovingError> {
    let jid = |at: usize| -> Result<Option<Jid>, MovingError> {
        let text = row.text(at)?;
        if text.is_empty() {
            return Ok(None);
        }
        let jid = text.parse().map_err(|_| row.error(at, "is no JID"));
        jid.map(Some)
    };
    let pair = |at: usize| -> Result<KeyPair, MovingError> {
        let bytes = row.array::<64>(at)?;
        let pair = records::key_pair(&bytes[..32]);
        let pair = pair.ok_or_else(|| row.error(at, "is no private key"))?;
        if pair.public_key.public_key_bytes() != &bytes[32..] {
            return Err(row.error(at, "holds keys that do not belong together"));
        }
        Ok(pair)
    };
    let mut device = Device::new();
    device.pn = jid(0)?;
    device.lid = jid(1)?;
    // Stored in 32 bits with a sign.
    device.registration_id = u32::from_ne_bytes(
        row.number::<i32>(2)
            .map(i32::to_ne_bytes)
            .or_else(|_| row.number::<u32>(2).map(u32::to_ne_bytes))?,
    );
    records::own_keys(row, &mut device, pair)?;
    if let Some(account) = row.optional_bytes(9)? {
        let account = account_serde::from_bytes(&account);
        device.account = Some(Arc::new(account.map_err(|error| row.error(9, error))?));
    }
    device.push_name = row.text(10)?.chars().take(100).collect();
    device.edge_routing_info = row.optional_bytes(11)?;
    device.next_pre_key_id = row.optional_number(12)?.unwrap_or(0);
    device.first_unupload_pre_key_id = row.optional_number(13)?.unwrap_or(0);
    device.server_has_prekeys = row.optional_number::<i64>(14)?.unwrap_or(0) != 0;
    device.nct_salt = row.optional_bytes(15)?;
    device.login_counter = row.optional_number(16)?.unwrap_or(0);
    device.lid_migrated = row.optional_number::<i64>(17)?.unwrap_or(0) != 0;
    device.last_signed_pre_key_rotation_ms = row.optional_number(18)?.unwrap_or(0);
    device.read_receipts_disabled = row.optional_number::<i64>(19)?.unwrap_or(0) != 0;
    Ok(device)
}

/// An address as it is stored here as well.
fn address(row: &Row<'_>, at: usize) -> Result<Arc<str>, MovingError> {
    let text = row.text(at)?;
    let jid = records::parse_address(&text);
    let jid = jid.ok_or_else(|| row.error(at, "is no Signal address"))?;
    Ok(Arc::from(records::address(&jid)))
}

struct Tables {
    database: Database,
    id: i64,
    account: ImportedAccount,
}

impl Tables {
    /// None where there is no such table: a store of an older version.
    fn rows<T>(
        &self,
        table: &'static str,
        columns: &[&'static str],
        read: impl FnMut(&Row<'_>) -> Result<T, MovingError>,
    ) -> Result<Vec<T>, MovingError> {
        if self.database.columns(table)?.is_empty() {
            return Ok(Vec::new());
        }
        self.database
            .rows(table, columns, Some(("device_id", &self.id)), read)
    }

    fn pre_keys(&mut self) -> Result<(), MovingError> {
        self.account.pre_keys = self.rows("prekeys", &["id", "key", "uploaded"], |row| {
            let record = row.bytes(1)?;
            let pair = PreKeyRecord::deserialize(&record).and_then(|record| record.key_pair());
            pair.map_err(|error| row.error(1, error))?;
            Ok(PreKey {
                id: row.number(0)?,
                record: record.into(),
                uploaded: row.flag(2)?,
            })
        })?;
        self.account.signed_pre_keys = self.rows("signed_prekeys", &["id", "record"], |row| {
            Ok((row.number(0)?, row.bytes(1)?))
        })?;
        Ok(())
    }

    fn signal(&mut self) -> Result<(), MovingError> {
        self.account.sessions = self.rows("sessions", &["address", "record"], |row| {
            let record = row.bytes(1)?;
            // Kept as it is: it carries what was reserved.
            SessionRecord::deserialize(&record).map_err(|error| row.error(1, error))?;
            Ok((address(row, 0)?, record.into()))
        })?;
        self.account.identities = self.rows("identities", &["address", "key"], |row| {
            let key = records::public_key(&row.bytes(1)?);
            let key = key.ok_or_else(|| row.error(1, "is no public key"))?;
            let key = key.public_key_bytes().try_into();
            let key = key.map_err(|_| row.error(1, "is no public key"))?;
            Ok((address(row, 0)?, key))
        })?;
        self.account.sender_keys = self.rows("sender_keys", &["address", "record"], |row| {
            let record = row.bytes(1)?;
            SenderKeyRecord::deserialize(&record).map_err(|error| row.error(1, error))?;
            Ok((Arc::from(row.text(0)?), record.into()))
        })?;
        let columns = ["group_jid", "device_jid", "has_key"];
        let mut devices = self.rows("sender_key_devices", &columns, |row| {
            Ok((row.text(0)?, row.text(1)?, row.flag(2)?))
        })?;
        devices.sort();
        for (group, device, has) in devices {
            let groups = &mut self.account.sender_key_devices;
            match groups.last_mut() {
                Some((last, devices)) if *last == group => devices.push((device, has)),
                _ => groups.push((group, vec![(device, has)])),
            }
        }
        Ok(())
    }

    fn app_state(&mut self) -> Result<(), MovingError> {
        let mut keys = self.rows("app_state_keys", &["key_id", "key_data"], |row| {
            let data = row.bytes(1)?;
            let key = sync_key(&data).ok_or_else(|| row.error(1, "is no key"))?;
            Ok((row.bytes(0)?, key))
        })?;
        keys.sort_by(|(one, a), (other, b)| (a.timestamp, one).cmp(&(b.timestamp, other)));
        self.account.sync_keys = keys;
        let mut collections = self.rows("app_state_versions", &["name", "state_data"], |row| {
            let state = hash_state(&row.bytes(1)?);
            Ok(Collection {
                name: row.text(0)?,
                state: state.ok_or_else(|| row.error(1, "is no state"))?,
                macs: Vec::new(),
            })
        })?;
        let columns = ["name", "index_mac", "value_mac"];
        let macs = self.rows("app_state_mutation_macs", &columns, |row| {
            let mac = AppStateMutationMAC {
                index_mac: row.array::<32>(1)?.to_vec(),
                value_mac: row.array::<32>(2)?.to_vec(),
            };
            Ok((row.text(0)?, mac))
        })?;
        for (name, mac) in macs {
            if let Some(collection) = collections.iter_mut().find(|of| of.name == name) {
                collection.macs.push(mac);
            }
        }
        self.account.collections = collections;
        Ok(())
    }

    fn people(&mut self) -> Result<(), MovingError> {
        let columns = [
            "lid",
            "phone_number",
            "created_at",
            "updated_at",
            "learning_source",
        ];
        self.account.lids = self.rows("lid_pn_mapping", &columns, |row| {
            let (lid, phone_number) = (row.text(0)?, row.text(1)?);
            for (at, user) in [(0, &lid), (1, &phone_number)] {
                if !digits(user) {
                    return Err(row.error(at, "must be digits"));
                }
            }
            Ok(LidPnMappingEntry {
                lid,
                phone_number,
                created_at: row.number(2)?,
                updated_at: row.number(3)?,
                learning_source: row.text(4)?,
            })
        })?;
        let columns = ["jid", "token", "token_timestamp", "sender_timestamp"];
        self.account.tc_tokens = self.rows("tc_tokens", &columns, |row| {
            let entry = TcTokenEntry {
                token: row.bytes(1)?,
                token_timestamp: row.number(2)?,
                sender_timestamp: row.optional_number(3)?,
            };
            Ok((row.text(0)?, entry))
        })?;
        let columns = [
            "chat",
            "sender",
            "msg_id",
            "secret",
            "?expires_at",
            "?message_ts",
        ];
        self.account.secrets = self.rows("msg_secrets", &columns, |row| {
            Ok(MsgSecretEntry {
                chat: row.text(0)?.into(),
                sender: row.text(1)?.into(),
                msg_id: row.text(2)?.into(),
                secret: row.array::<32>(3)?,
                expires_at: row.optional_number(4)?.unwrap_or(0),
                message_ts: row.optional_number(5)?.unwrap_or(0),
            })
        })?;
        Ok(())
    }
}

fn sync_key(bytes: &[u8]) -> Option<AppStateSyncKey> {
    let mut key = AppStateSyncKey::default();
    for (field, value) in wire::fields(bytes)? {
        match (field, value) {
            (1, Value::Bytes(data)) => key.key_data = data.to_vec(),
            (2, Value::Bytes(fingerprint)) => key.fingerprint = fingerprint.to_vec(),
            (3, Value::Number(timestamp)) => key.timestamp = timestamp.cast_signed(),
            _ => {}
        }
    }
    (key.key_data.len() == 32).then_some(key)
}

fn hash_state(bytes: &[u8]) -> Option<HashState> {
    let mut state = HashState::default();
    for (field, value) in wire::fields(bytes)? {
        match (field, value) {
            (1, Value::Number(version)) => state.version = version,
            (2, Value::Bytes(hash)) => state.hash = hash.try_into().ok()?,
            (4, Value::Number(fatal)) => state.mac_mismatch_fatal = fatal != 0,
            _ => {}
        }
    }
    Some(state)
}
