//! Only the owner of the latest epoch changes anything.

use std::collections::BTreeMap;
use std::future::Future;

use gateway_worker::keystore::{KeystoreError, RedisKeystore, keys};
use redis::Value;
use tokio_util::sync::CancellationToken;
use wacore::store::traits::{ProtocolStore, SignalStore};

use crate::observe::observe;
use crate::server::{Server, command, contents, keyring, session};
use crate::writes::{Ended, drain, fill};

fn assert_all_worked(ended: Vec<Ended>) {
    for (name, error) in ended {
        assert!(error.is_none(), "{name}: {error:?}");
    }
}

/// What Redis holds besides the count of refusals, and that count.
fn but_for_the_count(
    mut contents: BTreeMap<String, Vec<Vec<u8>>>,
) -> (BTreeMap<String, Vec<Vec<u8>>>, u64) {
    let mut count = 0;
    for rows in contents.values_mut() {
        rows.retain(|row| {
            let refused = row.strip_prefix(b"refused = ");
            let number = refused.and_then(|number| std::str::from_utf8(number).ok());
            count += number.map_or(0, |number| number.parse::<u64>().expect("a number"));
            refused.is_none()
        });
    }
    (contents, count)
}

#[tokio::test]
async fn a_stale_epoch_changes_nothing() {
    let server = Server::start();
    let session = session();
    let (old, lost) = server.claim(&session, 4).await;
    assert_all_worked(fill(&old).await);
    let (new, still_owner) = server.claim(&session, 5).await;
    let store = server.store().await;
    let before = contents(&store).await;
    assert!(before.len() > 25, "every family has something: {before:?}");

    let mut refused = 0;
    for (name, error) in fill(&old).await.into_iter().chain(drain(&old).await) {
        let error = error.unwrap_or_else(|| panic!("{name} was not refused"));
        assert!(
            matches!(
                KeystoreError::find(&error),
                Some(KeystoreError::Stale { epoch: 4 })
            ),
            "{name}: {error:?}"
        );
        assert!(
            !error.is_database_busy_or_locked(),
            "{name} would be tried again"
        );
        refused += 1;
    }
    assert!(matches!(
        old.erase().await,
        Err(KeystoreError::Stale { .. })
    ));
    assert!(matches!(
        old.forget().await,
        Err(KeystoreError::Stale { .. })
    ));
    let (after, counted) = but_for_the_count(contents(&store).await);
    assert_eq!(after, before);
    assert_eq!(old.stale_writes(), refused + 2);
    assert_eq!(counted, old.stale_writes());
    assert!(lost.is_cancelled());
    assert_eq!(
        observe(&old).await,
        observe(&new).await,
        "it may still read"
    );

    assert_all_worked(drain(&new).await);
    assert_eq!(new.stale_writes(), 0);
    assert!(!still_owner.is_cancelled());
}

#[tokio::test]
async fn the_fence_only_rises() {
    let server = Server::start();
    let session = session();
    let (_five, _) = server.claim(&session, 5).await;
    let store = server.store().await;
    let before = contents(&store).await;
    let lost = CancellationToken::new();
    let claim =
        RedisKeystore::claim(store.clone(), keyring(), session.clone(), 4, lost.clone()).await;
    assert!(matches!(claim, Err(KeystoreError::Stale { epoch: 4 })));
    assert!(lost.is_cancelled());
    assert_eq!(but_for_the_count(contents(&store).await), (before, 1));

    // The same epoch again is the same owner, perhaps after an answer that got lost.
    let (again, _) = server.claim(&session, 5).await;
    again
        .put_session("1@s.whatsapp.net", b"x")
        .await
        .expect("it owns the session");
}

#[tokio::test]
async fn without_a_fence_nobody_writes() {
    let server = Server::start();
    let (keystore, lost) = server.claim(&session(), 1).await;
    let store = server.store().await;
    let _: String = command(&store, &["FLUSHALL"]).await;
    assert!(
        keystore
            .put_session("1@s.whatsapp.net", b"x")
            .await
            .is_err()
    );
    assert!(contents(&store).await.is_empty());
    assert!(lost.is_cancelled());
}

