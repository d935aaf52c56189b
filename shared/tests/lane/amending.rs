//! The message index follows what becomes of messages: edits, and messages taken back.

use gateway_shared::domain::{Amendment, Content, KnownMessage, OutboxId, SendFailure, Target};
use gateway_shared::lane::{Attempt, EnqueueRequest, Receipt, ReceiptStatus};
use gateway_shared::messages::Whole;
use gateway_shared::session::{InboundEvent, Sessions};

use crate::messages::{found, hear};
use crate::world::{RETENTION, World, jid};

const BOB: &str = "300@lid";

fn target(id: &str, sender: Option<&str>) -> Target {
    Target {
        id: id.to_owned(),
        sender: sender.map(str::to_owned),
    }
}

/// A message of ours that WhatsApp has. Returns its id there.
async fn sent(world: &World, chat: &str) -> String {
    let send = world.send(chat);
    let wa = send.wa_message_id.clone();
    let id = world.accept(send).await;
    world.claims(1, &[&id]).await;
    world.sent(&id).await;
    wa
}

/// Accepts and claims an operation of ours.
async fn order(world: &World, chat: &str, content: Content) -> (OutboxId, String) {
    let send = EnqueueRequest {
        content,
        ..world.send(chat)
    };
    let wa = send.wa_message_id.clone();
    let id = world.accept(send).await;
    world.claims(1, &[&id]).await;
    (id, wa)
}

fn edit(id: &str, text: &str) -> Content {
    Content::Edit {
        target: target(id, None),
        text: text.to_owned(),
        mentions: Vec::new(),
    }
}

/// Somebody in the chat with Bob changes a message.
async fn received(world: &World, id: &str, amends: Amendment) {
    let sessions = Sessions::new(world.store.clone(), &RETENTION);
    let event = InboundEvent {
        identity: format!("{BOB}|{BOB}|{id}"),
        kind: "message.edited",
        payload: format!("{{\"told\":\"{id}\"}}"),
        id: id.to_owned(),
        known: None,
        amends: Some(amends),
        ..InboundEvent::default()
    };
    let events = [event];
    let emitted = sessions.emit_inbound(world.now(), world.owner(), &events);
    assert_eq!(emitted.await.unwrap(), 1);
}

fn here() -> Vec<String> {
    vec![BOB.to_owned()]
}

#[tokio::test]
async fn our_edit_counts_once_whatsapp_has_it() {
    let world = World::new().await;
    let wa = sent(&world, "a").await;
    let before = found(&world, &wa, None).await.unwrap();
    world.advance(5);
    let long = "é".repeat(200);
    let (id, _) = order(&world, "a", edit(&wa, &long)).await;
    assert_eq!(found(&world, &wa, None).await.unwrap(), before, "under way");
    world.sent(&id).await;
    let after = found(&world, &wa, Some(&jid("a"))).await.unwrap();
    assert_eq!(after.message.excerpt, "é".repeat(128));
    assert!(after.message.cut && after.message.was_sent_here());
    assert_eq!(
        after.taken_at(),
        before.taken_at(),
        "it is as old as it was"
    );
    assert_eq!(after.message.time, before.message.time);
    let Some(Whole::Sent(body)) = &after.content else {
        panic!("our own content");
    };
    let body: Content = serde_json::from_str(body).unwrap();
    assert_eq!(body, edit(&wa, &long));

    let (id, _) = order(&world, "a", edit(&wa, "short")).await;
    world.sent(&id).await;
    let after = found(&world, &wa, None).await.unwrap();
    assert_eq!(
        (after.message.excerpt.as_str(), after.message.cut),
        ("short", false)
    );
}

#[tokio::test]
async fn what_whatsapp_refuses_changes_nothing() {
    let world = World::new().await;
    let wa = sent(&world, "a").await;
    let before = found(&world, &wa, None).await;
    let revoke = Content::Revoke {
        target: target(&wa, None),
    };
    for content in [edit(&wa, "no"), revoke] {
        let (id, _) = order(&world, "a", content).await;
        let refused = Attempt::Dead(SendFailure::new("refused", "refused"));
        world.settle(&id, refused).await;
        assert_eq!(found(&world, &wa, None).await, before);
    }
}

/// The acknowledgement got lost, and the recipient's receipt says that it was taken.
#[tokio::test]
async fn a_receipt_of_an_operation_says_as_much() {
    let world = World::new().await;
    let wa = sent(&world, "a").await;
    let (_, edit) = order(&world, "a", edit(&wa, "better")).await;
    let receipt = Receipt {
        status: ReceiptStatus::Delivered,
        at: world.now(),
        chat: &jid("a"),
        sender: BOB,
        wa_message_id: &edit,
    };
    let receipts = [receipt];
    let moved = world.lanes.receipts(world.now(), world.owner(), &receipts);
    moved.await.unwrap();
    assert_eq!(
        found(&world, &wa, None).await.unwrap().message.excerpt,
        "better"
    );
}

