//! Direct messages.

use reqwest::StatusCode;
use serde_json::json;
use wacore::types::presence::ReceiptType;

use crate::client::{PATIENCE, World, jid};

const OWN: &str = "15550000001";
const OTHER: &str = "15550000002";

#[tokio::test]
async fn a_client_pairs_sends_and_learns_of_the_delivery() {
    let world = World::start().await;
    let peer = world.admin.peer(OTHER).await;
    assert_eq!(peer["jid"], format!("{OTHER}@s.whatsapp.net"));
    let companion = world.linked(OWN).await;

    let id = companion.send(OTHER, "hello").await;
    companion.acked(&id).await;
    let from = companion.receipt(&id, ReceiptType::Delivered).await;
    assert!(from.starts_with(OTHER), "{from}");

    let messages = world.admin.wait_messages(OTHER, 1).await;
    let message = &messages[0];
    assert_eq!(message["id"], id);
    assert_eq!(message["content"], "hello");
    assert_eq!(message["type"], "text");
    assert_eq!(message["chat"], format!("{OWN}@s.whatsapp.net"));
    assert_eq!(message["from"], format!("{OWN}@s.whatsapp.net"));
    assert_eq!(message["copies"], 1);

    let ledger = world.admin.ledger(OWN).await;
    assert_eq!(ledger.len(), 1);
    assert_eq!(ledger[0]["id"], id);
    assert_eq!(ledger[0]["from"], format!("{OWN}:1@s.whatsapp.net"));
    assert_eq!(ledger[0]["to"], format!("{OTHER}@s.whatsapp.net"));
    assert_eq!(ledger[0]["attempt"], 1);
}

#[tokio::test]
async fn a_hundred_messages_arrive_in_order() {
    let world = World::start().await;
    world.admin.peer(OTHER).await;
    let companion = world.linked(OWN).await;
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(companion.send(OTHER, &number.to_string()).await);
    }
    let messages = world.admin.wait_messages(OTHER, 100).await;
    let arrived: Vec<_> = messages
        .iter()
        .map(|message| message["id"].as_str().unwrap())
        .collect();
    assert_eq!(arrived, ids);
    let ledger = world.admin.ledger(OWN).await;
    let accepted: Vec<_> = ledger
        .iter()
        .map(|entry| entry["id"].as_str().unwrap())
        .collect();
    assert_eq!(accepted, ids);
}

