//! Forwarding: what of a message, and what not.

use gateway_shared::domain::{Content, KnownMessage};
use redis::AsyncCommands;
use reqwest::Method;
use serde_json::json;

use super::{BOB, BOB_LID, GROUP, Stage, invalid, not_found};
use crate::world::now;

#[tokio::test]
async fn what_is_forwarded_is_marked_and_whole() {
    let stage = Stage::set().await;
    let forwarded = async |id: &str| {
        let rest = format!("/{id}/forward");
        let (_, send) = stage.done(Method::POST, &rest, &json!({"to": GROUP})).await;
        assert_eq!(send.to.as_str(), GROUP);
        (send.wa_message_id, send.content.unwrap())
    };
    // Our own text, and what was forwarded once more.
    let long = "x".repeat(1_000);
    let own = stage
        .sent(json!({"type": "text", "to": BOB, "text": long, "replyTo": "Q"}))
        .await;
    let (again, content) = forwarded(&own).await;
    let Content::Text { text, context } = content else {
        panic!("no text");
    };
    assert_eq!(
        (text, context.forwarded, context.reply_to),
        (long.clone(), 1, None)
    );
    let (_, content) = forwarded(&again).await;
    assert_eq!(content.context().unwrap().forwarded, 2);

    // What others said, from the event that told it.
    let payload = json!({"type": "text", "text": long, "forwardingScore": 3});
    stage.received("TEXT", BOB_LID, "text", payload).await;
    let (_, content) = forwarded("TEXT").await;
    let Content::Text { text, context } = content else {
        panic!("no text");
    };
    assert_eq!((text, context.forwarded), (long, 4));
    let payload = json!({"type": "poll", "poll":
        {"name": "?", "options": ["a", "b"], "selectableCount": 0}});
    stage.received("POLL", BOB_LID, "poll", payload).await;
    let (_, content) = forwarded("POLL").await;
    let Content::Poll { poll, .. } = content else {
        panic!("no poll");
    };
    assert!(poll.secret.is_some() && poll.selectable_count == 0);
    let payload = json!({"type": "location", "location": {"latitude": 1.5, "longitude": 2.5}});
    stage.received("PLACE", BOB_LID, "location", payload).await;
    let (_, content) = forwarded("PLACE").await;
    assert_eq!(content.kind(), "location");
    let payload = json!({"type": "contact", "contact": {"name": "A", "vcard": "BEGIN:VCARD"}});
    stage.received("CARD", BOB_LID, "contact", payload).await;
    let (_, content) = forwarded("CARD").await;
    assert_eq!(content.kind(), "contact");
}

#[tokio::test]
async fn what_can_not_be_forwarded_says_why() {
    let stage = Stage::set().await;
    let to = json!({"to": BOB});
    stage.received("IMAGE", BOB_LID, "image", json!({})).await;
    let got = stage.ask(Method::POST, "/IMAGE/forward", &to).await;
    assert_eq!(
        (got.status.as_u16(), got.reason()),
        (409, "content_not_kept")
    );
    stage.received("OTHER", BOB_LID, "other", json!({})).await;
    invalid(&stage.ask(Method::POST, "/OTHER/forward", &to).await, "mid");
    invalid(
        &stage.ask(Method::POST, "/IMAGE/forward", &json!({})).await,
        "to",
    );
    not_found(&stage.ask(Method::POST, "/NONE/forward", &to).await);
    // The event is gone, and the index has but an excerpt.
    let mut known = KnownMessage::new(BOB_LID, "text", now(), &"x".repeat(1_000));
    known.sender = Some(BOB_LID.into());
    stage
        .owner
        .hears(&stage.world, "GONE", known, json!({}))
        .await;
    let stream = format!(
        "{}:ev",
        stage.world.store.keys.partition(&stage.world.organization)
    );
    let _: () = stage
        .world
        .store
        .connection
        .clone()
        .del(stream)
        .await
        .unwrap();
    let got = stage.ask(Method::POST, "/GONE/forward", &to).await;
    assert_eq!(
        (got.status.as_u16(), got.reason()),
        (409, "content_not_kept")
    );
}

#[tokio::test]
async fn what_was_received_is_forwarded_with_all_its_fields() {
    let stage = Stage::set().await;
    let forwarded = async |id: &str| {
        let rest = format!("/{id}/forward");
        let (_, send) = stage.done(Method::POST, &rest, &json!({"to": GROUP})).await;
        send.content.unwrap()
    };
    let location = json!({"latitude": -6.2, "longitude": 106.816_666_000_000_01, "name": "Monas",
        "address": "Jalan Merdeka 1", "live": false});
    let payload = json!({"type": "location", "location": location});
    stage.received("PLACE", BOB_LID, "location", payload).await;
    let Content::Location {
        longitude,
        name,
        address,
        ..
    } = forwarded("PLACE").await
    else {
        panic!("no place");
    };
    assert_eq!(longitude.to_bits(), 106.816_666_000_000_01_f64.to_bits());
    assert_eq!(name.as_deref(), Some("Monas"));
    assert_eq!(address.as_deref(), Some("Jalan Merdeka 1"));

    let card =
        |name: &str| json!({"name": name, "vcard": format!("BEGIN:VCARD\nFN:{name}\nEND:VCARD")});
    let payload = json!({"type": "contact_list", "text": "2 contacts", "contact_list": {"contacts": [card("A"), card("B")]}});
    stage
        .received("CARDS", BOB_LID, "contact_list", payload)
        .await;
    let Content::Contacts { name, cards, .. } = forwarded("CARDS").await else {
        panic!("no cards");
    };
    let names: Vec<_> = cards.iter().map(|card| card.name.as_str()).collect();
    assert_eq!((name.as_str(), names), ("2 contacts", vec!["A", "B"]));
}
