//! Retry receipts: a recipient that could not decrypt asks again.

use std::sync::Arc;

use gateway_worker::link::{LinkConfig, SendOutcome};
use wacore::store::in_memory::InMemoryBackend;
use wacore::store::traits::SignalStore;

use crate::world::{BOB, OWN, World, connected, text};

/// Forgets the Signal sessions with our device, under every name it may have.
async fn forget_us(backend: &InMemoryBackend, lid: &str) {
    for user in [format!("{OWN}:1@c.us"), format!("{lid}:1@lid")] {
        backend.delete_session(&format!("{user}.0")).await.unwrap();
    }
}

#[tokio::test]
async fn a_retry_receipt_is_answered_after_a_restart() {
    let world = World::start().await;
    let mut us = world.paired().await;
    let accounts = world.get("/admin/accounts").await;
    let own = accounts["data"].as_array().unwrap().iter();
    let lid = own
        .clone()
        .find(|account| account["phone"] == OWN)
        .and_then(|account| account["lid"].as_str()?.split('@').next())
        .unwrap()
        .to_owned();
    // Bob has a companion, a link like ours, that has a session with us.
    let mut bob = world.unpaired().await;
    world.scan_as(&mut bob, BOB, false).await;
    bob.until(connected).await;
    for word in ["one", "two"] {
        let outcome = us.link.send(&text(word)).await;
        assert!(matches!(outcome, SendOutcome::Acked { .. }), "{outcome:?}");
    }
    bob.sink.until(|kept| kept.len() == 2).await;

    // It goes away, and comes back without that session: what we send meanwhile makes no sense
    // to it. So do we go away.
    bob.link.close().await;
    let send = text("three");
    let outcome = us.link.send(&send).await;
    assert!(matches!(outcome, SendOutcome::Acked { .. }), "{outcome:?}");
    us.link.close().await;
    forget_us(&bob.backend, &lid).await;
    us = world
        .open(
            Arc::clone(&us.backend),
            LinkConfig::default(),
            Arc::clone(&us.sink),
        )
        .await;
    us.until(connected).await;
    let bob = world
        .open(
            Arc::clone(&bob.backend),
            LinkConfig::default(),
            Arc::clone(&bob.sink),
        )
        .await;
    let messages = bob.sink.until(|kept| kept.len() == 3).await;
    assert_eq!(messages[2].id, send.wa_message_id);
    assert_eq!(messages[2].payload.text.as_deref(), Some("three"));
    let ledger = world
        .get(&format!("/admin/ledger?id={}", send.wa_message_id))
        .await;
    let kinds: Vec<_> = ledger["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    // The first copy may still be for the session that is gone; what counts is that one was made.
    assert_eq!(kinds[..2], ["message", "retry"]);
}
