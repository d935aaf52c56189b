//! What goes wrong on purpose.

use std::time::{Duration, Instant};

use serde_json::json;
use wacore::types::presence::ReceiptType;
use whatsapp_rust::prelude::*;

use crate::client::{Companion, World};

const OWN: &str = "15550000001";
const OTHER: &str = "15550000002";

async fn ready() -> (World, Companion) {
    let world = World::start().await;
    world.admin.peer(OTHER).await;
    let companion = world.linked(OWN).await;
    (world, companion)
}

fn acks(companion: &Companion, id: &str) -> usize {
    companion
        .picked(|event| match event {
            Event::ServerAck(ack) => {
                (ack.id == id && ack.class.as_deref() == Some("message")).then_some(())
            }
            _ => None,
        })
        .len()
}

#[tokio::test]
async fn drop_ack_relays_and_says_nothing() {
    let (world, companion) = ready().await;
    world
        .admin
        .fault(json!({ "match": { "to": OTHER }, "action": "drop_ack" }))
        .await;
    let id = companion.send(OTHER, "hello").await;
    companion.receipt(&id, ReceiptType::Delivered).await;
    assert_eq!(acks(&companion, &id), 0);
    let next = companion.send(OTHER, "hello again").await;
    companion.acked(&next).await;
    let faults = world.admin.get("/admin/faults").await;
    assert_eq!(faults["data"][0]["applied"], 1);
    assert_eq!(faults["data"][0]["remaining"], 0);
}

#[tokio::test]
async fn nack_refuses_with_the_code() {
    let (world, companion) = ready().await;
    for action in [json!("nack 479"), json!({ "nack": 479 })] {
        world
            .admin
            .fault(json!({ "match": "any", "action": action }))
            .await;
        let id = companion.send(OTHER, "no").await;
        assert_eq!(companion.answer(&id).await.error.as_deref(), Some("479"));
    }
    world
        .admin
        .fault(json!({ "action": "nack", "code": 463, "count": 0 }))
        .await;
    for _ in 0..3 {
        let id = companion.send(OTHER, "no").await;
        assert_eq!(companion.answer(&id).await.error.as_deref(), Some("463"));
    }
    assert_eq!(world.admin.delete("/admin/faults").await["removed"], 3);
    let id = companion.send(OTHER, "yes").await;
    companion.acked(&id).await;
    let messages = world.admin.wait_messages(OTHER, 1).await;
    assert_eq!(messages[0]["content"], "yes");
    assert_eq!(world.admin.ledger(OWN).await.len(), 1);
}

#[tokio::test]
async fn cut_drops_the_connection_and_the_message() {
    let (world, companion) = ready().await;
    world
        .admin
        .fault(json!({ "match": { "id": "3EB0CCCC" }, "action": "cut" }))
        .await;
    companion.send_as("3EB0CCCC", OTHER, "lost").await;
    companion.connected_times(2).await;
    assert!(world.admin.ledger(OWN).await.is_empty());
    companion.send_as("3EB0CCCC", OTHER, "found").await;
    companion.acked("3EB0CCCC").await;
    let messages = world.admin.wait_messages(OTHER, 1).await;
    assert_eq!(messages[0]["content"], "found");
}

#[tokio::test]
async fn cut_after_drops_only_the_ack() {
    let (world, companion) = ready().await;
    world.admin.fault(json!({ "action": "cut_after" })).await;
    let id = companion.send(OTHER, "accepted").await;
    companion.connected_times(2).await;
    assert_eq!(acks(&companion, &id), 0);
    assert_eq!(world.admin.ledger(OWN).await.len(), 1);
    assert_eq!(world.admin.wait_messages(OTHER, 1).await[0]["id"], id);
    companion.receipt(&id, ReceiptType::Delivered).await;
}

#[tokio::test]
async fn delay_holds_everything_that_follows() {
    let (world, companion) = ready().await;
    world.admin.fault(json!({ "action": "delay 400" })).await;
    let began = Instant::now();
    let first = companion.send(OTHER, "first").await;
    let second = companion.send(OTHER, "second").await;
    companion.acked(&first).await;
    assert!(began.elapsed() >= Duration::from_millis(400));
    companion.acked(&second).await;
    let messages = world.admin.wait_messages(OTHER, 2).await;
    assert_eq!(messages[0]["content"], "first");
}

#[tokio::test]
async fn silence_swallows() {
    let (world, companion) = ready().await;
    world
        .admin
        .fault(json!({ "action": "silence", "match": { "from": OWN } }))
        .await;
    let lost = companion.send(OTHER, "into the void").await;
    let next = companion.send(OTHER, "heard").await;
    companion.acked(&next).await;
    assert_eq!(acks(&companion, &lost), 0);
    let messages = world.admin.wait_messages(OTHER, 1).await;
    assert_eq!(messages[0]["id"], next);
    assert_eq!(world.admin.ledger(OWN).await.len(), 1);
}

#[tokio::test]
async fn replay_brings_a_message_twice() {
    let (world, companion) = ready().await;
    world.admin.fault(json!({ "action": "replay" })).await;
    let id = companion.send(OTHER, "twice").await;
    companion.receipt(&id, ReceiptType::Delivered).await;
    let next = companion.send(OTHER, "once").await;
    companion.receipt(&next, ReceiptType::Delivered).await;
    let messages = world.admin.wait_messages(OTHER, 2).await;
    assert_eq!(
        (&messages[0]["copies"], &messages[1]["copies"]),
        (&json!(2), &json!(1))
    );
}

#[tokio::test]
async fn a_login_is_refused_and_a_stream_ended() {
    let (world, companion) = ready().await;
    let ban = json!({ "reason": 402, "attributes": { "code": "101", "expire": "3600" } });
    world
        .admin
        .post(&format!("/admin/accounts/{OWN}/refuse"), ban)
        .await;
    let path = format!("/admin/accounts/{OWN}/stream-error");
    world.admin.post(&path, json!({ "code": 503 })).await;
    let expire = companion
        .wait("the ban", |event| match event {
            Event::TemporaryBan(ban) => Some(ban.expire),
            _ => None,
        })
        .await;
    assert_eq!(expire.num_seconds(), 3_600);
}

#[tokio::test]
async fn a_frozen_connection_stands_and_says_nothing() {
    let (world, companion) = ready().await;
    let first = companion.send(OTHER, "alive").await;
    companion.acked(&first).await;
    let path = format!("/admin/accounts/{OWN}/freeze");
    assert_eq!(world.admin.post(&path, json!({})).await["frozen"], 1);
    let lost = companion.send(OTHER, "into a dead socket").await;
    let waiting = world.admin.say(OTHER, OWN, "for later").await;
    // Something that is answered later than the frozen client would have been.
    let other = world.linked("15550000003").await;
    let id = other.send(OTHER, "alive").await;
    other.acked(&id).await;
    assert_eq!(acks(&companion, &lost), 0);
    assert_eq!(world.admin.ledger(OWN).await.len(), 1);
    assert!(companion.texts().is_empty());

    let path = format!("/admin/accounts/{OWN}/disconnect");
    world.admin.post(&path, json!({})).await;
    companion.connected_times(2).await;
    assert_eq!(companion.text("for later").await, waiting);
}
