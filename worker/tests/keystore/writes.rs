//! Every call that writes, once.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::Device;
use wacore::store::error::{Result, StoreError};
use wacore::store::traits::{
    AppStateSyncKey, Backend, DeviceInfo, DeviceListRecord, LidPnMappingEntry, MsgSecretEntry,
    PendingInboundKey, PendingInboundRow, TcTokenEntry,
};

/// The name of a call, and the error it ended with.
pub(crate) type Ended = (&'static str, Option<StoreError>);

fn ended<T: Debug>(name: &'static str, result: Result<T>) -> Ended {
    (name, result.err())
}

const ONE: &str = "1@s.whatsapp.net";
const TWO: &str = "2@s.whatsapp.net";
const GROUP: &str = "9@g.us";

fn records() -> Vec<(Arc<str>, Bytes)> {
    vec![
        (ONE.into(), Bytes::from_static(b"one")),
        (TWO.into(), Bytes::from_static(b"two")),
    ]
}

fn mapping(number: u32) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: format!("lid{number}"),
        phone_number: format!("phone{number}"),
        created_at: 1,
        updated_at: 2,
        learning_source: "usync".to_owned(),
    }
}

fn device_list(user: &str) -> DeviceListRecord {
    DeviceListRecord {
        user: user.to_owned(),
        devices: vec![DeviceInfo::new(0, None), DeviceInfo::new(5, Some(1))],
        timestamp: 3,
        phash: None,
        raw_id: None,
    }
}

fn secret(id: &str) -> MsgSecretEntry {
    MsgSecretEntry {
        chat: Arc::from(GROUP),
        sender: Arc::from(ONE),
        msg_id: Arc::from(id),
        secret: [7; 32],
        expires_at: 5_000_000_000,
        message_ts: 4,
    }
}

/// Everything that adds, so that afterwards every family has something.
pub(crate) async fn fill(on: &dyn Backend) -> Vec<Ended> {
    let macs = [AppStateMutationMAC {
        index_mac: vec![1; 32],
        value_mac: vec![2; 32],
    }];
    let sync_key = AppStateSyncKey {
        key_data: vec![1],
        fingerprint: vec![2],
        timestamp: 3,
    };
    let token = TcTokenEntry {
        token: vec![1],
        token_timestamp: 100,
        sender_timestamp: None,
    };
    let pending = [PendingInboundRow {
        chat: GROUP,
        sender: ONE,
        id: "P2",
        message: b"pending",
    }];
    let mut done = Vec::new();
    done.push(ended("put_identity", on.put_identity(ONE, [1; 32]).await));
    let identities = [(Arc::from(TWO), [2; 32])];
    done.push(ended(
        "put_identities_batch",
        on.put_identities_batch(&identities).await,
    ));
    done.push(ended("put_session", on.put_session(ONE, b"session").await));
    done.push(ended(
        "put_sessions_batch",
        on.put_sessions_batch(&records()).await,
    ));
    done.push(ended(
        "store_prekey",
        on.store_prekey(1, b"prekey", false).await,
    ));
    let prekeys = [(2, Bytes::from_static(b"two")), (3, Bytes::new())];
    done.push(ended(
        "store_prekeys_batch",
        on.store_prekeys_batch(&prekeys, false).await,
    ));
    done.push(ended(
        "mark_prekeys_uploaded",
        on.mark_prekeys_uploaded(&[1, 9]).await,
    ));
    done.push(ended(
        "store_signed_prekey",
        on.store_signed_prekey(1, b"signed").await,
    ));
    done.push(ended(
        "put_sender_key",
        on.put_sender_key(ONE, b"sender").await,
    ));
    done.push(ended(
        "put_sender_keys_batch",
        on.put_sender_keys_batch(&records()).await,
    ));
    done.push(ended(
        "set_sync_key",
        on.set_sync_key(b"key", sync_key).await,
    ));
    done.push(ended(
        "set_version",
        on.set_version("regular", HashState::default()).await,
    ));
    done.push(ended(
        "put_mutation_macs",
        on.put_mutation_macs("regular", 1, &macs).await,
    ));
    let devices = [(ONE, true), (TWO, false)];
    done.push(ended(
        "set_sender_key_status",
        on.set_sender_key_status(GROUP, &devices).await,
    ));
    done.push(ended(
        "put_lid_mapping",
        on.put_lid_mapping(&mapping(1)).await,
    ));
    done.push(ended(
        "put_lid_mappings",
        on.put_lid_mappings(&[mapping(2)]).await,
    ));
    done.push(ended(
        "save_base_key",
        on.save_base_key(ONE, "M", b"base").await,
    ));
    done.push(ended(
        "update_device_list",
        on.update_device_list(device_list("1")).await,
    ));
    let lists = vec![device_list("2")];
    done.push(ended(
        "update_device_lists",
        on.update_device_lists(lists).await,
    ));
    done.push(ended(
        "put_group_metadata",
        on.put_group_metadata(GROUP, b"group").await,
    ));
    done.push(ended("put_tc_token", on.put_tc_token("1", &token).await));
    let touched = on.touch_tc_token_sender_timestamp("2", 200).await;
    done.push(ended("touch_tc_token_sender_timestamp", touched));
    let received = on.store_received_tc_token("3", b"token", 300).await;
    done.push(ended("store_received_tc_token", received));
    done.push(ended(
        "store_sent_message",
        on.store_sent_message(ONE, "M", b"sent").await,
    ));
    let stored = on.store_pending_inbound(ONE, ONE, "P", b"pending").await;
    done.push(ended("store_pending_inbound", stored));
    let stored = on.store_pending_inbound_batch(&pending).await;
    done.push(ended("store_pending_inbound_batch", stored));
    done.push(ended(
        "put_msg_secret",
        on.put_msg_secret(ONE, ONE, "M", &[3; 32]).await,
    ));
    let stored = on.put_msg_secrets(vec![secret("M1"), secret("M2")]).await;
    done.push(ended("put_msg_secrets", stored));
    done.push(ended("create", on.create().await));
    done.push(ended("save", on.save(&Device::new()).await));
    done
}

