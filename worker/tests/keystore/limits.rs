//! Batches larger than one step, and how much is kept.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::traits::{
    AppSyncStore, DeviceListRecord, LidPnMappingEntry, MsgSecretEntry, MsgSecretStore,
    PendingInboundKey, PendingInboundRow, ProtocolStore, SignalStore, TcTokenEntry,
};

use crate::server::{Server, advance, command, session, stop_the_clock};

const MANY: u32 = 2_300;

#[tokio::test]
async fn a_batch_may_have_any_number_of_rows() {
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    let names: Vec<String> = (0..MANY)
        .map(|row| format!("{row}@s.whatsapp.net"))
        .collect();
    let records: Vec<(Arc<str>, Bytes)> = names
        .iter()
        .map(|name| (Arc::from(name.as_str()), Bytes::from(name.clone())))
        .collect();
    let last = names.last().expect("some").as_str();

    on.put_sessions_batch(&records).await.expect("written");
    assert_eq!(
        on.get_session(last).await.expect("read").as_deref(),
        Some(last.as_bytes())
    );
    assert!(on.has_signal_state_for_user("2299").await.expect("read"));
    on.put_sender_keys_batch(&records).await.expect("written");
    assert_eq!(
        on.get_sender_key(last).await.expect("read").as_deref(),
        Some(last.as_bytes())
    );
    let identities: Vec<_> = records
        .iter()
        .map(|(name, _)| (name.clone(), [9; 32]))
        .collect();
    on.put_identities_batch(&identities).await.expect("written");
    assert_eq!(on.load_identity(last).await.expect("read"), Some([9; 32]));

    let prekeys: Vec<_> = (1..=MANY)
        .map(|id| (id, Bytes::from(id.to_string())))
        .collect();
    on.store_prekeys_batch(&prekeys, false)
        .await
        .expect("written");
    let ids: Vec<u32> = (0..=MANY + 5).collect();
    assert_eq!(on.load_prekeys_batch(&ids).await.expect("read"), prekeys);
    on.mark_prekeys_uploaded(&ids).await.expect("written");
    assert_eq!(on.load_prekeys_batch(&ids).await.expect("read"), prekeys);
    assert_eq!(on.get_max_prekey_id().await.expect("read"), MANY);

    let index = |row: u32| {
        let mut mac = [0; 32];
        mac[..4].copy_from_slice(&row.to_be_bytes());
        mac
    };
    let macs: Vec<_> = (0..MANY)
        .map(|row| AppStateMutationMAC {
            index_mac: index(row).to_vec(),
            value_mac: row.to_be_bytes().to_vec(),
        })
        .collect();
    on.put_mutation_macs("regular", 1, &macs)
        .await
        .expect("written");
    let indices: Vec<_> = (0..MANY + 3).map(index).collect();
    let read = on
        .get_mutation_macs("regular", &indices)
        .await
        .expect("read");
    assert_eq!(read.len(), MANY as usize);
    assert_eq!(read[&index(MANY - 1)], (MANY - 1).to_be_bytes());
    let gone: Vec<_> = indices.iter().skip(1).map(|mac| mac.to_vec()).collect();
    on.delete_mutation_macs("regular", &gone)
        .await
        .expect("written");
    assert_eq!(
        on.get_mutation_macs("regular", &indices)
            .await
            .expect("read")
            .len(),
        1
    );

    let devices: Vec<_> = names.iter().map(|name| (name.as_str(), true)).collect();
    on.set_sender_key_status("g", &devices)
        .await
        .expect("written");
    assert_eq!(
        on.get_sender_key_devices("g").await.expect("read").len(),
        MANY as usize
    );
    let gone: Vec<_> = names.iter().skip(1).map(String::as_str).collect();
    on.delete_sender_key_device_rows(&gone)
        .await
        .expect("written");
    assert_eq!(
        on.get_sender_key_devices("g").await.expect("read"),
        [(names[0].clone(), true)]
    );

    let mappings: Vec<_> = names
        .iter()
        .map(|name| LidPnMappingEntry {
            lid: name.clone(),
            phone_number: name.clone(),
            created_at: 0,
            updated_at: 0,
            learning_source: String::new(),
        })
        .collect();
    on.put_lid_mappings(&mappings).await.expect("written");
    assert_eq!(
        on.get_all_lid_mappings().await.expect("read").len(),
        MANY as usize
    );
    let lists = names.iter().map(|name| DeviceListRecord {
        user: name.clone(),
        devices: Vec::new(),
        timestamp: 0,
        phash: None,
        raw_id: None,
    });
    on.update_device_lists(lists.collect())
        .await
        .expect("written");
    assert!(on.get_devices(last).await.expect("read").is_some());

    let rows: Vec<_> = names
        .iter()
        .map(|id| PendingInboundRow {
            chat: "c",
            sender: "s",
            id,
            message: b"m",
        })
        .collect();
    on.store_pending_inbound_batch(&rows)
        .await
        .expect("written");
    assert!(
        on.get_pending_inbound("c", "s", last)
            .await
            .expect("read")
            .is_some()
    );
    let keys = names.iter().map(|id| PendingInboundKey {
        chat: "c",
        sender: "s",
        id,
    });
    let keys: Vec<_> = keys.collect();
    on.delete_pending_inbound_batch(&keys)
        .await
        .expect("written");
    assert!(
        on.get_pending_inbound("c", "s", last)
            .await
            .expect("read")
            .is_none()
    );
}

