//! Edits of texts, for as long as WhatsApp allows them.

use gateway_shared::clock::Millis;
use gateway_shared::domain::{Content, KnownMessage};
use gateway_shared::redis::keys::{PARTITION, key};
use redis::AsyncCommands;
use reqwest::Method;
use serde_json::{Value, json};

use super::{BOB, BOB_LID, Stage, invalid, not_found};
use crate::world::now;

const MINUTE: Millis = 60_000;

#[tokio::test]
async fn only_own_texts_can_be_edited() {
    let stage = Stage::set().await;
    let own = stage.sent_text(BOB).await;
    let body = json!({"chat": BOB, "text": "better"});
    let (_, send) = stage.done(Method::PATCH, &format!("/{own}"), &body).await;
    let Ok(Content::Edit {
        target,
        text,
        mentions,
    }) = &send.content
    else {
        panic!("{:?}", send.content);
    };
    assert!(mentions.is_empty());
    assert_eq!(
        (target.id.as_str(), text.as_str()),
        (own.as_str(), "better")
    );

    for text in [json!(""), Value::Null] {
        let body = json!({ "text": text });
        invalid(
            &stage.ask(Method::PATCH, &format!("/{own}"), &body).await,
            "text",
        );
    }
    let poll = json!({"type": "poll", "to": BOB, "name": "?", "options": ["a", "b"]});
    let poll = stage.sent(poll).await;
    let body = json!({"text": "x"});
    invalid(
        &stage.ask(Method::PATCH, &format!("/{poll}"), &body).await,
        "mid",
    );
    stage.received("THEIRS", BOB_LID, "text", json!({})).await;
    not_found(&stage.ask(Method::PATCH, "/THEIRS", &body).await);
    let mut phone = KnownMessage::new(BOB, "text", now(), "from the phone");
    phone.elsewhere = true;
    stage
        .owner
        .hears(&stage.world, "PHONE", phone, json!({}))
        .await;
    not_found(&stage.ask(Method::PATCH, "/PHONE", &body).await);
}

/// The window begins when WhatsApp took the message, however long it had waited.
#[tokio::test]
async fn a_text_can_be_edited_for_fifteen_minutes() {
    let stage = Stage::set().await;
    let text = json!({"type": "text", "to": BOB, "text": "hello"});
    let sent_before = async |minutes: Millis| {
        let asked = stage.ask(Method::POST, "?async=true", &text).await;
        let claimed = stage.owner.claim_some().await;
        stage.owner.sent(&claimed[0].id).await;
        // As if it had been sent so long ago, and accepted long before.
        let at = now() - minutes * MINUTE;
        let hist = format!("queued:{},sending:{at},sent:{at}", at - 60 * MINUTE);
        let root = stage.world.store.keys.partition(&stage.world.organization);
        let entry = key(PARTITION, &root, "outbox", &[claimed[0].id.as_str()]);
        let mut connection = stage.world.store.connection.clone();
        let _: () = connection.hset(entry, "hist", hist).await.unwrap();
        asked.text("waMessageId")
    };
    let late = sent_before(16).await;
    let body = json!({"text": "x"});
    invalid(
        &stage.ask(Method::PATCH, &format!("/{late}"), &body).await,
        "mid",
    );
    let early = sent_before(14).await;
    stage.done(Method::PATCH, &format!("/{early}"), &body).await;
}
