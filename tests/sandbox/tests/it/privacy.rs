//! Accounts that keep strangers out.

use serde_json::json;

use crate::client::World;

const OWN: &str = "15550000001";
const OTHER: &str = "15550000002";

#[tokio::test]
async fn a_restricted_account_takes_messages_from_those_it_has_written_to() {
    let world = World::start().await;
    let (alice, bob) = tokio::join!(world.linked_with(OWN, true), world.linked_with(OTHER, true));
    let path = format!("/admin/accounts/{OWN}/restrict");
    world.admin.post(&path, json!({ "restricted": true })).await;

    let stranger = bob.send(OWN, "who are you?").await;
    let refused = bob.answer(&stranger).await;
    assert_eq!(refused.error.as_deref(), Some("463"));

    alice.send(OTHER, "hello").await;
    bob.text("hello").await;
    let lid = alice.client.lid().unwrap().user.to_string();
    // His own message left a row without a token: when he made one for alice.
    let held = tokio::time::timeout(crate::client::PATIENCE, async {
        loop {
            let row = bob.client.tc_token().get(&lid).await.unwrap();
            if row.is_some_and(|row| !row.token.is_empty()) {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    held.await.expect("bob got no token");
    let known = bob.send(OWN, "now I know").await;
    bob.acked(&known).await;
    assert_eq!(alice.text("now I know").await, known);
    let texts = alice.texts();
    assert!(texts.iter().all(|(id, _)| *id != stranger), "{texts:?}");
}