#[tokio::test]
async fn sessions_are_apart() {
    let server = Server::start();
    let (one, _) = server.claim(&session(), 1).await;
    let (two, _) = server.claim(&session(), 1).await;
    assert_all_worked(fill(&one).await);
    let store = server.store().await;
    let ones = contents(&store).await;
    let root = store.keys.keystore(one.session());
    let other = store.keys.keystore(two.session());
    for key in ones.keys() {
        let mine = key.starts_with(&root) && key.contains(&format!("{{{}}}", one.session()));
        assert!(mine || *key == format!("{other}:fence"), "{key}");
    }
    assert_all_worked(fill(&two).await);
    assert_all_worked(drain(&two).await);
    two.erase().await.expect("it owns its session");
    let mut left = contents(&store).await;
    left.retain(|key, _| key.starts_with(&root));
    let mut ones = ones;
    ones.retain(|key, _| key.starts_with(&root));
    assert_eq!(left, ones);
}

#[tokio::test]
async fn every_key_is_listed() {
    let server = Server::start();
    let (keystore, _) = server.claim(&session(), 1).await;
    assert_all_worked(fill(&keystore).await);
    let store = server.store().await;
    let root = store.keys.keystore(keystore.session());
    let mut unseen: Vec<_> = keys::KEYSTORE.iter().collect();
    for key in contents(&store).await.keys() {
        let rest = key.strip_prefix(&root).expect("of this session");
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => rest
                .strip_prefix(start)
                .is_some_and(|member| !member.is_empty()),
            None => rest == pattern,
        };
        let family = keys::KEYSTORE.iter().find(|family| matches(family.pattern));
        let family = family.unwrap_or_else(|| panic!("{key} is of no family"));
        let kind: String = command(&store, &["TYPE", key]).await;
        assert_eq!(kind, family.kind, "{key}");
        unseen.retain(|other| other.name != family.name);
    }
    assert!(unseen.is_empty(), "never written: {unseen:?}");
}

/// Runs a script as a connection would that broke before its writes were sent.
async fn late(
    store: &gateway_shared::redis::Store,
    script: &str,
    keys: &[&str],
    args: &[&str],
) -> Vec<String> {
    let count = keys.len().to_string();
    let parts = [&["EVAL", script, &count], keys, args].concat();
    let reply: Vec<Value> = command(store, &parts).await;
    let text = |value| redis::from_redis_value(value).expect("a text");
    reply.into_iter().map(text).collect()
}

/// Breaks the connection under a write, which whoever asked for it can not tell from a write that
/// was applied and whose answer was lost.
async fn broken<T>(server: &Server, write: impl Future<Output = T>) -> T {
    let store = server.store().await;
    let _: String = command(&store, &["CLIENT", "PAUSE", "60000", "WRITE"]).await;
    let breaking = async {
        let held = |client: &str| client.contains(" flags=b ") && client.contains(" cmd=evalsha ");
        loop {
            let clients: String = command(&store, &["CLIENT", "LIST"]).await;
            if clients.lines().any(held) {
                break;
            }
            tokio::task::yield_now().await;
        }
        let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
        let _: u32 = command(&store, &kill).await;
        let _: String = command(&store, &["CLIENT", "UNPAUSE"]).await;
    };
    tokio::join!(write, breaking).0
}