#[tokio::test]
async fn what_expires_may_be_any_number_of_rows() {
    stop_the_clock();
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    let secret = |row: u32| MsgSecretEntry {
        chat: Arc::from("c"),
        sender: Arc::from("s"),
        msg_id: Arc::from(row.to_string()),
        secret: [1; 32],
        expires_at: i64::from(row % 2) * i64::from(1 + row),
        message_ts: 0,
    };
    on.put_msg_secrets((0..2 * MANY).map(secret).collect())
        .await
        .expect("written");
    let dropped = on
        .delete_expired_msg_secrets(i64::from(2 * MANY))
        .await
        .expect("written");
    assert_eq!(dropped, MANY);
    assert!(
        on.get_msg_secret("c", "s", "0")
            .await
            .expect("read")
            .is_some()
    );

    let ids: Vec<String> = (0..MANY).map(|row| row.to_string()).collect();
    let pending = |id| PendingInboundRow {
        chat: "c",
        sender: "s",
        id,
        message: b"m",
    };
    let rows: Vec<_> = ids.iter().map(|id| pending(id.as_str())).collect();
    on.store_pending_inbound_batch(&rows)
        .await
        .expect("written");
    advance(10);
    on.store_pending_inbound_batch(&rows[..5])
        .await
        .expect("written");
    let cutoff = wacore::time::now_secs() - 5;
    let dropped = on
        .delete_expired_pending_inbound(cutoff)
        .await
        .expect("written");
    assert_eq!(dropped, MANY - 5);

    // Rows that stay lie between those that go, in whichever index is walked.
    let tokens = (0..3 * MANY).map(|row| {
        let entry = TcTokenEntry {
            token: vec![1],
            token_timestamp: 1,
            sender_timestamp: (row % 3 == 0).then_some(50),
        };
        let on = on.clone();
        async move { on.put_tc_token(&row.to_string(), &entry).await }
    });
    try_join_all(tokens).await.expect("written");
    assert_eq!(
        on.delete_expired_tc_tokens(0, 100).await.expect("written"),
        0
    );
    assert_eq!(
        on.delete_expired_tc_tokens(10, 40).await.expect("written"),
        2 * MANY
    );
    assert_eq!(
        on.get_all_tc_token_jids().await.expect("read").len(),
        MANY as usize
    );
    assert_eq!(
        on.delete_expired_tc_tokens(10, 51).await.expect("written"),
        MANY
    );
}

#[tokio::test]
async fn the_oldest_sent_messages_make_room() {
    stop_the_clock();
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    on.store_sent_message("c", "oldest", b"m")
        .await
        .expect("written");
    advance(1);
    let ids: Vec<String> = (0..32_768).map(|row| row.to_string()).collect();
    for ids in ids.chunks(512) {
        let sent = ids.iter().map(|id| on.store_sent_message("c", id, b"m"));
        try_join_all(sent).await.expect("written");
    }
    assert!(
        on.take_sent_message("c", "oldest")
            .await
            .expect("taken")
            .is_none()
    );
    let store = server.store().await;
    let root = store.keys.keystore(on.session());
    let kept: u32 = command(&store, &["HLEN", &format!("{root}:sent")]).await;
    assert_eq!(kept, 32_768);
    assert!(
        on.take_sent_message("c", "0")
            .await
            .expect("taken")
            .is_some()
    );
}

/// Two devices that could not decrypt ask for the same message in the same moment.
#[tokio::test]
async fn a_copy_answers_every_device_that_asks() {
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    on.store_sent_message("c", "M", b"m")
        .await
        .expect("written");
    for _ in 0..2 {
        let copy = on.take_sent_message("c", "M").await.expect("read");
        assert_eq!(copy.as_deref(), Some(b"m".as_slice()));
    }
}

#[tokio::test]
async fn base_keys_last_a_week() {
    stop_the_clock();
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    on.save_base_key("a", "M1", b"key").await.expect("written");
    advance(7 * 24 * 3600);
    on.save_base_key("a", "M2", b"key").await.expect("written");
    assert!(on.has_same_base_key("a", "M1", b"key").await.expect("read"));
    advance(1);
    on.save_base_key("a", "M3", b"key").await.expect("written");
    assert!(!on.has_same_base_key("a", "M1", b"key").await.expect("read"));
    assert!(on.has_same_base_key("a", "M2", b"key").await.expect("read"));
}
