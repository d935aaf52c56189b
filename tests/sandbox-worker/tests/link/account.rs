//! How the account is seen, whom it can reach, and what it learns from its history.

use std::sync::Arc;

use gateway_worker::link::{LinkConfig, NotSent, SendOutcome};
use serde_json::{Value, json};
use wacore::store::traits::ProtocolStore;

use crate::world::{BOB, OWN, World, connected, content, text};
use gateway_shared::domain::{Content, MessageContext};

async fn shown(world: &World) -> Vec<bool> {
    let answer = world.get(&format!("/admin/accounts/{OWN}/presence")).await;
    let shown = answer["data"].as_array().unwrap().iter();
    shown
        .map(|one| one["available"].as_bool().unwrap())
        .collect()
}

/// Waits until the account was last shown like this, after it was shown at all.
async fn settles(world: &World, online: bool) {
    world
        .eventually(&format!("/admin/accounts/{OWN}/presence"), |answer| {
            let last = answer["data"].as_array()?.last()?;
            (last["available"] == json!(online)).then_some(())
        })
        .await;
}

#[tokio::test]
async fn an_account_is_shown_for_its_name_and_then_is_offline() {
    let world = World::start().await;
    let linked = world.paired().await;
    settles(&world, false).await;
    // The server learns the name only from an account that says it is there.
    let before = shown(&world).await;
    assert!(before.contains(&true), "{before:?}");

    world
        .post(&format!("/admin/accounts/{OWN}/disconnect"), &json!({}))
        .await;
    world
        .eventually(&format!("/admin/accounts/{OWN}/presence"), |answer| {
            (answer["data"].as_array()?.len() >= before.len() + 2).then_some(())
        })
        .await;
    settles(&world, false).await;
    linked.link.show_presence(true).await.unwrap();
    settles(&world, true).await;
    linked.link.show_presence(false).await.unwrap();
    settles(&world, false).await;
}

#[tokio::test]
async fn an_account_that_is_to_be_online_stays_so() {
    let world = World::start().await;
    let config = LinkConfig {
        online: true,
        ..LinkConfig::default()
    };
    let mut linked = world.paired_as(config, Arc::default()).await;
    settles(&world, true).await;
    world
        .post(&format!("/admin/accounts/{OWN}/disconnect"), &json!({}))
        .await;
    linked.until(connected).await;
    let outcome = linked.link.send(&text("seen")).await;
    assert!(matches!(outcome, SendOutcome::Acked { .. }), "{outcome:?}");
    let shown = shown(&world).await;
    assert!(!shown.contains(&false), "{shown:?}");
}

/// Nobody of the recipient's devices could be encrypted for: WhatsApp acknowledges what our own
/// phone got, and that is no delivery.
#[tokio::test]
async fn a_message_that_reaches_nobody_is_no_success() {
    let world = World::start().await;
    let linked = world.paired().await;
    let path = format!("/admin/accounts/{BOB}/keyless");
    world.post(&path, &json!({ "on": true })).await;
    let mut send = text("anybody?");
    assert_eq!(linked.link.send(&send).await, SendOutcome::Unreached);
    send.attempt = 2;
    assert_eq!(linked.link.send(&send).await, SendOutcome::Unreached);
    // As soon as there are keys again, the same message reaches them.
    world.post(&path, &json!({ "on": false })).await;
    let outcome = linked.link.send(&send).await;
    assert!(matches!(outcome, SendOutcome::Acked { .. }), "{outcome:?}");
    assert_eq!(
        world.held(BOB, &send.wa_message_id).await["content"],
        "anybody?"
    );
}

#[tokio::test]
async fn a_number_that_is_not_on_whatsapp_is_not_written_to() {
    let world = World::start().await;
    let linked = world.paired().await;
    let mut send = text("hello?");
    send.to = "15559999999".parse().unwrap();
    let outcome = linked.link.send(&send).await;
    assert_eq!(outcome, SendOutcome::NotSent(NotSent::NotRegistered));
    let ledger = world.get(&format!("/admin/ledger?phone={OWN}")).await;
    assert_eq!(ledger["data"], json!([]));
}