#[tokio::test]
async fn what_was_taken_back_is_known_no_more() {
    let world = World::new().await;
    let own = sent(&world, "a").await;
    hear(&world, "THEIRS", BOB, "psst").await;
    for (wa, sender) in [(own.as_str(), None), ("THEIRS", Some(BOB))] {
        let content = Content::Revoke {
            target: target(wa, sender),
        };
        let chat = found(&world, wa, None).await.unwrap().message.chat;
        let send = EnqueueRequest {
            content,
            to: chat.parse().unwrap(),
            ..world.send("a")
        };
        let id = world.accept(send).await;
        world.claims(1, &[&id]).await;
        assert!(found(&world, wa, None).await.is_some(), "under way");
        world.sent(&id).await;
        assert_eq!(found(&world, wa, None).await, None);
    }
}

#[tokio::test]
async fn only_its_author_changes_a_message_and_in_groups_an_admin_takes_it_back() {
    let world = World::new().await;
    hear(&world, "THEIRS", BOB, "helo").await;
    let before = found(&world, "THEIRS", None).await;
    let (bob, eve) = (vec![BOB.to_owned()], vec!["666@lid".to_owned()]);
    let elsewhere = vec!["400@lid".to_owned()];
    for (id, amends) in [
        ("E1", Amendment::edit("THEIRS", here(), eve.clone(), "evil")),
        ("E2", Amendment::edit("THEIRS", here(), Vec::new(), "evil")),
        (
            "E3",
            Amendment::edit("THEIRS", elsewhere, bob.clone(), "evil"),
        ),
        ("E4", Amendment::edit("OTHER", here(), bob.clone(), "evil")),
        ("E5", Amendment::revoke("THEIRS", here(), eve.clone())),
    ] {
        received(&world, id, amends).await;
        assert_eq!(found(&world, "THEIRS", None).await, before, "{id}");
    }
    // Whoever has two names is known by either.
    let names = [eve.clone(), bob.clone()].concat();
    received(
        &world,
        "E6",
        Amendment::edit("THEIRS", here(), names, "hello"),
    )
    .await;
    let edited = found(&world, "THEIRS", None).await.unwrap();
    assert_eq!(edited.message.excerpt, "hello");
    assert_eq!(
        edited.content,
        Some(Whole::Emitted("{\"told\":\"E6\"}".into()))
    );

    let by_admin = Amendment {
        whosever: true,
        ..Amendment::revoke("THEIRS", here(), eve)
    };
    received(&world, "E7", by_admin).await;
    assert_eq!(found(&world, "THEIRS", None).await, None);
}

/// A message of ours may be edited on the phone, and its author is this account then.
#[tokio::test]
async fn what_another_device_of_ours_edits_is_followed_and_keeps_its_history() {
    let world = World::new().await;
    let wa = sent(&world, "a").await;
    let taken = found(&world, &wa, None).await.unwrap().taken_at();
    world.advance(1_000);
    let chats = vec!["1@lid".to_owned(), jid("a")];
    received(
        &world,
        "E1",
        Amendment::edit(&wa, chats, Vec::new(), "better"),
    )
    .await;
    let edited = found(&world, &wa, None).await.unwrap();
    assert_eq!(edited.message.excerpt, "better");
    assert!(edited.message.was_sent_here());
    assert_eq!(edited.taken_at(), taken);
    assert_eq!(
        edited.content,
        Some(Whole::Emitted("{\"told\":\"E1\"}".into()))
    );
    // And here again after that.
    let (id, _) = order(&world, "a", edit(&wa, "best")).await;
    world.sent(&id).await;
    let edited = found(&world, &wa, None).await.unwrap();
    assert!(matches!(edited.content, Some(Whole::Sent(_))));
    assert_eq!(edited.message.excerpt, "best");
}

/// The caption of a picture is edited: what is quoted follows, and the picture stays where it was.
#[tokio::test]
async fn a_caption_is_followed() {
    let world = World::new().await;
    let mut known = KnownMessage::new(BOB, "image", world.now(), "a caption");
    known.sender = Some(BOB.to_owned());
    let sessions = Sessions::new(world.store.clone(), &RETENTION);
    let event = InboundEvent {
        identity: "picture".into(),
        kind: "message",
        payload: "{\"picture\":1}".into(),
        id: "PICTURE".into(),
        known: Some(known),
        amends: None,
        ..InboundEvent::default()
    };
    let events = [event];
    let emitted = sessions.emit_inbound(world.now(), world.owner(), &events);
    emitted.await.unwrap();
    received(
        &world,
        "E1",
        Amendment::edit("PICTURE", here(), here(), "another"),
    )
    .await;
    let edited = found(&world, "PICTURE", None).await.unwrap();
    assert_eq!(edited.message.excerpt, "another");
    assert_eq!(
        edited.content,
        Some(Whole::Emitted("{\"picture\":1}".into()))
    );
}
