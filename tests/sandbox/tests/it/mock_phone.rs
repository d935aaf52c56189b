//! The route by which whatsapp-rust's own end-to-end suite has its clients
//! linked, on the port for clients.

use std::sync::Arc;

use reqwest::StatusCode;
use wa_sandbox::Config;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::presence::ReceiptType;
use whatsapp_rust::prelude::*;

use crate::client::{Companion, World};

async fn linked(world: &World, push_name: &str) -> Companion {
    let store = Arc::new(InMemoryBackend::new());
    let companion = world.named(store, push_name).await;
    let code = companion.qr_code().await;
    let base = world.sandbox.ws_url().replace("ws://", "http://");
    let base = base.trim_end_matches("/ws/chat");
    let route = format!("{base}/admin/mock-phone/scan-qr");
    let scanned = reqwest::Client::new().post(route).body(code).send().await;
    assert_eq!(scanned.unwrap().status(), StatusCode::OK);
    companion.connected().await;
    companion
}

#[tokio::test]
async fn clients_of_one_push_name_are_devices_of_one_account_whose_phone_is_off() {
    let world = World::with(Config {
        admin_on_ws: true,
        ..Config::default()
    })
    .await;
    let first = linked(&world, "Ann").await;
    let second = linked(&world, "Ann").await;
    let other = linked(&world, "Bob").await;
    let (ann, ann_too) = (first.client.pn().unwrap(), second.client.pn().unwrap());
    assert_eq!(ann.user, ann_too.user);
    assert_ne!(ann.device, ann_too.device);
    assert_ne!(ann.user, other.client.pn().unwrap().user);

    // Nobody confirms for a device that is not there.
    let (first, second) = (first.stop().await, second.stop().await);
    let to = ann.to_non_ad().to_string();
    let id = other.send(&to, "anybody?").await;
    other.acked(&id).await;
    let delivered = |event: &Event| match event {
        Event::Receipt(receipt) => (receipt.r#type == ReceiptType::Delivered).then_some(()),
        _ => None,
    };
    let back = world.named(first, "Ann").await;
    assert_eq!(back.text("anybody?").await, id);
    other.receipt(&id, ReceiptType::Delivered).await;
    assert_eq!(other.picked(delivered).len(), 1);
    drop(second);
}

#[tokio::test]
async fn the_port_for_clients_answers_no_admin_request_unless_it_is_to() {
    let world = World::start().await;
    let base = world.sandbox.ws_url().replace("ws://", "http://");
    let base = base.trim_end_matches("/ws/chat");
    let answer = reqwest::get(format!("{base}/admin/peers")).await;
    assert!(answer.is_err() || !answer.unwrap().status().is_success());
}
