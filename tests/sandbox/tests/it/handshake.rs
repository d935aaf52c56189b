//! The three ways in, and what the server accepts.

use serde_json::json;
use wacore::types::presence::ReceiptType;

use crate::client::World;

const OWN: &str = "15550000001";

async fn handshake(world: &World) -> serde_json::Value {
    let accounts = world.admin.get("/admin/accounts").await;
    let account = accounts["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|account| account["phone"] == OWN);
    account.unwrap()["companions"][0]["handshake"].clone()
}

#[tokio::test]
async fn xx_then_ik_then_xxfallback() {
    let world = World::start().await;
    world.admin.peer("15550000002").await;
    let companion = world.linked(OWN).await;
    assert_eq!(handshake(&world).await, "xx");

    let path = format!("/admin/accounts/{OWN}/disconnect");
    world.admin.post(&path, json!({})).await;
    companion.connected_times(2).await;
    assert_eq!(handshake(&world).await, "ik");

    world.admin.post("/admin/rotate-key", json!({})).await;
    world.admin.post(&path, json!({})).await;
    companion.connected_times(3).await;
    assert_eq!(handshake(&world).await, "xxFallback");

    let id = companion.send("15550000002", "still here").await;
    companion.receipt(&id, ReceiptType::Delivered).await;
}

#[tokio::test]
async fn a_client_that_was_started_again_comes_in_by_ik() {
    let world = World::start().await;
    let store = world.linked(OWN).await.stop().await;
    let companion = world.restarted(&store).await;
    companion.connected().await;
    assert_eq!(handshake(&world).await, "ik");
    world.admin.peer("15550000002").await;
    let id = companion.send("15550000002", "again").await;
    companion.receipt(&id, ReceiptType::Delivered).await;
}

#[tokio::test]
async fn the_root_key_is_told() {
    let world = World::start().await;
    let answer = world.admin.get("/admin/root-key").await;
    assert_eq!(answer["rootKey"].as_str().unwrap().len(), 64);
    assert_eq!(world.admin.get("/healthz").await["status"], "ok");
}
