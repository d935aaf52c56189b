//! From an account to whatsmeow's tables.

use std::path::Path;

use rusqlite::{Transaction, params};
use wacore::libsignal::protocol::{PreKeyRecord, SenderKeyRecord, SessionRecord};
use wacore_binary::Jid;

use crate::moving::{ImportedAccount, LeftOut, MovingError, records, sqlite};

/// The tables at the version of whatsmeow that they are made for; it brings them up to its own.
const SCHEMA: &str = include_str!("schema.sql");

/// Writes a new file with one account, and says what has no room in it.
///
/// # Errors
/// When the file can not be written, or a record of ours can not be read.
pub fn write(account: &ImportedAccount, path: &Path) -> Result<Vec<LeftOut>, MovingError> {
    let unreadable =
        |what: &str, error: &dyn std::fmt::Display| MovingError::invalid(what, "the record", error);
    let mut pre_keys = Vec::new();
    for key in &account.pre_keys {
        let pair = PreKeyRecord::deserialize(&key.record).and_then(|record| record.key_pair());
        let pair = pair.map_err(|error| unreadable("pre-key", &error))?;
        pre_keys.push((key.id, *pair.private_key.serialize(), key.uploaded));
    }
    // What was reserved is spent, in the form that whatsmeow reads.
    let mut sessions = Vec::new();
    for (at, record) in &account.sessions {
        let record = SessionRecord::deserialize(record)
            .and_then(SessionRecord::into_components)
            .and_then(SessionRecord::from_components)
            .and_then(|record| record.serialize());
        let record = record.map_err(|error| unreadable("session", &error))?;
        sessions.extend(
            records::parse_address(at)
                .and_then(|jid| name(&jid))
                .map(|name| (name, record)),
        );
    }
    let mut sender_keys = Vec::new();
    for (at, record) in &account.sender_keys {
        let record = SenderKeyRecord::deserialize(record)
            .and_then(SenderKeyRecord::into_components)
            .and_then(SenderKeyRecord::from_components)
            .and_then(|record| record.serialize());
        let record = record.map_err(|error| unreadable("sender key", &error))?;
        let parts = at.split_once("@g.us:").and_then(|(group, at)| {
            let name = records::parse_address(at).and_then(|jid| name(&jid))?;
            Some((format!("{group}@g.us"), name))
        });
        sender_keys.extend(parts.map(|(group, name)| (group, name, record)));
    }
    sqlite::write(path, SCHEMA, |to| {
        let own = device(to, account)?;
        for (id, private, uploaded) in &pre_keys {
            to.execute(
                "INSERT INTO whatsmeow_pre_keys VALUES (?1, ?2, ?3, ?4)",
                params![own, id, private, uploaded],
            )?;
        }
        for (name, record) in &sessions {
            to.execute(
                "INSERT INTO whatsmeow_sessions VALUES (?1, ?2, ?3)",
                params![own, name, record],
            )?;
        }
        for (at, key) in &account.identities {
            if let Some(name) = records::parse_address(at).and_then(|jid| name(&jid)) {
                to.execute(
                    "INSERT INTO whatsmeow_identity_keys VALUES (?1, ?2, ?3)",
                    params![own, name, key],
                )?;
            }
        }
        for (group, name, record) in &sender_keys {
            to.execute(
                "INSERT INTO whatsmeow_sender_keys VALUES (?1, ?2, ?3, ?4)",
                params![own, group, name, record],
            )?;
        }
        app_state(to, &own, account)?;
        people(to, &own, account)
    })?;
    Ok(Vec::new())
}

/// A device as whatsmeow names it.
fn name(jid: &Jid) -> Option<String> {
    Some(match records::domain(jid.server)? {
        0 => format!("{}:{}", jid.user, jid.device),
        domain => format!("{}_{domain}:{}", jid.user, jid.device),
    })
}

fn device(to: &Transaction<'_>, account: &ImportedAccount) -> rusqlite::Result<String> {
    let device = &account.device;
    let own = device
        .pn
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let adv = device.account.as_deref();
    let part = |part: Option<&Option<Vec<u8>>>| part.cloned().flatten().unwrap_or_default();
    to.execute(
        "INSERT INTO whatsmeow_device (jid, lid, registration_id, noise_key, identity_key, \
         signed_pre_key, signed_pre_key_id, signed_pre_key_sig, adv_key, adv_details, \
         adv_account_sig, adv_account_sig_key, adv_device_sig, push_name, lid_migration_ts) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            own,
            device.lid.as_ref().map(ToString::to_string),
            device.registration_id,
            device.noise_key.private_key.serialize(),
            device.identity_key.private_key.serialize(),
            device.signed_pre_key.private_key.serialize(),
            device.signed_pre_key_id,
            device.signed_pre_key_signature,
            device.adv_secret_key,
            part(adv.map(|adv| &adv.details)),
            part(adv.map(|adv| &adv.account_signature)),
            part(adv.map(|adv| &adv.account_signature_key)),
            part(adv.map(|adv| &adv.device_signature)),
            device.push_name,
            i64::from(device.lid_migrated),
        ],
    )?;
    if let Some(salt) = &device.nct_salt {
        to.execute(
            "INSERT INTO whatsmeow_nct_salt VALUES (?1, ?2)",
            params![own, salt],
        )?;
    }
    Ok(own)
}

fn app_state(to: &Transaction<'_>, own: &str, account: &ImportedAccount) -> rusqlite::Result<()> {
    for (id, key) in &account.sync_keys {
        to.execute(
            "INSERT INTO whatsmeow_app_state_sync_keys VALUES (?1, ?2, ?3, ?4, ?5)",
            params![own, id, key.key_data, key.timestamp, key.fingerprint],
        )?;
    }
    for collection in &account.collections {
        let version = i64::try_from(collection.state.version).unwrap_or(i64::MAX);
        to.execute(
            "INSERT INTO whatsmeow_app_state_version VALUES (?1, ?2, ?3, ?4)",
            params![own, collection.name, version, collection.state.hash],
        )?;
        for mac in &collection.macs {
            to.execute(
                "INSERT INTO whatsmeow_app_state_mutation_macs VALUES (?1, ?2, ?3, ?4, ?5)",
                params![own, collection.name, version, mac.index_mac, mac.value_mac],
            )?;
        }
    }
    Ok(())
}

fn people(to: &Transaction<'_>, own: &str, account: &ImportedAccount) -> rusqlite::Result<()> {
    for mapping in &account.lids {
        // A number has one LID there; the latest stands.
        to.execute(
            "INSERT OR REPLACE INTO whatsmeow_lid_map VALUES (?1, ?2)",
            params![mapping.lid, mapping.phone_number],
        )?;
    }
    for (user, entry) in &account.tc_tokens {
        let known = account.lids.iter().any(|mapping| mapping.lid == *user);
        let server = if known { "lid" } else { "s.whatsapp.net" };
        to.execute(
            "INSERT INTO whatsmeow_privacy_tokens VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                own,
                format!("{user}@{server}"),
                entry.token,
                entry.token_timestamp,
                entry.sender_timestamp
            ],
        )?;
    }
    for secret in &account.secrets {
        to.execute(
            "INSERT INTO whatsmeow_message_secrets VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                own,
                &*secret.chat,
                &*secret.sender,
                &*secret.msg_id,
                secret.secret
            ],
        )?;
    }
    Ok(())
}
