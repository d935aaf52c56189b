//! From an account to files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use wacore::libsignal::protocol::{PreKeyRecord, SenderKeyRecord, SessionRecord};

use super::identity;
use super::name::{address, file_name};
use super::sender_key::{self, buffer};
use super::session;
use crate::moving::files::Files;
use crate::moving::{ImportedAccount, LeftOut, MovingError, records};

/// The files of Baileys for an account, and what they have no room for. `now` is Unix time in
/// milliseconds.
///
/// # Errors
/// When a record of ours can not be read.
pub fn write(account: &ImportedAccount, now: i64) -> Result<(Files, Vec<LeftOut>), MovingError> {
    let mut out = Out::default();
    let latest = account.sync_keys.last().map(|(id, _)| id.as_slice());
    out.put("creds.json", &identity::write(&account.device, latest));
    for pre_key in &account.pre_keys {
        let record = PreKeyRecord::deserialize(&pre_key.record);
        let pair = record.and_then(|record| record.key_pair());
        let pair = pair.map_err(|error| unreadable("pre-key", error))?;
        let value = json!({
            "public": buffer(pair.public_key.public_key_bytes()),
            "private": buffer(pair.private_key.serialize()),
        });
        out.put(&file_name("pre-key", &pre_key.id.to_string()), &value);
    }
    out.sessions(account, now)?;
    for (at, key) in &account.identities {
        if let Some((user, device)) = records::parse_address(at).as_ref().and_then(address) {
            let value = buffer(&[&[5], key.as_slice()].concat());
            out.put(
                &file_name("identity-key", &format!("{user}.{device}")),
                &value,
            );
        }
    }
    out.groups(account)?;
    out.app_state(account)?;
    for mapping in &account.lids {
        let (phone, lid) = (&mapping.phone_number, &mapping.lid);
        out.put(&file_name("lid-mapping", phone), &json!(lid));
        out.put(
            &file_name("lid-mapping", &format!("{lid}_reverse")),
            &json!(phone),
        );
    }
    for (user, entry) in &account.tc_tokens {
        let known = account.lids.iter().any(|mapping| mapping.lid == *user);
        let server = if known { "lid" } else { "s.whatsapp.net" };
        let mut value = json!({
            "token": buffer(&entry.token),
            "timestamp": entry.token_timestamp.to_string(),
        });
        if let Some(sent) = entry.sender_timestamp {
            value["senderTimestamp"] = json!(sent);
        }
        out.put(&file_name("tctoken", &format!("{user}@{server}")), &value);
    }
    if !account.secrets.is_empty() {
        out.left_out.push(LeftOut {
            what: format!("{} secrets of messages", account.secrets.len()),
            why: "Baileys' credentials have no room for them".to_owned(),
        });
    }
    Ok((out.files, out.left_out))
}

#[derive(Default)]
struct Out {
    files: Files,
    left_out: Vec<LeftOut>,
}

fn unreadable(what: &str, error: impl std::fmt::Display) -> MovingError {
    MovingError::invalid(what, "the record", error)
}

impl Out {
    fn put(&mut self, name: &str, value: &Value) {
        self.files
            .insert(name.to_owned(), value.to_string().into_bytes());
    }

    fn sessions(&mut self, account: &ImportedAccount, now: i64) -> Result<(), MovingError> {
        let mut lost = 0_usize;
        for (at, record) in &account.sessions {
            let record = SessionRecord::deserialize(record);
            let record = record.map_err(|error| unreadable("session", error))?;
            let name = records::parse_address(at).as_ref().and_then(address);
            match (name, session::write(record, now)) {
                (Some((user, device)), Ok(value)) => {
                    self.put(&file_name("session", &format!("{user}.{device}")), &value);
                }
                _ => lost += 1,
            }
        }
        if lost > 0 {
            self.left_out.push(LeftOut {
                what: format!("{lost} Signal sessions"),
                why: "libsignal's JavaScript has no form for them; they are made anew when one \
                      writes"
                    .to_owned(),
            });
        }
        Ok(())
    }

    fn groups(&mut self, account: &ImportedAccount) -> Result<(), MovingError> {
        for (name, record) in &account.sender_keys {
            let record = SenderKeyRecord::deserialize(record);
            let value = record
                .map_err(|error| error.to_string())
                .and_then(sender_key::write);
            let value = value.map_err(|error| unreadable("sender key", error))?;
            let Some((group, at)) = split_sender_key(name) else {
                continue;
            };
            if let Some((user, device)) = records::parse_address(at).as_ref().and_then(address) {
                let id = format!("{group}::{user}::{device}");
                self.put(&file_name("sender-key", &id), &value);
            }
        }
        for (group, devices) in &account.sender_key_devices {
            let memory: Map<String, Value> = devices
                .iter()
                .filter(|(_, has)| *has)
                .map(|(device, _)| (device.clone(), json!(true)))
                .collect();
            self.put(
                &file_name("sender-key-memory", group),
                &Value::Object(memory),
            );
        }
        Ok(())
    }

    fn app_state(&mut self, account: &ImportedAccount) -> Result<(), MovingError> {
        for (id, key) in &account.sync_keys {
            let fingerprint =
                waproto::codec::app_state_sync_key_fingerprint_decode(&key.fingerprint);
            let fingerprint =
                fingerprint.map_err(|error| unreadable("app state sync key", error))?;
            let value = json!({
                "keyData": STANDARD.encode(&key.key_data),
                "fingerprint": {
                    "rawId": fingerprint.raw_id,
                    "currentIndex": fingerprint.current_index,
                    "deviceIndexes": fingerprint.device_indexes,
                },
                "timestamp": key.timestamp.to_string(),
            });
            self.put(
                &file_name("app-state-sync-key", &STANDARD.encode(id)),
                &value,
            );
        }
        for collection in &account.collections {
            let map: Map<String, Value> = collection
                .macs
                .iter()
                .map(|mac| {
                    let value = json!({ "valueMac": buffer(&mac.value_mac) });
                    (STANDARD.encode(&mac.index_mac), value)
                })
                .collect();
            let value = json!({
                "version": collection.state.version,
                "hash": buffer(&collection.state.hash),
                "indexValueMap": map,
            });
            self.put(
                &file_name("app-state-sync-version", &collection.name),
                &value,
            );
        }
        Ok(())
    }
}

/// Group and address of a sender key's name.
fn split_sender_key(name: &str) -> Option<(&str, &str)> {
    ["@g.us:", "@broadcast:"].into_iter().find_map(|end| {
        let at = name.find(end)? + end.len();
        Some((&name[..at - 1], &name[at..]))
    })
}
