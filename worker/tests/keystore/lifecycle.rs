//! From the first claim to the end of the session.

use std::sync::Arc;

use gateway_worker::keystore::{KeystoreError, RedisKeystore};
use tokio_util::sync::CancellationToken;
use wacore::store::device::DEVICE_PROPS;
use wacore::store::traits::{Backend, DeviceStore, SignalStore};
use wacore::store::{
    CachedNoiseCert, CachedServerCertChain, Device, InMemoryBackend, PersistenceManager,
};
use waproto::whatsapp::ADVSignedDeviceIdentity;

use crate::observe::observe;
use crate::server::{Server, command, contents, keyring, session};
use crate::writes::{drain, fill};

/// A device none of whose stored fields has the value of a new one.
fn paired_device() -> Device {
    let cert = |byte| CachedNoiseCert {
        key: [byte; 32],
        not_before: -1,
        not_after: i64::MAX,
    };
    let mut device = Device::new();
    device.pn = Some("15550000001:7@s.whatsapp.net".parse().expect("a JID"));
    device.lid = Some("100000000000001:7@lid".parse().expect("a JID"));
    device.account = Some(Arc::new(ADVSignedDeviceIdentity {
        details: Some(vec![1, 2, 3]),
        account_signature_key: Some(vec![4; 32]),
        account_signature: Some(vec![5; 64]),
        device_signature: Some(vec![6; 64]),
    }));
    device.push_name = "Ж \u{1F600} \"\0".to_owned();
    device.app_version_primary = 9;
    device.app_version_secondary = u32::MAX;
    device.app_version_tertiary = 8;
    device.app_version_last_fetched_ms = i64::MIN;
    device.edge_routing_info = Some(vec![0, 255]);
    device.props_hash = Some(String::new());
    device.next_pre_key_id = 813;
    device.first_unupload_pre_key_id = 812;
    device.server_has_prekeys = true;
    device.nct_salt = Some(Vec::new());
    device.server_cert_chain = Some(CachedServerCertChain {
        intermediate: cert(1),
        leaf: cert(2),
    });
    device.login_counter = -4;
    device.lid_migrated = true;
    device.last_signed_pre_key_rotation_ms = i64::MAX;
    device.read_receipts_disabled = true;
    device
}

fn stored_form(device: &Device) -> serde_json::Value {
    serde_json::to_value(device).expect("a device has a stored form")
}

#[tokio::test]
async fn a_device_comes_back_as_it_was() {
    let server = Server::start();
    let (keystore, _) = server.claim(&session(), 1).await;
    let memory = InMemoryBackend::new();
    let device = paired_device();
    keystore.save(&device).await.expect("saved");
    memory.save(&device).await.expect("saved");
    let (keystore, _) = server.claim(keystore.session(), 2).await;
    let loaded = keystore.load().await.expect("read").expect("there");
    let expected = memory.load().await.expect("read").expect("there");

    assert_eq!(stored_form(&loaded), stored_form(&expected));
    assert_eq!(loaded.device_props, expected.device_props);
    assert_eq!(*loaded.device_props, *DEVICE_PROPS);
    let profile = |device: &Device| format!("{:?}", device.client_profile);
    assert_eq!(profile(&loaded), profile(&expected));
    assert_eq!(loaded.account, expected.account);
    assert_eq!(loaded.nct_salt_sync_seen, expected.nct_salt_sync_seen);
    assert_eq!(loaded.get_client_payload(), expected.get_client_payload());
}

#[tokio::test]
async fn a_device_is_created_once() {
    let server = Server::start();
    let (keystore, _) = server.claim(&session(), 1).await;
    assert!(!keystore.exists().await.expect("read"));
    assert!(keystore.load().await.expect("read").is_none());
    assert_eq!(keystore.create().await.expect("created"), 1);
    assert!(keystore.exists().await.expect("read"));
    let first = keystore.load().await.expect("read").expect("there");
    assert_eq!(keystore.create().await.expect("created"), 2);
    let second = keystore.load().await.expect("read").expect("there");
    assert_eq!(stored_form(&first), stored_form(&second));
    keystore
        .snapshot_db("name", Some(b"extra"))
        .await
        .expect("nothing to do");
    assert_eq!(keystore.resource_report().await.memory_bytes, Some(0));
}

#[tokio::test]
async fn the_library_finds_its_device_again() {
    let server = Server::start();
    let (keystore, _) = server.claim(&session(), 1).await;
    let backend: Arc<dyn Backend> = Arc::new(keystore.clone());
    let first = PersistenceManager::new(backend)
        .await
        .expect("a new device");
    let (keystore, _) = server.claim(keystore.session(), 2).await;
    let second = PersistenceManager::new(Arc::new(keystore))
        .await
        .expect("the same device");
    assert_eq!(
        stored_form(&first.get_device_snapshot().await),
        stored_form(&second.get_device_snapshot().await)
    );
}

#[tokio::test]
async fn another_worker_sees_everything() {
    let server = Server::start();
    let (keystore, _) = server.claim(&session(), 1).await;
    fill(&keystore).await;
    let before = observe(&keystore).await;
    let (keystore, _) = server.claim(keystore.session(), 2).await;
    assert_eq!(observe(&keystore).await, before);
    assert_ne!(
        before,
        observe(&InMemoryBackend::new()).await,
        "there is something to see"
    );
}