#[tokio::test]
async fn a_write_from_a_broken_connection_does_not_overtake() {
    let server = Server::start();
    let session = session();
    let (keystore, _) = server.claim(&session, 1).await;
    keystore
        .put_session("1@s.whatsapp.net", b"old")
        .await
        .expect("written");
    broken(&server, keystore.store_sent_message("chat", "M", b"sent"))
        .await
        .expect("written over the next connection");
    keystore
        .put_session("1@s.whatsapp.net", b"new")
        .await
        .expect("written");

    let store = server.store().await;
    let before = contents(&store).await;
    let root = store.keys.keystore(&session);
    let (fence, sessions) = (format!("{root}:fence"), format!("{root}:session"));
    let apply = include_str!("../../src/keystore/apply.lua");
    let write = ["1", "0", "0", "HSET", "2", "2", "1@s.whatsapp.net", "older"];
    let reply = late(&store, apply, &[&fence, &sessions], &write).await;
    assert_eq!(reply[0], "LATE");
    assert_eq!(contents(&store).await, before);

    // Another handle of the same owner that knows nothing of it is not stopped.
    let (other, _) = server.claim(&session, 1).await;
    other
        .put_session("1@s.whatsapp.net", b"other")
        .await
        .expect("written");
    let read = keystore
        .get_session("1@s.whatsapp.net")
        .await
        .expect("read");
    assert_eq!(read.as_deref(), Some(&b"other"[..]));
}

#[tokio::test]
async fn handles_of_one_owner_do_not_stop_each_other() {
    let server = Server::start();
    let session = session();
    let (one, _) = server.claim(&session, 1).await;
    let (two, lost) = server.claim(&session, 1).await;
    broken(&server, one.put_session("1@s.whatsapp.net", b"?"))
        .await
        .expect("written over the next connection");
    one.put_session("1@s.whatsapp.net", b"one")
        .await
        .expect("in the new term");
    two.put_session("1@s.whatsapp.net", b"two")
        .await
        .expect("done again in it");
    assert_eq!(two.stale_writes(), 0);
    assert!(!lost.is_cancelled());
}

#[tokio::test]
async fn an_erasure_from_a_broken_connection_comes_too_late() {
    let server = Server::start();
    let session = session();
    let (first, _) = server.claim(&session, 1).await;
    first.erase().await.expect("it owns the session");
    let (second, _) = server.claim(&session, 1).await;
    assert_all_worked(fill(&second).await);
    let store = server.store().await;
    let before = contents(&store).await;
    let root = store.keys.keystore(&session);
    let keys = ["fence", "skdm", "macs", "meta", "session"].map(|name| format!("{root}:{name}"));
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let erase = include_str!("../../src/keystore/erase.lua");
    let (groups, macs) = (format!("{root}:skdm:"), format!("{root}:mac:"));
    let reply = late(&store, erase, &keys, &["1", "0", &groups, &macs, "0"]).await;
    assert_eq!(reply, ["ERASED"]);
    assert_eq!(contents(&store).await, before);

    // Nor does the client from before bring anything back.
    let all = fill(&first).await.into_iter().chain(drain(&first).await);
    for (name, error) in all {
        let error = error.unwrap_or_else(|| panic!("{name} was written"));
        assert!(matches!(
            KeystoreError::find(&error),
            Some(KeystoreError::Erased)
        ));
    }
    assert_eq!(contents(&store).await, before);
    first.erase().await.expect("its life is over already");
    assert_eq!(contents(&store).await, before);
}

#[tokio::test]
async fn an_acknowledged_write_stands_while_connections_break() {
    let server = Server::start();
    let (keystore, lost) = server.claim(&session(), 1).await;
    let store = server.store().await;
    let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
    let (mut broken, mut failed) = (0, 0);
    for count in 0..400_u32 {
        let written = count.to_be_bytes();
        let write = async {
            while keystore
                .put_session("1@s.whatsapp.net", &written)
                .await
                .is_err()
            {
                failed += 1;
            }
        };
        if count % 20 == 0 {
            broken += tokio::join!(command::<u32>(&store, &kill), write).0;
        } else {
            write.await;
        }
        let read = loop {
            if let Ok(read) = keystore.get_session("1@s.whatsapp.net").await {
                break read;
            }
        };
        assert_eq!(read.as_deref(), Some(&written[..]));
    }
    assert!(broken >= 10, "{broken} connections broken");
    assert_eq!(failed, 0, "a write waits for Redis");
    assert_eq!(keystore.stale_writes(), 0);
    assert!(!lost.is_cancelled());
}
