//! `creds.json`: who the device is.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wacore::store::Device;
use wacore_binary::Jid;
use waproto::whatsapp as wa;

use super::field::Field;
use super::sender_key::buffer;
use crate::moving::MovingError;

/// Reads the credentials.
pub(super) fn read(root: &Field<'_>) -> Result<Device, MovingError> {
    let me = root.find("me")?.ok_or_else(|| {
        root.error("has no `me`: no phone was ever linked, or the device was unlinked")
    })?;
    let mut device = Device::new();
    device.pn = Some(read_jid(&me.get("id")?)?);
    device.lid = me.find("lid")?.map(|lid| read_jid(&lid)).transpose()?;
    if let Some(name) = me.find("name")? {
        device.push_name = name.text()?.chars().take(100).collect();
    }
    device.registration_id = root.get("registrationId")?.number()?;
    device.noise_key = root.get("noiseKey")?.key_pair()?;
    device.identity_key = root.get("signedIdentityKey")?.key_pair()?;
    let signed = root.get("signedPreKey")?;
    device.signed_pre_key = signed.get("keyPair")?.key_pair()?;
    device.signed_pre_key_id = signed.get("keyId")?.number()?;
    let signature = signed.get("signature")?;
    device.signed_pre_key_signature = signature.array::<64>()?;
    let message = device.signed_pre_key.public_key.serialize();
    let own = &device.identity_key.public_key;
    if !own.verify_signature(&message, &device.signed_pre_key_signature) {
        return Err(signature.error("is not made by signedIdentityKey"));
    }
    device.adv_secret_key = root.get("advSecretKey")?.array::<32>()?;
    device.account = Some(Arc::new(read_account(&root.get("account")?)?));
    let count = |name: &str| -> Result<u32, MovingError> {
        let count = root.find(name)?.map(|count| count.number()).transpose()?;
        Ok(count.unwrap_or(1).max(1))
    };
    device.next_pre_key_id = count("nextPreKeyId")?;
    device.first_unupload_pre_key_id = count("firstUnuploadedPreKeyId")?;
    device.server_has_prekeys = device.first_unupload_pre_key_id > 1;
    if let Some(routing) = root.find("routingInfo")? {
        device.edge_routing_info = Some(routing.bytes()?);
    }
    // Nothing says when it was last replaced; whatsapp-rust begins to count now.
    device.last_signed_pre_key_rotation_ms = 0;
    Ok(device)
}

fn read_jid(field: &Field<'_>) -> Result<Jid, MovingError> {
    let jid = field.text()?.parse();
    jid.map_err(|_| field.error("is no JID"))
}

fn read_account(account: &Field<'_>) -> Result<wa::ADVSignedDeviceIdentity, MovingError> {
    let bytes = |name: &str| -> Result<Option<Vec<u8>>, MovingError> {
        account.find(name)?.map(|field| field.bytes()).transpose()
    };
    let details = account.get("details")?;
    let signature = account.get("deviceSignature")?;
    let read = wa::ADVSignedDeviceIdentity {
        details: Some(details.bytes()?),
        account_signature_key: bytes("accountSignatureKey")?,
        account_signature: bytes("accountSignature")?,
        device_signature: Some(signature.bytes()?),
    };
    Ok(read)
}

/// The credentials of a device of ours.
pub(super) fn write(device: &Device, sync_key: Option<&[u8]>) -> Value {
    let pair = |pair: &wacore::libsignal::protocol::KeyPair| {
        json!({
            "private": buffer(pair.private_key.serialize()),
            "public": buffer(pair.public_key.public_key_bytes()),
        })
    };
    let account = device.account.as_deref();
    let bytes = |of: fn(&wa::ADVSignedDeviceIdentity) -> &Option<Vec<u8>>| {
        account
            .and_then(|account| of(account).as_deref())
            .map(buffer)
    };
    let identities: Vec<Value> = device
        .lid
        .iter()
        .zip(account.and_then(|account| account.account_signature_key.as_deref()))
        .map(|(lid, key)| {
            let key: Vec<u8> = match key.len() {
                32 => [&[5], key].concat(),
                _ => key.to_vec(),
            };
            json!({
                "identifier": { "name": lid.to_string(), "deviceId": 0 },
                "identifierKey": buffer(&key),
            })
        })
        .collect();
    // Baileys counts what it generated; below the first that WhatsApp does not have, all are there.
    let next = device.next_pre_key_id.max(1);
    let first = match device.first_unupload_pre_key_id {
        0 => next,
        first => first.min(next),
    };
    json!({
        "noiseKey": pair(&device.noise_key),
        "pairingEphemeralKeyPair": pair(&Device::new().noise_key),
        "signedIdentityKey": pair(&device.identity_key),
        "signedPreKey": {
            "keyPair": pair(&device.signed_pre_key),
            "signature": buffer(&device.signed_pre_key_signature),
            "keyId": device.signed_pre_key_id,
        },
        "registrationId": device.registration_id,
        "advSecretKey": STANDARD.encode(device.adv_secret_key),
        "processedHistoryMessages": [],
        "nextPreKeyId": next,
        "firstUnuploadedPreKeyId": first,
        "accountSyncCounter": 1,
        "accountSettings": { "unarchiveChats": false },
        "registered": false,
        "account": {
            "details": bytes(|account| &account.details),
            "accountSignatureKey": bytes(|account| &account.account_signature_key),
            "accountSignature": bytes(|account| &account.account_signature),
            "deviceSignature": bytes(|account| &account.device_signature),
        },
        "me": {
            "id": device.pn.as_ref().map(ToString::to_string),
            "lid": device.lid.as_ref().map(ToString::to_string),
            "name": device.push_name,
        },
        "signalIdentities": identities,
        "routingInfo": device.edge_routing_info.as_deref().map(buffer),
        "myAppStateKeyId": sync_key.map(|id| STANDARD.encode(id)),
    })
}