#[tokio::test]
async fn a_session_lies_in_one_slot_of_a_cluster() {
    let server = Server::start_cluster().await;
    let store = server.cluster_store().await;
    let lost = CancellationToken::new();
    let session = session();
    let keystore = RedisKeystore::claim(store.clone(), keyring(), session.clone(), 1, lost)
        .await
        .expect("nobody else has it");
    let memory = InMemoryBackend::new();
    for (name, error) in fill(&keystore).await {
        assert!(error.is_none(), "{name}: {error:?}");
    }
    fill(&memory).await;
    assert_eq!(observe(&keystore).await, observe(&memory).await);
    for (name, error) in drain(&keystore).await {
        assert!(error.is_none(), "{name}: {error:?}");
    }
    drain(&memory).await;
    assert_eq!(observe(&keystore).await, observe(&memory).await);
    fill(&keystore).await;
    keystore.erase().await.expect("it owns the session");
    let left: Vec<String> = command(&server.store().await, &["KEYS", "*"]).await;
    assert_eq!(left, [format!("{}:fence", store.keys.keystore(&session))]);
}

#[tokio::test]
async fn what_is_drained_leaves_no_index_behind() {
    let server = Server::start();
    let (keystore, _) = server.claim(&session(), 1).await;
    fill(&keystore).await;
    drain(&keystore).await;
    let store = server.store().await;
    let root = store.keys.keystore(keystore.session());
    let left: Vec<_> = contents(&store).await.into_keys().collect();
    for gone in [
        "skdm",
        "skdm:9@g.us",
        "macs",
        "mac:regular",
        "tc",
        "tc:received",
        "tc:sent",
    ] {
        assert!(!left.contains(&format!("{root}:{gone}")), "{gone}");
    }
    for gone in [
        "sent",
        "sent:at",
        "pending",
        "pending:at",
        "base-key",
        "base-key:at",
    ] {
        assert!(!left.contains(&format!("{root}:{gone}")), "{gone}");
    }
    // The one secret without a deadline stays.
    let secrets: u32 = command(&store, &["HLEN", &format!("{root}:secret")]).await;
    assert_eq!(secrets, 1);
    assert!(!left.contains(&format!("{root}:secret:until")));
    for (rows, index) in [
        ("session", "session:ix"),
        ("identity", "identity:ix"),
        ("prekey", "prekey:ix"),
    ] {
        let rows: u32 = command(&store, &["HLEN", &format!("{root}:{rows}")]).await;
        let index: u32 = command(&store, &["ZCARD", &format!("{root}:{index}")]).await;
        assert_eq!(rows, index);
    }
}

#[tokio::test]
async fn erasing_leaves_nothing_but_the_fence() {
    let server = Server::start();
    let session = session();
    let (keystore, lost) = server.claim(&session, 3).await;
    fill(&keystore).await;
    keystore.erase().await.expect("it owns the session");
    keystore.erase().await.expect("again is harmless");
    let store = server.store().await;
    let fence = format!("{}:fence", store.keys.keystore(&session));
    let left = contents(&store).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), [&fence]);
    assert_eq!(command::<i64>(&store, &["TTL", &fence]).await, -1);

    // What the old client still writes comes to nothing, and is no loss of the session.
    let all = fill(&keystore)
        .await
        .into_iter()
        .chain(drain(&keystore).await);
    for (name, error) in all {
        let error = error.unwrap_or_else(|| panic!("{name} was written"));
        assert!(
            matches!(KeystoreError::find(&error), Some(KeystoreError::Erased)),
            "{name}"
        );
    }
    assert_eq!(contents(&store).await, left);
    assert!(!lost.is_cancelled());

    let (paired_again, _) = server.claim(&session, 3).await;
    assert_eq!(
        observe(&paired_again).await,
        observe(&InMemoryBackend::new()).await
    );
    assert!(!paired_again.exists().await.expect("read"));
    paired_again
        .put_session("1@s.whatsapp.net", b"new")
        .await
        .expect("written");
    assert!(
        keystore
            .put_session("1@s.whatsapp.net", b"old")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_erased_session_can_be_taken_by_a_later_owner_only() {
    let server = Server::start();
    let session = session();
    let (keystore, _) = server.claim(&session, 3).await;
    keystore.erase().await.expect("it owns the session");
    let lost = CancellationToken::new();
    let store = server.store().await;
    let early = RedisKeystore::claim(store, keyring(), session.clone(), 2, lost).await;
    assert!(matches!(early, Err(KeystoreError::Stale { epoch: 2 })));
    let (later, _) = server.claim(&session, 4).await;
    later
        .put_session("1@s.whatsapp.net", b"x")
        .await
        .expect("written");
    assert!(matches!(
        keystore.erase().await,
        Err(KeystoreError::Stale { .. })
    ));
}

#[tokio::test]
async fn forgetting_lets_the_fence_go_in_time() {
    let server = Server::start();
    let session = session();
    let (keystore, _) = server.claim(&session, 3).await;
    fill(&keystore).await;
    keystore.forget().await.expect("it owns the session");
    let store = server.store().await;
    let fence = format!("{}:fence", store.keys.keystore(&session));
    assert_eq!(contents(&store).await.keys().collect::<Vec<_>>(), [&fence]);
    let life: i64 = command(&store, &["TTL", &fence]).await;
    assert!((604_000..=604_800).contains(&life), "{life}");
    server.claim(&session, 4).await;
    assert_eq!(command::<i64>(&store, &["TTL", &fence]).await, -1);
}
