//! How a phone vouches for its companions (ADV, "advanced device verification").
//!
//! The phone signs two things with its Signal identity key: the identity of a
//! companion when it is linked, and the list of the companions that are valid.

use buffa::Message as _;
use rand::rngs::StdRng;
use wacore_libsignal::crypto::hmac_sha256;
use wacore_libsignal::protocol::KeyPair;
use waproto::whatsapp::{
    ADVDeviceIdentity, ADVKeyIndexList, ADVSignedDeviceIdentity, ADVSignedDeviceIdentityHMAC,
    ADVSignedKeyIndexList,
};

use crate::certificate::public_bytes;
use crate::error::PairingError;

const ACCOUNT_SIGNATURE: &[u8] = &[6, 0];
const KEY_INDEX_LIST: &[u8] = &[6, 2];

/// The signed identity of a companion, sealed with the secret that only the
/// companion and the phone know, as `pair-success` carries it.
pub(crate) fn seal_device_identity(
    account: &KeyPair,
    companion_identity: &[u8],
    adv_secret: &[u8],
    key_index: u32,
    now_secs: u64,
) -> Result<Vec<u8>, PairingError> {
    let details = ADVDeviceIdentity {
        raw_id: Some(raw_id(account)),
        timestamp: Some(now_secs),
        key_index: Some(key_index),
        ..Default::default()
    }
    .encode_to_vec();
    let signed = [ACCOUNT_SIGNATURE, &details, companion_identity].concat();
    let signature = account
        .private_key
        .calculate_signature(&signed, &mut rand::make_rng::<StdRng>())?;
    let identity = ADVSignedDeviceIdentity {
        details: Some(details),
        account_signature_key: Some(public_bytes(account).to_vec()),
        account_signature: Some(signature.to_vec()),
        ..Default::default()
    }
    .encode_to_vec();
    let hmac = hmac_sha256(adv_secret, &identity).to_vec();
    Ok(ADVSignedDeviceIdentityHMAC {
        details: Some(identity),
        hmac: Some(hmac),
        ..Default::default()
    }
    .encode_to_vec())
}

/// The signed list of valid companions, as device lists carry it.
pub(crate) fn key_index_list(
    account: &KeyPair,
    now_secs: u64,
    valid_indexes: &[u32],
) -> Result<Vec<u8>, PairingError> {
    let details = ADVKeyIndexList {
        raw_id: Some(raw_id(account)),
        timestamp: Some(now_secs),
        current_index: Some(valid_indexes.iter().copied().max().unwrap_or_default()),
        valid_indexes: valid_indexes.to_vec(),
        ..Default::default()
    }
    .encode_to_vec();
    let signed = [KEY_INDEX_LIST, details.as_slice()].concat();
    let signature = account
        .private_key
        .calculate_signature(&signed, &mut rand::make_rng::<StdRng>())?;
    Ok(ADVSignedKeyIndexList {
        details: Some(details),
        account_signature: Some(signature.to_vec()),
        account_signature_key: Some(public_bytes(account).to_vec()),
    }
    .encode_to_vec())
}

/// A number that stands for the account's identity and never changes with it.
fn raw_id(account: &KeyPair) -> u32 {
    let key = public_bytes(account);
    u32::from_be_bytes([key[0], key[1], key[2], key[3]])
}
