//! The end of a link, and of a connection.

use serde_json::json;
use whatsapp_rust::prelude::*;

use crate::client::{Companion, World};

const OWN: &str = "15550000001";

async fn logged_out(companion: &Companion) -> bool {
    companion
        .wait("LoggedOut", |event| match event {
            Event::LoggedOut(out) => Some(out.on_connect),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_phone_logs_a_connected_companion_out() {
    let world = World::start().await;
    let companion = world.linked(OWN).await;
    let answer = world
        .admin
        .post(&format!("/admin/accounts/{OWN}/logout"), json!({}))
        .await;
    assert_eq!(answer["loggedOut"], 1);
    assert!(!logged_out(&companion).await);
}

#[tokio::test]
async fn a_companion_that_was_logged_out_while_away_is_refused() {
    let world = World::start().await;
    let store = world.linked(OWN).await.stop().await;
    world
        .admin
        .post(&format!("/admin/accounts/{OWN}/logout"), json!({}))
        .await;
    let companion = world.restarted(&store).await;
    assert!(logged_out(&companion).await);
}

#[tokio::test]
async fn a_companion_logs_itself_out() {
    let world = World::start().await;
    let companion = world.linked(OWN).await;
    companion.client.logout().await;
    let accounts = tokio::time::timeout(crate::client::PATIENCE, async {
        loop {
            let accounts = world.admin.get("/admin/accounts").await;
            if accounts["data"][0]["companions"] == json!([]) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
    accounts.await.unwrap();
}

#[tokio::test]
async fn the_same_companion_twice_replaces_the_first() {
    let world = World::start().await;
    world.admin.peer("15550000002").await;
    let first = world.linked(OWN).await;
    let second = world.restarted(&first.store).await;
    second.connected().await;
    first
        .wait("StreamReplaced", |event| {
            matches!(event, Event::StreamReplaced(_)).then_some(())
        })
        .await;
    let id = second.send("15550000002", "mine now").await;
    second.acked(&id).await;
}

#[tokio::test]
async fn a_cut_connection_comes_back() {
    let world = World::start().await;
    let companion = world.linked(OWN).await;
    let answer = world
        .admin
        .post(&format!("/admin/accounts/{OWN}/disconnect"), json!({}))
        .await;
    assert_eq!(answer["disconnected"], 1);
    companion.connected_times(2).await;
}
