//! One call on a backend, drawn at random over few keys so that calls meet.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::error::Result;
use wacore::store::traits::{
    AppStateSyncKey, Backend, DeviceInfo, DeviceListRecord, LidPnMappingEntry, MsgSecretEntry,
    PendingInboundKey, PendingInboundRow, TcTokenEntry,
};

use crate::server::advance;

/// What a step draws from; each call takes what it needs of it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) call: usize,
    key: usize,
    other: usize,
    third: usize,
    bytes: Vec<u8>,
    time: i64,
    deadline: i64,
    flag: bool,
    rows: Vec<(usize, Vec<u8>, bool)>,
}

pub(crate) fn steps(calls: usize) -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..5);
    let time = || {
        prop_oneof![
            8 => 0_i64..6,
            2 => 1_699_999_990_i64..1_700_000_100,
            1 => Just(-3_i64),
            1 => Just((1_i64 << 53) - 1),
        ]
    };
    let step = (
        (0..calls, 0_usize..5, 0_usize..3, 0_usize..3),
        bytes(),
        (time(), time(), any::<bool>()),
        prop::collection::vec((0_usize..5, bytes(), any::<bool>()), 0..4),
    );
    let step = step.prop_map(
        |((call, key, other, third), bytes, (time, deadline, flag), rows)| Step {
            call,
            key,
            other,
            third,
            bytes,
            time,
            deadline,
            flag,
            rows,
        },
    );
    prop::collection::vec(step, 1..40)
}

pub(crate) const ADDRESSES: [&str; 5] = [
    "1@s.whatsapp.net",
    "1:2@s.whatsapp.net",
    "12@s.whatsapp.net",
    "12:1@lid",
    "2@lid",
];
pub(crate) const USERS: [&str; 5] = ["1", "12", "2", "", "1@s"];
pub(crate) const IDS: [u32; 5] = [0, 1, 9, 10, u32::MAX];
pub(crate) const NAMES: [&str; 3] = ["regular", "critical_block", "regular*"];

/// Results in a form that does not depend on the order a map happens to have.
pub(crate) fn sorted<T: Debug>(result: Result<Vec<T>>) -> String {
    let mut rows: Vec<_> = result
        .expect("the call works")
        .iter()
        .map(|row| format!("{row:?}"))
        .collect();
    rows.sort();
    rows.join(", ")
}

pub(crate) fn said<T: Debug>(result: Result<T>) -> String {
    format!("{:?}", result.expect("the call works"))
}

/// The state of an app state collection, its map in order.
pub(crate) fn state(result: Result<HashState>) -> String {
    let state = result.expect("the call works");
    let mut map: Vec<_> = state.index_value_map.into_iter().collect();
    map.sort();
    let hash = state.hash;
    format!(
        "{} {hash:?} {map:?} {}",
        state.version, state.mac_mismatch_fatal
    )
}

