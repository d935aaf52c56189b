//! The people of the sandbox.

use reqwest::StatusCode;
use serde_json::json;
use wacore::types::presence::ReceiptType;
use whatsapp_rust::prelude::*;

use crate::client::{World, jid};

const OWN: &str = "15550000001";
const PERSON: &str = "15550000002";

#[tokio::test]
async fn a_person_writes_reads_and_sees_what_became_of_it() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let companion = world.linked(OWN).await;

    let asked = world.admin.say(PERSON, OWN, "are you there?").await;
    assert_eq!(companion.text("are you there?").await, asked);
    companion
        .client
        .mark_as_read(&jid(PERSON), None, &[&asked])
        .await
        .unwrap();

    let emitted = companion.send(PERSON, "yes").await;
    companion.receipt(&emitted, ReceiptType::Delivered).await;
    world
        .admin
        .post(
            &format!("/admin/peers/{PERSON}/read"),
            json!({ "id": emitted }),
        )
        .await;
    companion.receipt(&emitted, ReceiptType::Read).await;

    let messages = world
        .admin
        .get(&format!("/admin/peers/{PERSON}/messages?sent=true"))
        .await;
    let messages = messages["data"].as_array().unwrap();
    assert_eq!(messages[0]["direction"], "sent");
    assert_eq!(messages[0]["status"], "read");
    assert_eq!(messages[1]["read"], true);
    assert!(messages[1].get("status").is_none());
}

#[tokio::test]
async fn quotes_and_mentions_go_both_ways() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let companion = world.linked(OWN).await;

    let question = world.admin.say(PERSON, OWN, "what is it?").await;
    companion.text("what is it?").await;
    let context = wa::ContextInfo {
        stanza_id: Some(question.clone()),
        participant: Some(format!("{PERSON}@s.whatsapp.net")),
        quoted_message: MessageField::some(wa::Message::text("what is it?")),
        mentioned_jid: vec![format!("{PERSON}@s.whatsapp.net")],
        ..Default::default()
    };
    let text = wa::message::ExtendedTextMessage {
        text: Some("it is @you".to_owned()),
        context_info: MessageField::some(context),
        ..Default::default()
    };
    let message = wa::Message {
        extended_text_message: MessageField::some(text),
        ..Default::default()
    };
    companion
        .client
        .send_message(jid(PERSON), message)
        .await
        .unwrap();
    let messages = world.admin.wait_messages(PERSON, 1).await;
    assert_eq!(messages[0]["content"], "it is @you");
    assert_eq!(
        messages[0]["context"],
        json!({
            "quoted": {
                "id": question,
                "participant": format!("{PERSON}@s.whatsapp.net"),
                "type": "text",
                "content": "what is it?",
            },
            "mentions": [format!("{PERSON}@s.whatsapp.net")],
        })
    );

    let answered = messages[0]["id"].as_str().unwrap();
    let body = json!({ "to": OWN, "type": "text", "text": "ah", "replyTo": answered });
    world
        .admin
        .post(&format!("/admin/peers/{PERSON}/send"), body)
        .await;
    companion.text("ah").await;
    let quoted = companion.picked(|event| match event {
        Event::Messages(batch) => {
            let text = batch.messages[0]
                .message
                .extended_text_message
                .as_option()?;
            text.context_info.as_option()?.stanza_id.clone()
        }
        _ => None,
    });
    assert_eq!(quoted, [answered]);
}

#[tokio::test]
async fn a_phone_that_sleeps_confirms_when_it_wakes() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let companion = world.linked(OWN).await;
    world
        .admin
        .post(&format!("/admin/peers/{PERSON}/sleep"), json!({}))
        .await;
    let id = companion.send(PERSON, "wake up").await;
    companion.acked(&id).await;
    assert!(world.admin.messages(PERSON).await.is_empty());
    world
        .admin
        .post(&format!("/admin/peers/{PERSON}/wake"), json!({}))
        .await;
    companion.receipt(&id, ReceiptType::Delivered).await;
    assert_eq!(world.admin.messages(PERSON).await.len(), 1);
}

#[tokio::test]
async fn two_people_write_to_each_other_without_any_client() {
    let world = World::start().await;
    world.admin.peer(OWN).await;
    world.admin.peer(PERSON).await;
    world.admin.say(OWN, PERSON, "one").await;
    world.admin.wait_messages(PERSON, 1).await;
    world.admin.say(PERSON, OWN, "two").await;
    assert_eq!(world.admin.wait_messages(OWN, 1).await[0]["content"], "two");
    world.admin.say(OWN, PERSON, "three").await;
    assert_eq!(
        world.admin.wait_messages(PERSON, 2).await[1]["content"],
        "three"
    );
}

#[tokio::test]
async fn mistakes_are_told() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let cases = [
        (
            "/admin/peers".to_owned(),
            json!({ "phone": "12a" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/admin/peers".to_owned(),
            json!({ "fone": "1" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            format!("/admin/peers/{PERSON}/read"),
            json!({ "id": "X" }),
            StatusCode::NOT_FOUND,
        ),
        (
            format!("/admin/peers/{PERSON}/send"),
            json!({ "to": PERSON, "type": "song" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            format!("/admin/peers/{PERSON}/send"),
            json!({ "to": "15550009999", "type": "text", "text": "x" }),
            StatusCode::NOT_FOUND,
        ),
        (
            format!("/admin/peers/{PERSON}/send"),
            json!({ "to": PERSON, "type": "text", "text": "x", "bold": true }),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/admin/scan-qr".to_owned(),
            json!({ "code": "nonsense" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/admin/link-code".to_owned(),
            json!({ "phone": PERSON, "code": "ABCD2345" }),
            StatusCode::NOT_FOUND,
        ),
        (
            "/admin/faults".to_owned(),
            json!({ "action": "explode" }),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/admin/nothing".to_owned(),
            json!({}),
            StatusCode::NOT_FOUND,
        ),
        (
            "/healthz".to_owned(),
            json!({}),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
    ];
    for (path, body, expected) in cases {
        let (status, answer) = world.admin.try_post(&path, body.clone()).await;
        assert_eq!(status, expected, "{path} {body} {answer}");
        assert!(answer["error"]["code"].is_string(), "{answer}");
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn clients_look_people_up_and_see_each_other_type() {
    let world = World::start().await;
    let peer = world.admin.peer(PERSON).await;
    let alice = world.linked(OWN).await;
    let stranger = "15559999999";
    let asked = [jid(PERSON), jid(stranger)];
    let found = alice
        .client
        .contacts()
        .is_on_whatsapp(&asked)
        .await
        .unwrap();
    let find = |phone: &str| {
        found
            .iter()
            .find(|person| person.jid == jid(phone))
            .unwrap()
    };
    assert!(find(PERSON).is_registered);
    assert_eq!(
        find(PERSON).lid.as_ref().unwrap().to_string(),
        peer["lid"].as_str().unwrap()
    );
    assert!(!find(stranger).is_registered);

    let bob = world.linked("15550000003").await;
    bob.client
        .chatstate()
        .send_composing(&jid(OWN))
        .await
        .unwrap();
    let who = alice
        .wait("typing", |event| match event {
            Event::ChatPresence(presence) => Some(presence.source.chat.to_string()),
            _ => None,
        })
        .await;
    assert_eq!(who, "15550000003@s.whatsapp.net");
}