/// The account has the number without the ninth digit; it is written to, and looked up, by either.
#[tokio::test]
async fn a_number_that_is_written_in_two_ways_reaches_the_account_that_exists() {
    let world = World::start().await;
    let ana = "551187654321";
    let made = json!({ "phone": ana, "name": "Ana" });
    world.post("/admin/peers", &made).await;
    let linked = world.paired().await;
    let asked: Vec<String> = ["5511987654321", ana, "15559999999"]
        .map(str::to_owned)
        .into();
    let found = linked.link.all_registered(&asked).await.unwrap();
    let numbers: Vec<Option<&str>> = found
        .iter()
        .map(|found| found.as_ref().map(|found| found.number.as_str()))
        .collect();
    let jid = format!("{ana}@s.whatsapp.net");
    assert_eq!(numbers, [Some(jid.as_str()), Some(jid.as_str()), None]);
    let mut send = content(Content::Text {
        text: "oi".into(),
        context: MessageContext::default(),
    });
    send.to = "5511987654321".parse().unwrap();
    let outcome = linked.link.send(&send).await;
    assert!(matches!(outcome, SendOutcome::Acked { .. }), "{outcome:?}");
    assert_eq!(world.held(ana, &send.wa_message_id).await["content"], "oi");
}

/// From the history that the phone sends come the tokens of the people it knows, and who is who. The
/// library stores a token under the number of its chat, since it learns the LIDs of a history last;
/// our key store moves it (`a_token_follows_its_person_to_the_lid`).
#[tokio::test]
async fn a_fresh_link_takes_tokens_and_names_from_the_history() {
    let world = World::start().await;
    let linked = world.paired().await;
    let path = format!("/admin/accounts/{OWN}/history");
    let history = json!({ "device": 1, "contacts": [BOB] });
    let sent = world.post(&path, &history).await;
    let token = sent["tokens"][0].as_str().unwrap().to_owned();
    let lid = lid_of(&world, BOB).await;
    let user = lid.trim_end_matches("@lid").to_owned();
    let taken = async {
        loop {
            if let Some(entry) = linked.backend.get_tc_token(BOB).await.unwrap() {
                return entry;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let taken = tokio::time::timeout(crate::world::PATIENCE, taken)
        .await
        .unwrap();
    assert_eq!(hex(&taken.token), token);
    let mapped = async {
        loop {
            if let Some(mapped) = linked.backend.get_pn_mapping(BOB).await.unwrap() {
                return mapped;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let mapped = tokio::time::timeout(crate::world::PATIENCE, mapped)
        .await
        .unwrap();
    assert_eq!(mapped.lid, user);
}

async fn lid_of(world: &World, phone: &str) -> String {
    let accounts: Value = world.get("/admin/accounts").await;
    let accounts = accounts["data"].as_array().unwrap();
    let account = accounts.iter().find(|one| one["phone"] == phone).unwrap();
    account["lid"].as_str().unwrap().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A renewed conversation goes on: the next message begins the encryption anew.
#[tokio::test]
async fn a_renewed_conversation_goes_on() {
    let world = World::start().await;
    let linked = world.paired().await;
    let before = text("before");
    assert!(matches!(
        linked.link.send(&before).await,
        SendOutcome::Acked { .. }
    ));
    world.held(BOB, &before.wa_message_id).await;
    let devices = linked.link.renew_signal(&BOB.parse().unwrap()).await;
    assert_eq!(devices.unwrap(), 1);
    let after = text("after");
    assert!(matches!(
        linked.link.send(&after).await,
        SendOutcome::Acked { .. }
    ));
    assert_eq!(
        world.held(BOB, &after.wa_message_id).await["content"],
        "after"
    );
    world.say(BOB, OWN, "and back").await;
    linked
        .sink
        .until(|kept| {
            kept.iter()
                .any(|one| one.payload.text.as_deref() == Some("and back"))
        })
        .await;
}
