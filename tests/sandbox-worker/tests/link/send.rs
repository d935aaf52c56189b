//! Sending: pinned ids, acknowledgements and what becomes of them.

use std::sync::Arc;
use std::time::Duration;

use gateway_shared::domain::{Content, MessageContext};
use gateway_shared::lane::{Attempt, ReceiptStatus};
use gateway_worker::link::classify::Moment;
use gateway_worker::link::{Fact, LaneEffect, LinkConfig, SendOutcome, SendPolicy, Silence};
use serde_json::json;

use crate::world::{BOB, OWN, World, connected, content, text};

const JUDGED: Moment = Moment {
    now: 0,
    attempt: 1,
    random: 0.0,
};

fn hasty() -> LinkConfig {
    LinkConfig {
        ack_timeout: Duration::from_millis(700),
        // These tests are about the send; see `connection.rs` for the link.
        silent_acks: 100,
        ..LinkConfig::default()
    }
}

fn acked(outcome: &SendOutcome) -> bool {
    matches!(outcome, SendOutcome::Acked { .. })
}

#[tokio::test]
async fn a_text_arrives_under_its_pinned_id_and_is_delivered_and_read() {
    let world = World::start().await;
    let mut linked = world.paired().await;
    let send = text("hello");
    let outcome = linked.link.send(&send).await;
    assert!(acked(&outcome), "{outcome:?}");

    let id = &send.wa_message_id;
    let held = world.held(BOB, id).await;
    assert_eq!(held["content"], "hello");
    assert_eq!(held["from"], format!("{OWN}@s.whatsapp.net"));
    assert_eq!(held["copies"], 1);

    let delivered = linked.receipt(id, ReceiptStatus::Delivered).await;
    assert_eq!(delivered.sender.as_str(), format!("{BOB}@s.whatsapp.net"));
    assert!(delivered.at > 0);
    world
        .post(&format!("/admin/peers/{BOB}/read"), &json!({ "id": id }))
        .await;
    linked.receipt(id, ReceiptStatus::Read).await;
}

#[tokio::test]
async fn a_reply_quotes_and_mentions() {
    let world = World::start().await;
    let linked = world.paired().await;
    let asked = world.say(BOB, OWN, "well?").await;
    linked.sink.called(1).await;
    let send = content(Content::Text {
        text: "yes @15550000002".into(),
        context: MessageContext {
            reply_to: Some(asked.clone()),
            mentions: vec![BOB.parse().unwrap()],
            ..MessageContext::default()
        },
    });
    assert!(acked(&linked.link.send(&send).await));
    let held = world.held(BOB, &send.wa_message_id).await;
    assert_eq!(held["content"], "yes @15550000002");
    assert_eq!(held["context"]["quoted"]["id"], asked);
    assert_eq!(
        held["context"]["mentions"],
        json!([format!("{BOB}@s.whatsapp.net")])
    );
}

#[tokio::test]
async fn a_lid_addressed_account_sends_and_hears_of_it() {
    let world = World::start().await;
    let mut linked = world.unpaired().await;
    world.scan(&mut linked, true).await;
    linked.until(connected).await;
    let send = text("by lid");
    assert!(acked(&linked.link.send(&send).await));
    linked
        .receipt(&send.wa_message_id, ReceiptStatus::Delivered)
        .await;
    assert_eq!(
        world.held(BOB, &send.wa_message_id).await["content"],
        "by lid"
    );
}

#[tokio::test]
async fn refusals_come_with_their_code_and_leave_the_link_alone() {
    let world = World::start().await;
    let linked = world.paired().await;
    let policy = SendPolicy::default();
    for code in [400_u16, 479, 500, 421, 429, 463] {
        world.fault(&format!("nack {code}"), 1).await;
        let outcome = linked.link.send(&text("no")).await;
        assert_eq!(outcome, SendOutcome::Nacked { code });
        let verdict = policy.judge(&outcome, JUDGED);
        match code {
            400 | 479 => assert!(matches!(verdict.attempt, Attempt::Dead(_))),
            429 => {
                assert_eq!(verdict.attempt, Attempt::Release);
                assert!(matches!(verdict.lane, LaneEffect::Pause { .. }));
            }
            463 => assert!(matches!(verdict.lane, LaneEffect::HoldNewChats { .. })),
            _ => assert!(matches!(verdict.attempt, Attempt::Retry(..))),
        }
    }
    assert!(linked.link.is_connected());
    assert!(acked(&linked.link.send(&text("yes")).await));
}

