//! How many calls to Redis the traffic of a session costs.

use std::sync::Arc;

use bytes::Bytes;
use gateway_shared::redis::Store;
use wacore::store::traits::{MsgSecretEntry, MsgSecretStore, ProtocolStore, SignalStore};

use crate::server::{Server, command, session};

/// How often scripts ran since the statistics were reset.
async fn scripts_run(store: &Store) -> u32 {
    calls_of(store, "evalsha").await
}

async fn calls_of(store: &Store, name: &str) -> u32 {
    let stats: String = command(store, &["INFO", "commandstats"]).await;
    let head = format!("cmdstat_{name}:calls=");
    let line = stats.lines().find(|line| line.starts_with(&head));
    let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
    calls.map_or(0, |calls| calls.parse().expect("a number"))
}

#[tokio::test]
async fn what_a_send_writes_is_one_round_trip_each() {
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    let store = server.store().await;
    let records: Vec<(Arc<str>, Bytes)> = (0..1_000)
        .map(|row| (Arc::from(row.to_string()), Bytes::from_static(b"session")))
        .collect();
    let secret = MsgSecretEntry {
        chat: Arc::from("c"),
        sender: Arc::from("s"),
        msg_id: Arc::from("M"),
        secret: [1; 32],
        expires_at: 9,
        message_ts: 0,
    };
    on.put_session("x", b"loads the script")
        .await
        .expect("written");
    let _: String = command(&store, &["CONFIG", "RESETSTAT"]).await;
    on.store_sent_message("c", "M", b"m")
        .await
        .expect("written");
    on.put_msg_secrets(vec![secret]).await.expect("written");
    on.put_sessions_batch(&records).await.expect("written");
    assert_eq!(scripts_run(&store).await, 3);
}

#[tokio::test]
async fn messages_sent_at_the_same_time_are_stored_together() {
    const AT_ONCE: usize = 200;
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    let store = server.store().await;
    on.put_session("x", b"loads the script")
        .await
        .expect("written");
    let _: String = command(&store, &["CONFIG", "RESETSTAT"]).await;
    let ids: Vec<String> = (0..AT_ONCE).map(|number| format!("M{number}")).collect();
    let stored = ids
        .iter()
        .map(|id| on.store_sent_message("c", id, id.as_bytes()));
    for each in futures_util::future::join_all(stored).await {
        each.expect("written");
    }
    // None was written before the last one had asked.
    assert_eq!(scripts_run(&store).await, 1);
    for id in &ids {
        let kept = on.take_sent_message("c", id).await.expect("read");
        assert_eq!(kept.as_deref(), Some(id.as_bytes()));
    }
}

#[tokio::test]
async fn who_gives_up_storing_holds_up_nobody() {
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    let mut first = Box::pin(on.store_sent_message("c", "first", b"1"));
    // They gather, and the first is dropped.
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(on.store_sent_message("c", "second", b"2"));
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    second.await.expect("written");
    let kept = on.take_sent_message("c", "second").await.expect("read");
    assert_eq!(kept.as_deref(), Some(b"2".as_slice()));
    let kept = on.take_sent_message("c", "first").await.expect("read");
    assert_eq!(
        kept.as_deref(),
        Some(b"1".as_slice()),
        "nothing is taken back"
    );
}

#[tokio::test]
async fn what_redis_refuses_fails_nobody_else() {
    let server = Server::start();
    let session = session();
    let (on, _) = server.claim(&session, 1).await;
    let store = server.store().await;
    let root = store.keys.keystore(&session);
    // No hash, as the families say: whoever writes there asks for what can not be done.
    let _: String = command(&store, &["SET", &format!("{root}:sender-key"), "text"]).await;
    let (before, refused, after) = tokio::join!(
        on.store_sent_message("c", "before", b"1"),
        on.put_sender_key("g", b"key"),
        on.store_sent_message("c", "after", b"2"),
    );
    before.expect("written");
    refused.expect_err("no hash");
    after.expect("written");
    for (id, copy) in [("before", b"1"), ("after", b"2")] {
        let kept = on.take_sent_message("c", id).await.expect("read");
        assert_eq!(kept.as_deref(), Some(copy.as_slice()));
    }
}

/// Every send asks for it.
#[tokio::test]
async fn a_contact_token_is_read_once_until_it_is_written() {
    let server = Server::start();
    let (on, _) = server.claim(&session(), 1).await;
    let store = server.store().await;
    let _: String = command(&store, &["CONFIG", "RESETSTAT"]).await;
    for _ in 0..3 {
        assert!(on.get_tc_token("1@lid").await.expect("read").is_none());
    }
    assert_eq!(calls_of(&store, "hget").await, 1);
    on.store_received_tc_token("1@lid", b"token", 7)
        .await
        .expect("written");
    for _ in 0..3 {
        let entry = on.get_tc_token("1@lid").await.expect("read");
        assert_eq!(entry.expect("it is there").token, b"token");
    }
}
