//! From an account to whatsapp-rust's tables.

use std::path::Path;

use rusqlite::{Transaction, params};
use wacore::libsignal::protocol::KeyPair;
use wacore::store::device::account_serde;

use super::wire;
use crate::moving::{ImportedAccount, LeftOut, MovingError, sqlite};

/// The tables at the version of whatsapp-rust that this worker is built with.
const SCHEMA: &str = include_str!("schema.sql");

/// Writes a new file with one account, and says what has no room in it. `now` is Unix time in seconds.
///
/// # Errors
/// When the file can not be written.
pub fn write(
    account: &ImportedAccount,
    path: &Path,
    now: i64,
) -> Result<Vec<LeftOut>, MovingError> {
    sqlite::write(path, SCHEMA, |to| {
        device(to, account)?;
        signal(to, account, now)?;
        app_state(to, account)?;
        people(to, account, now)
    })?;
    Ok(Vec::new())
}

fn device(to: &Transaction<'_>, account: &ImportedAccount) -> rusqlite::Result<()> {
    let device = &account.device;
    let pair = |pair: &KeyPair| {
        let private = pair.private_key.serialize().as_slice();
        [private, pair.public_key.public_key_bytes()].concat()
    };
    let text = |jid: Option<&wacore_binary::Jid>| jid.map(ToString::to_string).unwrap_or_default();
    let adv = device.account.as_deref().map(account_serde::to_bytes);
    to.execute(
        "INSERT INTO device (id, lid, pn, registration_id, noise_key, identity_key, signed_pre_key, \
         signed_pre_key_id, signed_pre_key_signature, adv_secret_key, account, push_name, \
         edge_routing_info, props_hash, next_pre_key_id, nct_salt, server_has_prekeys, \
         login_counter, first_unupload_pre_key_id, lid_migrated, last_signed_pre_key_rotation_ms, \
         read_receipts_disabled) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
         ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
        params![
            text(device.lid.as_ref()),
            text(device.pn.as_ref()),
            device.registration_id.cast_signed(),
            pair(&device.noise_key),
            pair(&device.identity_key),
            pair(&device.signed_pre_key),
            device.signed_pre_key_id,
            device.signed_pre_key_signature,
            device.adv_secret_key,
            adv,
            device.push_name,
            device.edge_routing_info,
            device.props_hash,
            device.next_pre_key_id,
            device.nct_salt,
            device.server_has_prekeys,
            device.login_counter,
            device.first_unupload_pre_key_id,
            device.lid_migrated,
            device.last_signed_pre_key_rotation_ms,
            device.read_receipts_disabled,
        ],
    )?;
    for key in &account.pre_keys {
        to.execute(
            "INSERT INTO prekeys VALUES (?1, ?2, ?3, 1)",
            params![key.id, &*key.record, key.uploaded],
        )?;
    }
    for (id, record) in &account.signed_pre_keys {
        to.execute(
            "INSERT INTO signed_prekeys VALUES (?1, ?2, 1)",
            params![id, record],
        )?;
    }
    Ok(())
}

fn signal(to: &Transaction<'_>, account: &ImportedAccount, now: i64) -> rusqlite::Result<()> {
    for (address, record) in &account.sessions {
        to.execute(
            "INSERT INTO sessions VALUES (?1, ?2, 1)",
            params![&**address, &**record],
        )?;
    }
    for (address, key) in &account.identities {
        to.execute(
            "INSERT INTO identities VALUES (?1, ?2, 1)",
            params![&**address, key],
        )?;
    }
    for (address, record) in &account.sender_keys {
        to.execute(
            "INSERT INTO sender_keys VALUES (?1, ?2, 1)",
            params![&**address, &**record],
        )?;
    }
    for (group, devices) in &account.sender_key_devices {
        for (device, has) in devices {
            to.execute(
                "INSERT INTO sender_key_devices VALUES (?1, ?2, ?3, 1, ?4)",
                params![group, device, has, now],
            )?;
        }
    }
    Ok(())
}

fn app_state(to: &Transaction<'_>, account: &ImportedAccount) -> rusqlite::Result<()> {
    for (id, key) in &account.sync_keys {
        let mut data = Vec::new();
        wire::put_bytes(&mut data, 1, &key.key_data);
        wire::put_bytes(&mut data, 2, &key.fingerprint);
        wire::put_number(&mut data, 3, key.timestamp.cast_unsigned());
        to.execute(
            "INSERT INTO app_state_keys VALUES (?1, ?2, 1)",
            params![id, data],
        )?;
    }
    for collection in &account.collections {
        let mut data = Vec::new();
        wire::put_number(&mut data, 1, collection.state.version);
        wire::put_bytes(&mut data, 2, &collection.state.hash);
        wire::put_number(&mut data, 4, collection.state.mac_mismatch_fatal.into());
        to.execute(
            "INSERT INTO app_state_versions VALUES (?1, ?2, 1)",
            params![collection.name, data],
        )?;
        let version = i64::try_from(collection.state.version).unwrap_or(i64::MAX);
        for mac in &collection.macs {
            to.execute(
                "INSERT INTO app_state_mutation_macs VALUES (?1, ?2, ?3, ?4, 1)",
                params![collection.name, version, mac.index_mac, mac.value_mac],
            )?;
        }
    }
    Ok(())
}

fn people(to: &Transaction<'_>, account: &ImportedAccount, now: i64) -> rusqlite::Result<()> {
    for mapping in &account.lids {
        to.execute(
            "INSERT INTO lid_pn_mapping VALUES (?1, ?2, ?3, ?4, ?5, 1)",
            params![
                mapping.lid,
                mapping.phone_number,
                mapping.created_at,
                mapping.learning_source,
                mapping.updated_at
            ],
        )?;
    }
    for (user, entry) in &account.tc_tokens {
        to.execute(
            "INSERT INTO tc_tokens VALUES (?1, ?2, ?3, ?4, 1, ?5)",
            params![
                user,
                entry.token,
                entry.token_timestamp,
                entry.sender_timestamp,
                now
            ],
        )?;
    }
    for secret in &account.secrets {
        to.execute(
            "INSERT INTO msg_secrets VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7)",
            params![
                &*secret.chat,
                &*secret.sender,
                &*secret.msg_id,
                secret.secret,
                now,
                secret.expires_at,
                secret.message_ts
            ],
        )?;
    }
    Ok(())
}