#[tokio::test]
async fn a_receipt_stands_in_for_a_lost_ack() {
    let world = World::start().await;
    let linked = world.paired().await;
    world.fault("drop_ack", 1).await;
    let outcome = linked.link.send(&text("hello")).await;
    assert!(acked(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_lost_ack_is_silence_and_the_repeat_is_the_same_message() {
    let world = World::start().await;
    let linked = world.paired_as(hasty(), Arc::default()).await;
    // A phone that is off sends no receipt that could stand in for the ack.
    let phone = format!("/admin/peers/{BOB}");
    world.post(&format!("{phone}/sleep"), &json!({})).await;
    world.fault("drop_ack", 1).await;
    let mut send = text("once");
    let outcome = linked.link.send(&send).await;
    assert_eq!(outcome, SendOutcome::Unacked(Silence::Timeout));
    assert!(linked.link.is_connected());

    send.attempt = 2;
    assert!(acked(&linked.link.send(&send).await));
    world.post(&format!("{phone}/wake"), &json!({})).await;
    world.held(BOB, &send.wa_message_id).await;
    let messages = world.get(&format!("{phone}/messages")).await;
    let shown = messages["data"].as_array().unwrap();
    assert_eq!(shown.len(), 1, "{messages}");
    let ledger = world.get(&format!("/admin/ledger?phone={OWN}")).await;
    let ids: Vec<_> = ledger["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "message")
        .map(|entry| entry["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [&*send.wa_message_id, &*send.wa_message_id]);
}

#[tokio::test]
async fn a_cut_under_a_send_is_a_lost_link_and_the_repeat_arrives_once() {
    for (action, accepted) in [("cut", 1), ("cut_after", 2)] {
        let world = World::start().await;
        let mut linked = world.paired().await;
        let phone = format!("/admin/peers/{BOB}");
        world.post(&format!("{phone}/sleep"), &json!({})).await;
        world.fault(action, 1).await;
        let mut send = text("once");
        let outcome = linked.link.send(&send).await;
        assert_eq!(outcome, SendOutcome::Unacked(Silence::LinkLost), "{action}");
        assert_eq!(
            SendPolicy::default().judge(&outcome, JUDGED).attempt,
            Attempt::Cut
        );
        linked
            .until(|fact| matches!(fact, Fact::Disconnected { .. }).then_some(()))
            .await;
        linked.until(connected).await;

        send.attempt = 2;
        assert!(acked(&linked.link.send(&send).await), "{action}");
        world.post(&format!("{phone}/wake"), &json!({})).await;
        world.held(BOB, &send.wa_message_id).await;
        let messages = world.get(&format!("{phone}/messages")).await;
        assert_eq!(messages["data"].as_array().unwrap().len(), 1, "{action}");
        let ledger = world.get(&format!("/admin/ledger?phone={OWN}")).await;
        assert_eq!(ledger["data"].as_array().unwrap().len(), accepted);
    }
}

#[tokio::test]
async fn many_sends_at_once_each_get_their_own_answer() {
    let world = World::start().await;
    let linked = world.paired().await;
    let sends: Vec<_> = (0..50).map(|number| text(&format!("{number}"))).collect();
    let mut running = tokio::task::JoinSet::new();
    for send in sends.clone() {
        let link = Arc::clone(&linked.link);
        running.spawn(async move { link.send(&send).await });
    }
    while let Some(outcome) = running.join_next().await {
        assert!(acked(&outcome.unwrap()));
    }
    for send in &sends {
        assert_eq!(world.held(BOB, &send.wa_message_id).await["copies"], 1);
    }
}