/// Everything that takes something away from what [`fill`] left.
pub(crate) async fn drain(on: &dyn Backend) -> Vec<Ended> {
    let pending = [PendingInboundKey {
        chat: GROUP,
        sender: ONE,
        id: "P2",
    }];
    let far = 9_000_000_000;
    let mut done = Vec::new();
    done.push(ended("delete_identity", on.delete_identity(ONE).await));
    done.push(ended("delete_session", on.delete_session(ONE).await));
    done.push(ended("remove_prekey", on.remove_prekey(1).await));
    done.push(ended(
        "remove_signed_prekey",
        on.remove_signed_prekey(1).await,
    ));
    done.push(ended("delete_sender_key", on.delete_sender_key(ONE).await));
    let deleted = on.delete_mutation_macs("regular", &[vec![1; 32]]).await;
    done.push(ended("delete_mutation_macs", deleted));
    done.push(ended(
        "clear_mutation_macs",
        on.clear_mutation_macs("regular").await,
    ));
    let deleted = on.delete_sender_key_device_rows(&[ONE]).await;
    done.push(ended("delete_sender_key_device_rows", deleted));
    done.push(ended(
        "clear_sender_key_devices",
        on.clear_sender_key_devices(GROUP).await,
    ));
    done.push(ended(
        "clear_all_sender_key_devices",
        on.clear_all_sender_key_devices().await,
    ));
    done.push(ended("delete_base_key", on.delete_base_key(ONE, "M").await));
    done.push(ended("delete_devices", on.delete_devices("1").await));
    done.push(ended(
        "delete_group_metadata",
        on.delete_group_metadata(GROUP).await,
    ));
    done.push(ended("delete_tc_token", on.delete_tc_token("1").await));
    done.push(ended(
        "delete_expired_tc_tokens",
        on.delete_expired_tc_tokens(far, far).await,
    ));
    let deleted = on.delete_expired_sent_messages(far).await;
    done.push(ended("delete_expired_sent_messages", deleted));
    done.push(ended(
        "delete_pending_inbound",
        on.delete_pending_inbound(ONE, ONE, "P").await,
    ));
    let deleted = on.delete_pending_inbound_batch(&pending).await;
    done.push(ended("delete_pending_inbound_batch", deleted));
    let deleted = on.delete_expired_pending_inbound(far).await;
    done.push(ended("delete_expired_pending_inbound", deleted));
    done.push(ended(
        "delete_expired_msg_secrets",
        on.delete_expired_msg_secrets(far).await,
    ));
    done
}
