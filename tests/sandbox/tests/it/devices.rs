//! Several companions of one account.

use wacore::types::presence::ReceiptType;

use crate::client::World;

const OWN: &str = "15550000001";
const OTHER: &str = "15550000002";

#[tokio::test]
async fn a_second_companion_sees_what_is_sent_and_what_comes() {
    let world = World::start().await;
    world.admin.peer(OTHER).await;
    let first = world.linked(OWN).await;
    let second = world.linked(OWN).await;

    let id = first.send(OTHER, "from the first").await;
    assert_eq!(second.text("from the first").await, id, "its own copy");
    first.receipt(&id, ReceiptType::Delivered).await;

    let id = world.admin.say(OTHER, OWN, "to both").await;
    assert_eq!(first.text("to both").await, id);
    assert_eq!(second.text("to both").await, id);

    let id = second.send(OTHER, "from the second").await;
    assert_eq!(first.text("from the second").await, id);
    let shown = world.admin.wait_messages(OTHER, 2).await;
    assert_eq!(shown[1]["fromDevice"], 2);
    assert_eq!(shown[1]["from"], format!("{OWN}@s.whatsapp.net"));
}

#[tokio::test]
async fn who_knows_a_device_list_is_told_when_it_changes() {
    let world = World::start().await;
    let alice = world.linked(OWN).await;
    let first = world.linked(OTHER).await;
    alice.send(OTHER, "to one").await;
    first.text("to one").await;

    // Alice has the list of one companion cached.
    let second = world.linked(OTHER).await;
    alice
        .wait("the news of the device", |event| {
            matches!(event, whatsapp_rust::prelude::Event::DeviceListUpdate(_)).then_some(())
        })
        .await;
    let id = alice.send(OTHER, "to two").await;
    assert_eq!(first.text("to two").await, id);
    assert_eq!(second.text("to two").await, id);

    // And when one goes.
    let path = format!("/admin/accounts/{OTHER}/logout");
    world
        .admin
        .post(&path, serde_json::json!({ "device": 1 }))
        .await;
    alice
        .wait_nth("the news of its end", 2, |event| {
            matches!(event, whatsapp_rust::prelude::Event::DeviceListUpdate(_)).then_some(())
        })
        .await;
    let id = alice.send(OTHER, "to the second").await;
    assert_eq!(second.text("to the second").await, id);
    alice.acked(&id).await;
}
