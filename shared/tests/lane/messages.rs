//! The message index: written with acceptance and with inbound events, bounded, and read back.

use gateway_shared::domain::{Content, KnownMessage, MessageContext};
use gateway_shared::lane::{EnqueueOutcome, EnqueueRequest};
use gateway_shared::messages::{Found, Located, Messages, Wanted, Whole};
use gateway_shared::session::{InboundEvent, Sessions};
use redis::AsyncCommands;

use crate::world::{DAY, RETENTION, World, jid};

/// Records on a page: what the retention allows, over 32 pages.
const PAGE: i64 = 100;

async fn located(world: &World, id: &str, chat: Option<&str>, whole: bool) -> Located {
    let messages = Messages::new(world.store.clone(), &RETENTION);
    let chat = chat.map(|chat| chat.parse().unwrap());
    let wanted = Wanted {
        id,
        chat: chat.as_ref(),
        idempotency: None,
        whole,
    };
    messages.locate(&world.from, wanted).await.unwrap()
}

pub(crate) async fn found(world: &World, id: &str, chat: Option<&str>) -> Option<Found> {
    match located(world, id, chat, true).await {
        Located::Found(found) => Some(*found),
        Located::Unknown => None,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn hear(world: &World, id: &str, sender: &str, text: &str) {
    let sessions = Sessions::new(world.store.clone(), &RETENTION);
    let mut known = KnownMessage::new(sender, "text", world.now(), text);
    known.sender = Some(sender.to_owned());
    let event = InboundEvent {
        identity: format!("{sender}|{sender}|{id}"),
        kind: "message",
        payload: format!("{{\"text\":\"{text}\"}}"),
        id: id.to_owned(),
        known: Some(known),
        ..InboundEvent::default()
    };
    let events = [event];
    let emitted = sessions.emit_inbound(world.now(), world.owner(), &events);
    emitted.await.unwrap();
}

#[tokio::test]
async fn what_was_accepted_and_what_was_heard_is_known() {
    let world = World::new().await;
    let send = world.send("a");
    let id = world.accept(send.clone()).await;
    let wa = send.wa_message_id.as_str();
    for chat in [None, Some(jid("a"))] {
        let found = found(&world, wa, chat.as_deref()).await.unwrap();
        assert!(found.message.was_sent_here());
        assert_eq!(found.message.excerpt, "hello");
        assert_eq!(found.taken_at(), None, "it waits");
        let Some(Whole::Sent(body)) = found.content else {
            panic!("our own content");
        };
        assert_eq!(
            serde_json::from_str::<Content>(&body).unwrap(),
            send.content
        );
    }
    assert_eq!(found(&world, wa, Some(&jid("b"))).await, None);
    assert_eq!(located(&world, "X", None, false).await, Located::Unknown);
    world.advance(5);
    world.claims(1, &[&id]).await;
    world.sent(&id).await;
    let taken = found(&world, wa, None).await.unwrap().taken_at();
    assert_eq!(taken, Some(world.now()));

    hear(&world, "THEIRS", "300@lid", "psst").await;
    let theirs = found(&world, "THEIRS", Some("300@lid")).await.unwrap();
    assert!(theirs.message.is_by("300@lid"));
    assert_eq!(
        theirs.content,
        Some(Whole::Emitted("{\"text\":\"psst\"}".into()))
    );
    let known = located(&world, "THEIRS", None, false).await;
    assert!(matches!(known, Located::Found(found) if found.content.is_none()));
}

#[tokio::test]
async fn an_operation_is_not_indexed_and_a_known_key_comes_first() {
    let world = World::new().await;
    let send = EnqueueRequest {
        content: Content::Revoke {
            target: gateway_shared::domain::Target {
                id: "X".into(),
                sender: None,
            },
        },
        idempotency: crate::world::key_of("h", "f"),
        ..world.send("a")
    };
    world.accept(send.clone()).await;
    assert_eq!(found(&world, &send.wa_message_id, None).await, None);
    let messages = Messages::new(world.store.clone(), &RETENTION);
    let wanted = Wanted {
        id: "X",
        chat: None,
        idempotency: send.idempotency.as_ref(),
        whole: false,
    };
    let located = messages.locate(&world.from, wanted).await.unwrap();
    assert_eq!(located, Located::KeyKnown);
    world.set("desired", "deleted").await;
    let located = messages.locate(&world.from, wanted).await.unwrap();
    assert_eq!(located, Located::SessionNotFound);
}

/// Somebody who learns the id of a message can not hide it behind one of his own.
#[tokio::test]
async fn an_id_that_is_taken_stays_with_its_message() {
    let world = World::new().await;
    let send = world.send("a");
    world.accept(send.clone()).await;
    let wa = send.wa_message_id.as_str();
    hear(&world, wa, "666@lid", "hidden").await;
    for _ in 0..PAGE {
        world.queue("b").await;
    }
    hear(&world, wa, "667@lid", "hidden").await;
    assert!(found(&world, wa, None).await.unwrap().message.is_own());
    assert!(found(&world, wa, Some(&jid("a"))).await.is_some());
    let other = found(&world, wa, Some("667@lid")).await.unwrap();
    assert!(!other.message.is_own());
}

#[tokio::test]
async fn the_index_keeps_so_many_and_so_long() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..40 * PAGE {
        let send = world.send("a");
        ids.push(send.wa_message_id.clone());
        world.accept(send).await;
    }
    let mut pages = 0;
    let mut kept = 0;
    for page in 1..=40 {
        let length: i64 = world
            .connection()
            .hlen(world.key("messages", &[&page.to_string()]))
            .await
            .unwrap();
        pages += i64::from(length > 0);
        // One field says whose page it is.
        kept += (length - 1).max(0);
    }
    assert_eq!((pages, kept), (32, 32 * PAGE));
    assert_eq!(found(&world, &ids[8 * 100 - 1], None).await, None);
    assert!(found(&world, &ids[8 * 100], None).await.is_some());
    assert!(found(&world, ids.last().unwrap(), None).await.is_some());

    // A page expires by itself, and is written to for a share of that time only.
    let page = world.key("messages", &["40"]);
    let left: i64 = world.connection().pttl(&page).await.unwrap();
    let most = i64::try_from(RETENTION.messages_ms).unwrap() + DAY;
    assert!(left > most - 2 * DAY && left <= most, "{left}");
    world.advance(DAY);
    world.queue("a").await;
    let length: i64 = world
        .connection()
        .hlen(world.key("messages", &["41"]))
        .await
        .unwrap();
    assert_eq!(length, 2, "a new page after a day");
}

/// What a message costs in the index. The documented figure is about this.
#[tokio::test]
async fn a_record_is_small() {
    let world = World::new().await;
    for _ in 0..PAGE {
        world.queue("a").await;
    }
    let bytes: i64 = redis::cmd("MEMORY")
        .arg("USAGE")
        .arg(world.key("messages", &["1"]))
        .arg("SAMPLES")
        .arg(0)
        .query_async(&mut world.connection())
        .await
        .unwrap();
    assert!(bytes / PAGE < 200, "{} bytes each", bytes / PAGE);
}

#[tokio::test]
async fn a_reply_carries_what_is_known_of_the_quoted_message() {
    let world = World::new().await;
    hear(&world, "THEIRS", "300@lid", "psst").await;
    let reply_in = |chat: &str, to: &str| EnqueueRequest {
        to: chat.parse().unwrap(),
        content: Content::Text {
            text: "so".into(),
            context: MessageContext {
                reply_to: Some(to.into()),
                ..MessageContext::default()
            },
        },
        ..world.send("a")
    };
    let reply = |to: &str| reply_in("300@lid", to);
    // What was said to us alone is not shown to others.
    let reason = "another_chat".to_owned();
    let refused = EnqueueOutcome::QuoteNotSeen { reason };
    for chat in [&*jid("a"), "301@lid"] {
        assert_eq!(world.try_accept(&reply_in(chat, "THEIRS")).await, refused);
    }
    world.accept(reply("THEIRS")).await;
    let claimed = world.claim(1).await;
    let content = claimed[0].content.clone().unwrap();
    let context = content.context().unwrap();
    assert_eq!(context.reply_to.as_deref(), Some("THEIRS"));
    let quoted = context.quoted.as_ref().unwrap();
    assert_eq!(quoted.excerpt, "psst");
    assert!(quoted.is_by("300@lid"));
    world.sent(&claimed[0].id).await;
    world.accept(reply("UNKNOWN")).await;
    let claimed = world.claim(1).await;
    let content = claimed[0].content.clone().unwrap();
    assert_eq!(content.context().unwrap().quoted, None);
}
