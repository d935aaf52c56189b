//! What a phone does for the app state of its account: it makes the key with
//! which the devices encrypt it, and writes the first entry.

use std::sync::Arc;

use buffa::{Message as _, MessageField};
use rand::RngExt as _;
use wacore::appstate::encode::encode_record;
use wacore::appstate::hash::{HashState, generate_patch_mac};
use wacore::appstate::keys::expand_app_state_keys;
use wacore_binary::node::NodeValue;
use waproto::whatsapp::message::protocol_message::Type;
use waproto::whatsapp::message::{
    AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint, AppStateSyncKeyId,
    AppStateSyncKeyShare, ProtocolMessage,
};
use waproto::whatsapp::sync_action_value::PushNameSetting;
use waproto::whatsapp::syncd_mutation::SyncdOperation;
use waproto::whatsapp::{KeyId, Message, SyncActionValue, SyncdPatch, SyncdVersion};

use super::send;
use crate::accounts::{Account, DeviceAddress};
use crate::clock;
use crate::world::World;

/// The two bytes of the device that made the key, and the number of the key.
const KEY_ID: [u8; 6] = [0, 0, 0, 0, 0, 1];
/// Where the name of the person is kept.
const CRITICAL: &str = "critical_block";

/// The phone writes down the name of its person, unless it has before. From
/// there companions learn it; they wait for it each time they start without.
pub(crate) fn write_push_name(account: &Account) {
    if account.app_state.version(CRITICAL) > 0 {
        return;
    }
    let keys = expand_app_state_keys(&account.phone.app_state_key);
    let value = SyncActionValue {
        timestamp: i64::try_from(clock::now_millis()).ok(),
        push_name_setting: MessageField::some(PushNameSetting {
            name: Some(account.name().to_string()),
        }),
        ..Default::default()
    };
    let index = br#"["setting_pushName"]"#;
    let iv: [u8; 16] = rand::rng().random();
    let (mutation, _) = encode_record(SyncdOperation::SET, index, &value, &keys, &KEY_ID, &iv, 1);
    let mutations = vec![mutation];
    let mut state = HashState {
        version: 1,
        ..Default::default()
    };
    let (_, hashed) = state.update_hash(&mutations, |_, _| Ok(None));
    if let Err(error) = hashed {
        tracing::error!(%error, "the first patch could not be hashed");
        return;
    }
    let mut patch = SyncdPatch {
        version: MessageField::some(SyncdVersion { version: Some(1) }),
        mutations,
        snapshot_mac: Some(state.generate_snapshot_mac(CRITICAL, &keys.snapshot_mac)),
        key_id: MessageField::some(KeyId {
            id: Some(KEY_ID.to_vec()),
        }),
        device_index: Some(0),
        ..Default::default()
    };
    patch.patch_mac = Some(generate_patch_mac(&patch, CRITICAL, &keys.patch_mac, 1));
    if let Err(rejection) = account
        .app_state
        .append(CRITICAL, 0, &patch.encode_to_vec())
    {
        tracing::debug!(?rejection, "the name was written by somebody else");
    }
}

/// The phone gives its app-state key to one of its companions. A companion that
/// was just linked waits for it before it calls itself connected.
pub(crate) fn share_app_state_key(world: &Arc<World>, companion: &DeviceAddress) {
    let key = &companion.account.phone.app_state_key;
    let data = AppStateSyncKeyData {
        key_data: Some(key.to_vec()),
        fingerprint: MessageField::some(AppStateSyncKeyFingerprint {
            raw_id: Some(1),
            current_index: Some(0),
            device_indexes: vec![0],
        }),
        timestamp: i64::try_from(clock::now_millis()).ok(),
    };
    let id = AppStateSyncKeyId {
        key_id: Some(KEY_ID.to_vec()),
    };
    let share = AppStateSyncKeyShare {
        keys: vec![AppStateSyncKey {
            key_id: MessageField::some(id),
            key_data: MessageField::some(data),
        }],
    };
    let message = Message {
        protocol_message: MessageField::some(ProtocolMessage {
            r#type: Some(Type::APP_STATE_SYNC_KEY_SHARE),
            app_state_sync_key_share: MessageField::some(share),
            ..Default::default()
        }),
        ..Default::default()
    };
    let attributes = vec![
        ("type".into(), NodeValue::from("text")),
        ("category".into(), NodeValue::from("peer")),
    ];
    if let Err(error) = send::to_companion(world, companion, &message, attributes) {
        tracing::error!(%error, "the app-state key could not be shared");
    }
}
