//! An account to write and read, for tests.

use std::sync::Arc;

use bytes::Bytes;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::libsignal::protocol::{
    PendingPreKeyComponents, SenderChainKeyComponents, SenderKeyRecord, SenderKeyRecordComponents,
    SenderKeyStateComponents, SenderMessageKeyComponents, SenderSigningKeyComponents,
    SessionChainComponents, SessionChainKeyComponents, SessionComponents,
    SessionMessageKeyComponents, SessionMessageKeyMaterial, SessionRecord, SessionRecordComponents,
};
use wacore::libsignal::store::record_helpers::encode_pre_key_record_to;
use wacore::store::Device;
use wacore::store::traits::{AppStateSyncKey, LidPnMappingEntry, MsgSecretEntry, TcTokenEntry};
use waproto::whatsapp as wa;

use super::ImportedAccount;
use super::account::{Collection, PreKey};

pub(super) const GROUP: &str = "120363000000000001@g.us";
pub(super) const NOW: i64 = 1_790_000_000;

/// An account with one of everything.
pub(super) fn account() -> ImportedAccount {
    let mut device = Device::new();
    device.pn = Some("15550001000:3@s.whatsapp.net".parse().unwrap());
    device.lid = Some("100000001000:3@lid".parse().unwrap());
    device.push_name = "Support".to_owned();
    device.account = Some(Arc::new(wa::ADVSignedDeviceIdentity {
        details: Some(vec![1; 20]),
        account_signature_key: Some(vec![2; 32]),
        account_signature: Some(vec![3; 64]),
        device_signature: Some(vec![4; 64]),
    }));
    device.next_pre_key_id = 3;
    device.first_unupload_pre_key_id = 2;
    device.server_has_prekeys = true;
    let mut account = ImportedAccount::of(device);
    for id in 1..3 {
        let mut record = Vec::new();
        encode_pre_key_record_to(id, &Device::new().identity_key, &mut record);
        account.pre_keys.push(PreKey {
            id,
            record: record.into(),
            uploaded: id < 2,
        });
    }
    for address in ["100000002000@lid.0", "15550003000:7@c.us.0"] {
        let (record, identity) = session(&account.device);
        account.sessions.push((Arc::from(address), record));
        account.identities.push((Arc::from(address), identity));
    }
    for (address, own) in [
        ("100000001000:3@lid.0", true),
        ("100000002000@lid.0", false),
    ] {
        let name = format!("{GROUP}:{address}");
        account.sender_keys.push((Arc::from(name), sender_key(own)));
    }
    let has = vec![("100000002000@lid".to_owned(), true)];
    account.sender_key_devices.push((GROUP.to_owned(), has));
    account.sync_keys.push((
        vec![0, 1, 0xff, 0xfe, 2, 3],
        AppStateSyncKey {
            key_data: vec![7; 32],
            fingerprint: waproto::codec::app_state_sync_key_fingerprint_to_vec(
                &wa::message::AppStateSyncKeyFingerprint {
                    raw_id: Some(5),
                    current_index: Some(1),
                    device_indexes: vec![0, 1],
                },
            ),
            timestamp: NOW,
        },
    ));
    account.collections.push(Collection {
        name: "regular_high".to_owned(),
        state: HashState {
            version: 9,
            hash: [8; 128],
            ..HashState::default()
        },
        macs: vec![AppStateMutationMAC {
            index_mac: vec![5; 32],
            value_mac: vec![6; 32],
        }],
    });
    account.lids.push(LidPnMappingEntry {
        lid: "100000002000".to_owned(),
        phone_number: "15550002000".to_owned(),
        created_at: NOW,
        updated_at: NOW,
        learning_source: "other".to_owned(),
    });
    let token = TcTokenEntry {
        token: vec![9; 11],
        token_timestamp: NOW,
        sender_timestamp: Some(NOW - 5),
    };
    account.tc_tokens.push(("100000002000".to_owned(), token));
    let chat = GROUP.parse().unwrap();
    let sender = "100000002000@lid".parse().unwrap();
    let secret = MsgSecretEntry::new(&chat, &sender, "3EB0AA", [4; 32], NOW + 60, NOW);
    account.secrets.push(secret);
    account
}

fn key33(pair: &wacore::libsignal::protocol::KeyPair) -> Vec<u8> {
    pair.public_key.serialize().to_vec()
}

