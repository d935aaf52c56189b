//! What happens while a companion is away.

use wacore::types::presence::ReceiptType;

use crate::client::World;

const OWN: &str = "15550000001";
const OTHER: &str = "15550000002";

#[tokio::test]
async fn messages_wait_for_a_companion_and_come_once_in_order() {
    let world = World::start().await;
    let alice = world.linked(OWN).await;
    let bob = world.linked(OTHER).await;
    bob.send(OWN, "before").await;
    alice.text("before").await;
    let store = bob.stop().await;

    let texts: Vec<String> = (0..8).map(|number| format!("message {number}")).collect();
    let mut ids = Vec::new();
    for text in &texts {
        ids.push(alice.send(OTHER, text).await);
    }
    for id in &ids {
        alice.acked(id).await;
    }

    let bob = world.restarted(&store).await;
    bob.text("message 7").await;
    let arrived: Vec<String> = bob.texts().into_iter().map(|(_, text)| text).collect();
    assert_eq!(arrived, texts);
    // The companion's own receipts, beside those of the phone.
    for id in &ids {
        alice
            .wait(
                &format!("the companion's receipt of {id}"),
                |event| match event {
                    whatsapp_rust::prelude::Event::Receipt(receipt)
                        if receipt.r#type == ReceiptType::Delivered
                            && receipt.source.sender.device == 1
                            && receipt.message_ids.contains(id) =>
                    {
                        Some(())
                    }
                    _ => None,
                },
            )
            .await;
    }

    // What was confirmed does not come again.
    let store = bob.stop().await;
    let bob = world.restarted(&store).await;
    bob.connected().await;
    let last = alice.send(OTHER, "after").await;
    assert_eq!(bob.text("after").await, last);
    assert_eq!(bob.texts().len(), 1);
}

#[tokio::test]
async fn receipts_wait_as_well() {
    let world = World::start().await;
    world.admin.peer(OTHER).await;
    let companion = world.linked(OWN).await;
    world
        .admin
        .post(
            &format!("/admin/peers/{OTHER}/sleep"),
            serde_json::json!({}),
        )
        .await;
    let id = companion.send(OTHER, "for later").await;
    companion.acked(&id).await;
    let store = companion.stop().await;

    world
        .admin
        .post(&format!("/admin/peers/{OTHER}/wake"), serde_json::json!({}))
        .await;
    world.admin.wait_messages(OTHER, 1).await;
    let body = serde_json::json!({ "id": id });
    world
        .admin
        .post(&format!("/admin/peers/{OTHER}/read"), body)
        .await;

    let companion = world.restarted(&store).await;
    companion.receipt(&id, ReceiptType::Delivered).await;
    companion.receipt(&id, ReceiptType::Read).await;
}

#[tokio::test]
async fn a_long_queue_arrives_whole() {
    let world = World::start().await;
    world.admin.peer(OTHER).await;
    let store = world.linked(OWN).await.stop().await;
    for number in 0..450 {
        world
            .admin
            .say(OTHER, OWN, &format!("message {number}"))
            .await;
    }
    let companion = world.restarted(&store).await;
    companion.text("message 449").await;
    assert_eq!(companion.texts().len(), 450);
}
