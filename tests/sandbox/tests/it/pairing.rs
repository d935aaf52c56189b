//! Linking.

use reqwest::StatusCode;
use serde_json::json;
use whatsapp_rust::prelude::*;

use crate::client::World;

#[tokio::test]
async fn a_new_phone_scans_plain_text_and_gets_a_number() {
    let world = World::start().await;
    let companion = world.unlinked().await;
    let code = companion.qr_code().await;
    let url = format!("{}/admin/scan-qr", world.sandbox.admin_url());
    let response = reqwest::Client::new()
        .post(url)
        .body(code.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let linked: serde_json::Value = response.json().await.unwrap();
    companion.connected().await;
    let phone = linked["phone"].as_str().unwrap();
    assert!(phone.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(linked["deviceJid"], format!("{phone}:1@s.whatsapp.net"));
    let paired = companion
        .wait("PairSuccess", |event| match event {
            Event::PairSuccess(success) => Some((success.id.to_string(), success.lid.to_string())),
            _ => None,
        })
        .await;
    assert_eq!(json!(paired.0), linked["deviceJid"]);
    assert_eq!(json!(paired.1), linked["deviceLid"]);

    // The code is used up.
    let (status, _) = world
        .admin
        .try_post("/admin/scan-qr", json!({ "code": code }))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_link_code_links_and_a_wrong_one_does_not() {
    let world = World::start().await;
    let companion = world.with_pair_code("15550000001").await;
    let code = companion
        .wait("a link code", |event| match event {
            Event::PairingCode(code) => Some(code.code.clone()),
            _ => None,
        })
        .await;

    let wrong = if code == "ABCD2345" {
        "ABCD2346"
    } else {
        "ABCD2345"
    };
    let body = json!({ "phone": "15550000001", "code": wrong });
    let (status, answer) = world.admin.try_post("/admin/link-code", body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");

    // As people write it: in two groups, in small letters.
    let code = format!("{}-{}", &code[..4], &code[4..]).to_lowercase();
    let body = json!({ "phone": "15550000001", "code": code });
    let linked = world.admin.post("/admin/link-code", body).await;
    assert_eq!(linked["deviceJid"], "15550000001:1@s.whatsapp.net");
    companion.connected().await;
    world.admin.peer("15550000002").await;
    let id = companion.send("15550000002", "linked by code").await;
    companion.acked(&id).await;
}

#[tokio::test]
async fn many_pair_at_once() {
    let world = World::start().await;
    world.admin.peer("15550000099").await;
    let phones: Vec<String> = (10..20)
        .map(|number| format!("155500000{number}"))
        .collect();
    let linking = phones.iter().map(|phone| world.linked(phone));
    let companions = futures_util::future::join_all(linking).await;
    for companion in &companions {
        let id = companion.send("15550000099", "hello").await;
        companion.acked(&id).await;
    }
    assert_eq!(world.admin.wait_messages("15550000099", 10).await.len(), 10);
}
