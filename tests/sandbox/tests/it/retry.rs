//! Messages that cannot be decrypted at first.

use serde_json::json;
use wacore::types::presence::ReceiptType;

use crate::client::World;

const OWN: &str = "15550000001";
const OTHER: &str = "15550000002";

#[tokio::test]
async fn a_person_asks_a_client_to_send_again() {
    let world = World::start().await;
    world.admin.peer(OTHER).await;
    let companion = world.linked(OWN).await;
    for text in ["first of a session", "within a session"] {
        world
            .admin
            .fault(json!({ "match": { "from": OWN }, "action": "corrupt" }))
            .await;
        let id = companion.send(OTHER, text).await;
        companion.receipt(&id, ReceiptType::Delivered).await;
    }
    let messages = world.admin.wait_messages(OTHER, 2).await;
    assert_eq!(messages[0]["content"], "first of a session");
    assert_eq!(messages[1]["content"], "within a session");
    let kinds: Vec<_> = world
        .admin
        .ledger(OWN)
        .await
        .iter()
        .map(|entry| entry["kind"].clone())
        .collect();
    assert_eq!(kinds, ["message", "retry", "message", "retry"]);
}

#[tokio::test]
async fn a_server_that_dedupes_lets_a_retry_through() {
    let config = wa_sandbox::Config {
        dedupe: true,
        ..Default::default()
    };
    let world = World::with(config).await;
    world.admin.peer(OTHER).await;
    let companion = world.linked(OWN).await;
    world
        .admin
        .fault(json!({ "match": { "from": OWN }, "action": "corrupt" }))
        .await;
    let id = companion.send(OTHER, "again").await;
    companion.receipt(&id, ReceiptType::Delivered).await;
}

#[tokio::test]
async fn a_client_asks_a_person_to_send_again() {
    let world = World::start().await;
    world.admin.peer(OTHER).await;
    let companion = world.linked(OWN).await;
    for text in ["first of a session", "within a session"] {
        world
            .admin
            .fault(json!({ "match": { "from": OTHER }, "action": "corrupt" }))
            .await;
        let id = world.admin.say(OTHER, OWN, text).await;
        assert_eq!(companion.text(text).await, id);
    }
}

#[tokio::test]
async fn a_client_asks_a_client_to_send_again() {
    let world = World::start().await;
    let alice = world.linked(OWN).await;
    let bob = world.linked(OTHER).await;
    alice.send(OTHER, "in order").await;
    bob.text("in order").await;
    world
        .admin
        .fault(json!({ "match": { "from": OWN }, "action": "corrupt" }))
        .await;
    let id = alice.send(OTHER, "broken").await;
    assert_eq!(bob.text("broken").await, id);
}
