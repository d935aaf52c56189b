//! Keys and contents are encrypted in Redis, those of earlier versions too, and a key of the
//! configuration can be replaced.

use gateway_shared::redis::Store;
use gateway_shared::secrets::{DataKey, Keyring, SecretKey};
use gateway_worker::keystore::keys::KEYSTORE;
use gateway_worker::keystore::reseal::{Resealed, count_keys, reseal_all};
use gateway_worker::keystore::{KeystoreError, RedisKeystore};
use tokio_util::sync::CancellationToken;
use wacore::store::Device;
use wacore::store::traits::{DeviceStore, MsgSecretEntry, ProtocolStore, SignalStore};
use wacore::store::traits::{MsgSecretStore, TcTokenEntry};

use crate::observe::observe;
use crate::server::{Server, command, contents, keyring, session};
use crate::writes::fill;

/// What the sealed rows begin with, behind what stays in clear.
const MARK: &[u8] = b"\0gd1";
const ADA: &str = "1@s.whatsapp.net";

async fn claim(
    server: &Server,
    of: &RedisKeystore,
    keyring: &Keyring,
    epoch: i64,
) -> Result<RedisKeystore, KeystoreError> {
    let (session, lost) = (of.session().clone(), CancellationToken::new());
    RedisKeystore::claim(server.store().await, keyring, session, epoch, lost).await
}