impl Step {
    fn address(&self) -> &'static str {
        ADDRESSES[self.key]
    }

    fn name(&self) -> &'static str {
        NAMES[self.other]
    }

    fn message(&self) -> &'static str {
        ["A", "", "C"][self.third]
    }

    fn byte(&self) -> u8 {
        self.bytes.first().copied().unwrap_or(0)
    }

    fn records(&self) -> Vec<(Arc<str>, Bytes)> {
        let row = |(key, bytes, _): &(usize, Vec<u8>, bool)| {
            (Arc::from(ADDRESSES[*key]), Bytes::from(bytes.clone()))
        };
        self.rows.iter().map(row).collect()
    }

    pub(crate) const SIGNAL: usize = 22;

    pub(crate) async fn signal(&self, on: &dyn Backend) -> String {
        let (address, id, bytes) = (self.address(), IDS[self.key], &self.bytes);
        let ids: Vec<u32> = self.rows.iter().map(|(key, _, _)| IDS[*key]).collect();
        match self.call {
            0 => said(on.put_identity(address, [self.byte(); 32]).await),
            1 => {
                let rows: Vec<_> = self.records();
                let rows: Vec<_> = rows
                    .into_iter()
                    .map(|(a, _)| (a, [self.byte(); 32]))
                    .collect();
                said(on.put_identities_batch(&rows).await)
            }
            2 => said(on.load_identity(address).await),
            3 => said(on.delete_identity(address).await),
            4 => said(on.put_session(address, bytes).await),
            5 => said(on.put_sessions_batch(&self.records()).await),
            6 => said(on.get_session(address).await),
            7 => said(on.has_session(address).await),
            8 => said(on.delete_session(address).await),
            9 => said(on.has_signal_state_for_user(USERS[self.key]).await),
            10 => said(on.store_prekey(id, bytes, self.flag).await),
            11 => {
                let rows = self.rows.iter();
                let rows: Vec<_> = rows
                    .map(|(key, bytes, _)| (IDS[*key], Bytes::from(bytes.clone())))
                    .collect();
                said(on.store_prekeys_batch(&rows, self.flag).await)
            }
            12 => said(on.load_prekey(id).await),
            13 => said(on.load_prekeys_batch(&ids).await),
            14 => said(on.mark_prekeys_uploaded(&ids).await),
            15 => said(on.remove_prekey(id).await),
            16 => said(on.get_max_prekey_id().await),
            17 => said(on.store_signed_prekey(id, bytes).await),
            18 => said(on.remove_signed_prekey(id).await),
            19 => said(on.put_sender_key(address, bytes).await),
            20 => said(on.put_sender_keys_batch(&self.records()).await),
            _ => said(on.delete_sender_key(address).await),
        }
    }

    pub(crate) const APP_SYNC: usize = 6;

    pub(crate) async fn app_sync(&self, on: &dyn Backend) -> String {
        let macs = self.rows.iter().map(|(key, _, _)| vec![*key as u8; 32]);
        let macs: Vec<_> = macs.collect();
        match self.call {
            0 => {
                let key = AppStateSyncKey {
                    key_data: self.bytes.clone(),
                    fingerprint: vec![self.byte(); 3],
                    timestamp: self.time,
                };
                said(on.set_sync_key(&[self.key as u8], key).await)
            }
            1 => {
                let rows = self.rows.iter();
                let state = HashState {
                    version: self.time.unsigned_abs(),
                    hash: [self.byte(); 128],
                    index_value_map: rows
                        .map(|(key, bytes, _)| (ADDRESSES[*key].to_owned(), bytes.clone()))
                        .collect(),
                    mac_mismatch_fatal: self.flag,
                };
                said(on.set_version(self.name(), state).await)
            }
            2 | 3 => {
                let rows = self.rows.iter().zip(&macs);
                let rows: Vec<_> = rows
                    .map(|((_, bytes, _), mac)| AppStateMutationMAC {
                        index_mac: mac.clone(),
                        value_mac: bytes.clone(),
                    })
                    .collect();
                said(on.put_mutation_macs(self.name(), 1, &rows).await)
            }
            4 => said(on.delete_mutation_macs(self.name(), &macs).await),
            _ => said(on.clear_mutation_macs(self.name()).await),
        }
    }

    pub(crate) const PROTOCOL: usize = 12;

    pub(crate) async fn protocol(&self, on: &dyn Backend) -> String {
        let device_list = |(key, bytes, flag): &(usize, Vec<u8>, bool)| DeviceListRecord {
            user: USERS[*key].to_owned(),
            devices: bytes
                .iter()
                .map(|byte| {
                    DeviceInfo::new(u32::from(*byte), flag.then_some(7)).with_hosting(*byte > 99)
                })
                .collect(),
            timestamp: self.time,
            phash: flag.then(|| "2:abc".to_owned()),
            raw_id: self.flag.then_some(u32::MAX),
        };
        let mapping = |(key, bytes, flag): &(usize, Vec<u8>, bool)| LidPnMappingEntry {
            lid: format!("lid{}", *key % 3),
            phone_number: format!("phone{}", bytes.len() % 3),
            created_at: self.time,
            updated_at: self.deadline,
            learning_source: if *flag { "usync" } else { "" }.to_owned(),
        };
        let row = (self.key, self.bytes.clone(), self.flag);
        match self.call {
            0 => {
                let rows = self
                    .rows
                    .iter()
                    .map(|(key, _, has)| (ADDRESSES[*key], *has));
                let rows: Vec<_> = rows.collect();
                said(on.set_sender_key_status(self.name(), &rows).await)
            }
            1 => said(on.clear_sender_key_devices(self.name()).await),
            2 => {
                let rows: Vec<_> = self
                    .rows
                    .iter()
                    .map(|(key, _, _)| ADDRESSES[*key])
                    .collect();
                said(on.delete_sender_key_device_rows(&rows).await)
            }
            3 if self.flag && self.key == 0 => said(on.clear_all_sender_key_devices().await),
            3 | 4 => said(on.put_lid_mapping(&mapping(&row)).await),
            5 => {
                let rows: Vec<_> = self.rows.iter().map(mapping).collect();
                said(on.put_lid_mappings(&rows).await)
            }
            6 => said(on.update_device_list(device_list(&row)).await),
            7 => {
                let rows: Vec<_> = self.rows.iter().map(device_list).collect();
                said(on.update_device_lists(rows).await)
            }
            8 => said(on.delete_devices(USERS[self.key]).await),
            9 => said(on.put_group_metadata(self.name(), &self.bytes).await),
            10 => said(on.delete_group_metadata(self.name()).await),
            _ => said(on.get_pn_mapping("phone1").await),
        }
    }

    pub(crate) const TC_TOKENS: usize = 6;

    pub(crate) async fn tc_tokens(&self, on: &dyn Backend) -> String {
        let jid = USERS[self.key];
        match self.call {
            0 => {
                let entry = TcTokenEntry {
                    token: self.bytes.clone(),
                    token_timestamp: self.time,
                    sender_timestamp: self.flag.then_some(self.deadline),
                };
                said(on.put_tc_token(jid, &entry).await)
            }
            1 => said(on.touch_tc_token_sender_timestamp(jid, self.time).await),
            2 | 3 => said(
                on.store_received_tc_token(jid, &self.bytes, self.time)
                    .await,
            ),
            4 => said(on.delete_tc_token(jid).await),
            _ => said(on.delete_expired_tc_tokens(self.time, self.deadline).await),
        }
    }

    pub(crate) const SECRETS: usize = 4;

    pub(crate) async fn secrets(&self, on: &dyn Backend) -> String {
        let (chat, sender, id) = (self.name(), self.address(), self.message());
        match self.call {
            0 => said(
                on.put_msg_secret(chat, sender, id, &[self.byte(); 32])
                    .await,
            ),
            1 | 2 => {
                let entry = |(key, bytes, flag): &(usize, Vec<u8>, bool)| MsgSecretEntry {
                    chat: Arc::from(chat),
                    sender: Arc::from(ADDRESSES[*key]),
                    msg_id: Arc::from(id),
                    secret: [bytes.first().copied().unwrap_or(0); 32],
                    expires_at: if *flag {
                        self.deadline
                    } else {
                        self.deadline / 2
                    },
                    message_ts: if *flag { self.time } else { 0 },
                };
                let entries = self.rows.iter().map(entry).collect();
                said(on.put_msg_secrets(entries).await)
            }
            _ => said(on.delete_expired_msg_secrets(self.deadline).await),
        }
    }

    pub(crate) const TIMED: usize = 12;

    pub(crate) async fn timed(&self, on: &dyn Backend) -> String {
        let (chat, sender, id) = (self.name(), self.address(), self.message());
        let cutoff = wacore::time::now_secs() - self.time.clamp(0, 60);
        match self.call {
            0 | 1 => said(on.store_sent_message(chat, id, &self.bytes).await),
            // The library puts back what it took; ours never takes it.
            2 => {
                let taken = on.take_sent_message(chat, id).await;
                if let Ok(Some(copy)) = &taken {
                    on.store_sent_message(chat, id, copy).await.expect("kept");
                }
                said(taken)
            }
            3 => said(on.delete_expired_sent_messages(cutoff).await),
            4 => said(
                on.store_pending_inbound(chat, sender, id, &self.bytes)
                    .await,
            ),
            5 => {
                let rows = self.rows.iter();
                let rows: Vec<_> = rows
                    .map(|(key, message, _)| PendingInboundRow {
                        chat,
                        sender: ADDRESSES[*key],
                        id,
                        message,
                    })
                    .collect();
                said(on.store_pending_inbound_batch(&rows).await)
            }
            6 => said(on.delete_pending_inbound(chat, sender, id).await),
            7 => {
                let key = |(key, _, _): &(usize, Vec<u8>, bool)| PendingInboundKey {
                    chat,
                    sender: ADDRESSES[*key],
                    id,
                };
                let keys: Vec<_> = self.rows.iter().map(key).collect();
                said(on.delete_pending_inbound_batch(&keys).await)
            }
            8 => said(on.delete_expired_pending_inbound(cutoff).await),
            9 => said(on.save_base_key(sender, id, &self.bytes).await),
            10 => said(on.delete_base_key(sender, id).await),
            _ => said(on.has_same_base_key(sender, id, &self.bytes).await),
        }
    }

    /// Lets time pass for the calls that look at the clock.
    pub(crate) fn pass_time(&self) {
        advance(self.time.clamp(0, 5));
    }
}