fn session(own: &Device) -> (Bytes, [u8; 32]) {
    let other = Device::new();
    let ratchet = Device::new().identity_key;
    let (theirs, base) = (Device::new().identity_key, Device::new().identity_key);
    let chain = |index: u32| {
        Some(SessionChainKeyComponents {
            index: Some(index),
            key: Some(vec![1; 32]),
        })
    };
    let state = SessionComponents {
        session_version: Some(3),
        local_identity_public: Some(key33(&own.identity_key)),
        remote_identity_public: Some(key33(&other.identity_key)),
        root_key: Some(vec![2; 32]),
        previous_counter: Some(4),
        sender_chain: Some(SessionChainComponents {
            sender_ratchet_key: Some(key33(&ratchet)),
            sender_ratchet_key_private: Some(ratchet.private_key.serialize().to_vec()),
            chain_key: chain(5),
            message_keys: Vec::new(),
        }),
        receiver_chains: vec![SessionChainComponents {
            sender_ratchet_key: Some(key33(&theirs)),
            sender_ratchet_key_private: None,
            chain_key: chain(9),
            message_keys: vec![SessionMessageKeyComponents {
                index: 3,
                material: SessionMessageKeyMaterial::Seed([6; 32]),
            }],
        }],
        pending_key_exchange: None,
        pending_pre_key: Some(PendingPreKeyComponents {
            pre_key_id: Some(11),
            signed_pre_key_id: Some(1),
            base_key: Some(key33(&base)),
            kyber_pre_key_id: None,
            kyber_ciphertext: None,
        }),
        remote_registration_id: Some(77),
        local_registration_id: Some(own.registration_id),
        needs_refresh: None,
        alice_base_key: Some(key33(&base)),
    };
    let record = SessionRecord::from_components(SessionRecordComponents {
        current_session: Some(state),
        previous_sessions: Vec::new(),
    });
    let identity = other.identity_key.public_key.public_key_bytes();
    let identity = identity.try_into().unwrap();
    (record.unwrap().serialize().unwrap().into(), identity)
}

fn sender_key(own: bool) -> Bytes {
    let state = |key_id: u32| {
        let pair = Device::new().identity_key;
        let private = pair.private_key.serialize().to_vec();
        SenderKeyStateComponents {
            key_id,
            chain_key: SenderChainKeyComponents {
                iteration: 12,
                seed: vec![3; 32],
            },
            signing_key: SenderSigningKeyComponents {
                public: key33(&pair),
                private: own.then_some(private),
            },
            message_keys: vec![SenderMessageKeyComponents {
                iteration: 4,
                seed: vec![5; 32],
            }],
        }
    };
    let states = vec![state(2), state(1)];
    let record = SenderKeyRecord::from_components(SenderKeyRecordComponents { states });
    record.unwrap().serialize().unwrap().into()
}

/// What must be the same on both sides of a way out and back in.
pub(super) fn comparable(account: &ImportedAccount) -> Vec<String> {
    let mut lines = vec![
        format!("{:?} {:?}", account.device.pn, account.device.lid),
        account.fingerprint(),
        format!(
            "{} {:?}",
            account.device.registration_id, account.device.adv_secret_key
        ),
        format!("{:?}", account.device.account),
        format!("{:?}", account.device.signed_pre_key_signature),
    ];
    for key in &account.pre_keys {
        lines.push(format!("{} {:?} {}", key.id, key.record, key.uploaded));
    }
    for (address, record) in &account.sessions {
        let record = SessionRecord::deserialize(record).unwrap();
        let record = record.into_components().unwrap().current_session.unwrap();
        let chains = record.receiver_chains.iter().chain(&record.sender_chain);
        let chains: Vec<_> = chains
            .map(|chain| {
                let key = chain.chain_key.as_ref().unwrap();
                (
                    &chain.sender_ratchet_key,
                    key.index,
                    &key.key,
                    chain.message_keys.len(),
                )
            })
            .collect();
        lines.push(format!(
            "{address} {:?} {:?} {chains:?} {:?}",
            record.root_key,
            record.remote_registration_id,
            record.pending_pre_key.map(|pending| pending.base_key)
        ));
    }
    for (address, record) in &account.sender_keys {
        let record = SenderKeyRecord::deserialize(record).unwrap();
        let states = record.into_components().unwrap().states;
        let states: Vec<_> = states
            .iter()
            .map(|state| {
                (
                    state.key_id,
                    state.chain_key.iteration,
                    &state.signing_key.private,
                )
                    .0
            })
            .collect();
        lines.push(format!("{address} {states:?}"));
    }
    for (id, key) in &account.sync_keys {
        lines.push(format!("{id:?} {key:?}"));
    }
    for of in &account.collections {
        let macs: Vec<_> = of
            .macs
            .iter()
            .map(|mac| (&mac.index_mac, &mac.value_mac))
            .collect();
        lines.push(format!("{} {} {macs:?}", of.name, of.state.version));
    }
    lines.push(format!("{:?}", account.identities));
    lines.push(format!("{:?}", account.tc_tokens));
    for mapping in &account.lids {
        lines.push(format!("{} {}", mapping.lid, mapping.phone_number));
    }
    lines.sort();
    lines
}