/// A family's name, its key, its rows.
type Hash = (&'static str, String, Vec<(Vec<u8>, Vec<u8>)>);

/// Every hash of a session's rows: its family's name, its key, its rows.
async fn hashes(store: &Store, of: &RedisKeystore) -> Vec<Hash> {
    let root = store.keys.keystore(of.session());
    let mut found = Vec::new();
    for family in KEYSTORE.iter().filter(|family| {
        family.kind == "hash" && !family.pattern.contains('*') && family.name != "fence"
    }) {
        let key = format!("{root}{}", family.pattern);
        let rows = command(store, &["HGETALL", &key]).await;
        found.push((family.name, key, rows));
    }
    found
}

fn mark(row: &[u8]) -> Option<usize> {
    row.windows(MARK.len()).position(|part| part == MARK)
}

/// Puts the rows back into the form in which versions before encryption stored them.
async fn put_in_clear(store: &Store, of: &RedisKeystore) -> usize {
    let fence = format!("{}:fence", store.keys.keystore(of.session()));
    let mut connection = store.connection.clone();
    let read = redis::cmd("HGET").arg(&fence).arg("key").clone();
    let stored: Vec<u8> = read.query_async(&mut connection).await.expect("a data key");
    let context = format!("keystore:{}", of.session());
    let key = DataKey::open(keyring(), &context, &stored).expect("ours");
    let mut rows = 0;
    for (name, place, found) in hashes(store, of).await {
        for (field, row) in found {
            let Some(clear) = mark(&row) else { continue };
            let context = [name.as_bytes(), b"\0", &field].concat();
            let record = key.unseal(context, &row[clear..]).expect("in its place");
            let row = [&row[..clear], &record].concat();
            let () = redis::cmd("HSET")
                .arg(&place)
                .arg(field)
                .arg(row)
                .query_async(&mut connection)
                .await
                .expect("written");
            rows += 1;
        }
    }
    let _: i64 = command(store, &["HDEL", &fence, "key", "sealed"]).await;
    rows
}

#[tokio::test]
async fn no_key_and_no_content_lies_in_clear() {
    const WORDS: &[u8] = b"nobody may read this in Redis...";
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    let mut device = Device::new();
    device.push_name = String::from_utf8(WORDS.to_vec()).expect("a text");
    on.save(&device).await.expect("written");
    let key = <[u8; 32]>::try_from(WORDS).expect("32 bytes");
    on.put_identity(ADA, key).await.expect("written");
    on.put_session(ADA, WORDS).await.expect("written");
    on.store_prekey(1, WORDS, true).await.expect("written");
    on.store_signed_prekey(1, WORDS).await.expect("written");
    on.put_sender_key(ADA, WORDS).await.expect("written");
    on.put_group_metadata("9@g.us", WORDS)
        .await
        .expect("written");
    on.store_sent_message(ADA, "M", WORDS)
        .await
        .expect("written");
    on.store_pending_inbound(ADA, ADA, "M", WORDS)
        .await
        .expect("written");
    on.save_base_key(ADA, "M", WORDS).await.expect("written");
    let token = TcTokenEntry {
        token: WORDS.to_vec(),
        token_timestamp: 1,
        sender_timestamp: None,
    };
    on.put_tc_token(ADA, &token).await.expect("written");
    let secret = MsgSecretEntry {
        chat: ADA.into(),
        sender: ADA.into(),
        msg_id: "M".into(),
        secret: key,
        expires_at: 0,
        message_ts: 1,
    };
    on.put_msg_secrets(vec![secret]).await.expect("written");

    let store = server.store().await;
    let mut sealed = 0;
    for (key, parts) in contents(&store).await {
        for part in parts {
            assert!(!part.windows(16).any(|some| some == &WORDS[..16]), "{key}");
            sealed += usize::from(mark(&part).is_some());
        }
    }
    assert_eq!(sealed, 12);
    assert_eq!(on.load_identity(ADA).await.expect("read"), Some(key));
    let found = on.get_tc_token(ADA).await.expect("read").expect("there");
    assert_eq!(found.token, WORDS);
}

#[tokio::test]
async fn what_an_earlier_version_left_in_clear_is_read_and_then_sealed() {
    let server = Server::start();
    let store = server.store().await;
    let (first, _) = server.claim(&session(), 1).await;
    fill(&first).await;
    let wanted = observe(&first).await;
    let rows = put_in_clear(&store, &first).await;
    assert!(rows >= 15, "{rows}");
    let sessions = [first.session().clone()];

    // Nobody has claimed it yet: there is no key to seal with.
    let done = reseal_all(&store, keyring(), &sessions)
        .await
        .expect("done");
    assert_eq!(done, Resealed::default());
    let owner = claim(&server, &first, keyring(), 2).await.expect("claimed");
    assert_eq!(observe(&owner).await, wanted);
    // What it writes is sealed, and not undone by what comes next.
    owner.put_session(ADA, b"newer").await.expect("written");
    let wanted = observe(&owner).await;

    let done = reseal_all(&store, keyring(), &sessions)
        .await
        .expect("done");
    assert_eq!((done.sessions, done.data_keys), (1, 0));
    let again = reseal_all(&store, keyring(), &sessions)
        .await
        .expect("done");
    assert_eq!(again, Resealed::default());
    let mut sealed = 0;
    for (_, _, rows) in hashes(&store, &owner).await {
        sealed += rows.iter().filter(|(_, row)| mark(row).is_some()).count();
    }
    assert_eq!(sealed, rows);
    assert_eq!(observe(&owner).await, wanted);

    // From now on a row in clear is none of ours.
    let owner = claim(&server, &first, keyring(), 3).await.expect("claimed");
    assert_eq!(observe(&owner).await, wanted);
    let key = format!("{}:session", store.keys.keystore(owner.session()));
    let _: i64 = command(&store, &["HSET", &key, ADA, "in clear"]).await;
    let error = owner.get_session(ADA).await.expect_err("refused");
    let found = KeystoreError::find(&error);
    assert!(
        matches!(found, Some(KeystoreError::Sealed { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_row_in_the_place_of_another_is_refused() {
    let server = Server::start();
    let store = server.store().await;
    let (on, _) = server.claim(&session(), 1).await;
    let (other, _) = server.claim(&session(), 1).await;
    on.put_session(ADA, b"ada").await.expect("written");
    on.put_session("2@s.whatsapp.net", b"bob")
        .await
        .expect("written");
    other.put_session(ADA, b"hers").await.expect("written");
    let place = |of: &RedisKeystore| format!("{}:session", store.keys.keystore(of.session()));
    let mut connection = store.connection.clone();
    for (from, field) in [(&on, "2@s.whatsapp.net"), (&other, ADA)] {
        let read = redis::cmd("HGET").arg(place(from)).arg(field).clone();
        let row: Vec<u8> = read.query_async(&mut connection).await.expect("read");
        let write = redis::cmd("HSET").arg(place(&on)).arg(ADA).arg(row).clone();
        let _: i64 = write.query_async(&mut connection).await.expect("written");
        let error = on.get_session(ADA).await.expect_err("refused");
        let found = KeystoreError::find(&error);
        assert!(
            matches!(found, Some(KeystoreError::Sealed { .. })),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_key_of_the_configuration_is_replaced_without_touching_the_rows() {
    let server = Server::start();
    let store = server.store().await;
    let key = |id: &str| SecretKey::generate(id.parse().expect("an id")).expect("random");
    let (old, new) = (key("old"), key("new"));
    let ring = |keys: &[&SecretKey]| {
        let keys = keys.iter().copied().cloned().collect();
        Keyring::of(keys, "").expect("a ring")
    };
    let (first, _) = server.claim(&session(), 1).await;
    let first = claim(&server, &first, keyring(), 1).await.expect("claimed");
    first.erase().await.expect("its own");
    let owner = claim(&server, &first, &ring(&[&old]), 2)
        .await
        .expect("claimed");
    fill(&owner).await;
    let wanted = observe(&owner).await;
    let before = hashes(&store, &owner).await;
    let sessions = [owner.session().clone()];

    let error = claim(&server, &owner, &ring(&[&new]), 3).await;
    assert!(matches!(error, Err(KeystoreError::Sealed { .. })));
    let counts = count_keys(&store, &sessions).await.expect("counted");
    assert_eq!(counts.get(old.id()), Some(&1));
    // In the background, while its owner works on.
    let both = ring(&[&new, &old]);
    let done = reseal_all(&store, &both, &sessions).await.expect("done");
    assert_eq!((done.data_keys, done.sessions), (1, 0));
    let counts = count_keys(&store, &sessions).await.expect("counted");
    assert_eq!(
        (counts.get(old.id()), counts.get(new.id())),
        (None, Some(&1))
    );
    assert_eq!(hashes(&store, &owner).await, before);
    assert_eq!(observe(&owner).await, wanted);
    let owner = claim(&server, &owner, &ring(&[&new]), 4)
        .await
        .expect("claimed");
    assert_eq!(observe(&owner).await, wanted);
}