#[tokio::test]
async fn two_clients_write_to_each_other_and_read() {
    let world = World::start().await;
    let (alice, bob) = tokio::join!(world.linked(OWN), world.linked(OTHER));

    let hello = alice.send(OTHER, "hello Bob").await;
    assert_eq!(bob.text("hello Bob").await, hello);
    alice.receipt(&hello, ReceiptType::Delivered).await;
    bob.client
        .mark_as_read(&jid(OWN), None, &[&hello])
        .await
        .unwrap();
    let reader = alice.receipt(&hello, ReceiptType::Read).await;
    assert!(reader.starts_with(&format!("{OTHER}:1@")), "{reader}");

    let answer = bob.send(OWN, "hello Alice").await;
    assert_eq!(alice.text("hello Alice").await, answer);
    bob.acked(&answer).await;

    // Both phones saw the whole conversation.
    for phone in [OWN, OTHER] {
        let path = format!("/admin/peers/{phone}/messages?sent=true");
        let shown = tokio::time::timeout(PATIENCE, async {
            loop {
                let shown = world.admin.get(&path).await["data"]
                    .as_array()
                    .unwrap()
                    .clone();
                if shown.len() == 2 {
                    return shown;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
        let texts: Vec<_> = shown
            .iter()
            .map(|shown| shown["content"].as_str().unwrap())
            .collect();
        assert_eq!(texts, ["hello Bob", "hello Alice"]);
        let directions: Vec<_> = shown.iter().map(|shown| &shown["direction"]).collect();
        let expected = if phone == OWN {
            ["sent", "received"]
        } else {
            ["received", "sent"]
        };
        assert_eq!(directions, expected);
    }
}

#[tokio::test]
async fn lid_addressed_accounts_write_to_each_other_and_to_people() {
    let world = World::start().await;
    let peer = world.admin.peer("15550000003").await;
    let alice = world.linked_with(OWN, true).await;
    let bob = world.linked_with(OTHER, true).await;

    let id = alice.send(OTHER, "by LID").await;
    assert_eq!(bob.text("by LID").await, id);
    alice.receipt(&id, ReceiptType::Delivered).await;
    let chat = bob
        .wait("the chat", |event| match event {
            whatsapp_rust::prelude::Event::Messages(batch) => batch
                .messages
                .iter()
                .find(|inbound| inbound.info.id == id)
                .map(|inbound| inbound.info.source.chat.to_string()),
            _ => None,
        })
        .await;
    assert!(chat.ends_with("@lid"), "{chat}");
    let back = bob.send(OWN, "and back").await;
    assert_eq!(alice.text("and back").await, back);

    // A person, addressed by LID, answers by LID; the API speaks phone numbers.
    let id = alice
        .send(peer["lid"].as_str().unwrap(), "to a person")
        .await;
    alice.receipt(&id, ReceiptType::Delivered).await;
    let messages = world.admin.wait_messages("15550000003", 1).await;
    assert_eq!(messages[0]["chat"], format!("{OWN}@s.whatsapp.net"));
    let answer = world.admin.say("15550000003", OWN, "from a person").await;
    assert_eq!(alice.text("from a person").await, answer);
    world
        .admin
        .post("/admin/peers/15550000003/read", json!({ "id": id }))
        .await;
    alice.receipt(&id, ReceiptType::Read).await;
}

#[tokio::test]
async fn the_same_id_again_is_relayed_again_and_shown_once() {
    let world = World::start().await;
    world.admin.peer(OTHER).await;
    let companion = world.linked(OWN).await;
    for text in ["first", "second"] {
        companion.send_as("3EB0AAAA", OTHER, text).await;
    }
    companion.send_as("3EB0BBBB", OTHER, "last").await;
    let messages = world.admin.wait_messages(OTHER, 2).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["content"], "first");
    assert_eq!(messages[0]["copies"], 2);
    let attempts: Vec<_> = world
        .admin
        .ledger(OWN)
        .await
        .iter()
        .map(|entry| entry["attempt"].clone())
        .collect();
    assert_eq!(attempts, [1, 2, 1]);
}

#[tokio::test]
async fn a_server_that_dedupes_acknowledges_again_and_relays_once() {
    let config = wa_sandbox::Config {
        dedupe: true,
        ..Default::default()
    };
    let world = World::with(config).await;
    world.admin.peer(OTHER).await;
    let companion = world.linked(OWN).await;
    companion.send_as("3EB0AAAA", OTHER, "first").await;
    companion.send_as("3EB0AAAA", OTHER, "second").await;
    companion
        .wait_nth("the second ack", 2, |event| match event {
            whatsapp_rust::prelude::Event::ServerAck(ack) => {
                (ack.id == "3EB0AAAA" && ack.class.as_deref() == Some("message")).then_some(())
            }
            _ => None,
        })
        .await;
    companion.send_as("3EB0BBBB", OTHER, "last").await;
    let messages = world.admin.wait_messages(OTHER, 2).await;
    assert_eq!(messages[0]["copies"], 1);
}

#[tokio::test]
async fn a_message_to_nobody_is_refused() {
    let world = World::start().await;
    let companion = world.linked(OWN).await;
    let id = companion.send("15559999999", "anybody?").await;
    assert_eq!(companion.answer(&id).await.error.as_deref(), Some("404"));
    assert!(world.admin.ledger(OWN).await.is_empty());
    let (status, _) = world
        .admin
        .try_post(
            "/admin/peers/15559999999/send",
            json!({ "to": OWN, "type": "text", "text": "x" }),
        )
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
