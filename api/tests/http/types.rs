//! The types of messages: what is asked for is what the worker gets.

use gateway_shared::domain::{Content, KnownMessage};
use reqwest::Method;
use serde_json::{Value, json};

use crate::owner::Owner;
use crate::world::{World, answer};

const BOB: &str = "6281234567890@s.whatsapp.net";

/// Sends a body and returns what the owner claims.
async fn claimed(world: &World, owner: &Owner, session: &str, body: &Value) -> Content {
    let path = format!("/sessions/{session}/messages?async=true");
    let got = answer(world.request(Method::POST, &path).json(body)).await;
    assert_eq!(got.status, 202, "{got:?}");
    let claimed = owner.claim_some().await;
    owner.sent(&claimed[0].id).await;
    claimed[0].content.clone().unwrap()
}

#[tokio::test]
async fn a_poll_gets_a_secret_that_no_answer_shows() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let sid = session.session.as_str();
    let mut secrets = Vec::new();
    for (given, count) in [(Value::Null, 1), (json!(0), 0), (json!(2), 2)] {
        let body = json!({
            "type": "poll", "to": BOB, "name": "Lunch?", "options": ["Soto", "Gudeg"],
            "selectableCount": given,
        });
        let Content::Poll { poll, .. } = claimed(&world, &owner, sid, &body).await else {
            panic!("no poll");
        };
        assert_eq!(
            (poll.name.as_str(), poll.selectable_count),
            ("Lunch?", count)
        );
        assert_eq!(poll.options, ["Soto", "Gudeg"]);
        secrets.push(poll.secret.unwrap());
    }
    assert_ne!(secrets[0], secrets[1]);
}

#[tokio::test]
async fn the_repeat_of_a_poll_is_the_same_request() {
    let world = World::start().await;
    let session = world.session().await;
    let path = format!("/sessions/{}/messages?async=true", session.session);
    let body = json!({"type": "poll", "to": BOB, "name": "?", "options": ["a", "b"]});
    let send = || {
        let request = world.request(Method::POST, &path).json(&body);
        answer(request.header("idempotency-key", "k"))
    };
    let first = send().await;
    let again = send().await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (202, 202));
    assert_eq!(again.body["replayed"], true);
    assert_eq!(again.body["waMessageId"], first.body["waMessageId"]);
}

#[tokio::test]
async fn places_and_cards_arrive_as_they_were_given() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let sid = session.session.as_str();
    let body = json!({
        "type": "location", "to": "1@lid", "latitude": -6.2, "longitude": 106.8,
        "name": "Jakarta", "address": "Jalan Merdeka 1", "mentions": [BOB],
    });
    let content = claimed(&world, &owner, sid, &body).await;
    let Content::Location {
        latitude,
        longitude,
        name,
        address,
        context,
    } = content
    else {
        panic!("no place");
    };
    assert_eq!(address.as_deref(), Some("Jalan Merdeka 1"));
    assert!((latitude, longitude) == (-6.2, 106.8));
    assert_eq!(name.as_deref(), Some("Jakarta"));
    assert_eq!(context.mentions[0].as_str(), BOB);

    let given = "BEGIN:VCARD\nVERSION:3.0\nFN:Jane Doe\nEND:VCARD";
    for (contact, card) in [
        (json!({ "vcard": given }), given),
        (
            json!({ "name": "Jane Doe", "phone": "+62 812".replace(' ', "") }),
            "BEGIN:VCARD\nVERSION:3.0\nN:;Jane Doe;;;\nFN:Jane Doe\n\
             TEL;type=CELL;type=VOICE;waid=62812:+62812\nEND:VCARD",
        ),
    ] {
        let body = json!({"type": "contact", "to": BOB, "contact": contact});
        let content = claimed(&world, &owner, sid, &body).await;
        let Content::Contact { name, vcard, .. } = content else {
            panic!("no card");
        };
        assert_eq!((name.as_str(), vcard.as_str()), ("Jane Doe", card));
    }
}

#[tokio::test]
async fn a_reply_quotes_what_the_session_knows() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let sid = session.session.as_str();
    let mut known = KnownMessage::new("9@g.us", "text", 7, "the question");
    known.sender = Some("300@lid".into());
    owner.hears(&world, "THEIRS", known, json!({})).await;
    let reply = |id: &str| json!({"type": "text", "to": "9@g.us", "text": "so", "replyTo": id});
    let quoted = async |id: &str| {
        let content = claimed(&world, &owner, sid, &reply(id)).await;
        content.context().unwrap().quoted.clone()
    };
    let theirs = quoted("THEIRS").await.unwrap();
    assert_eq!(theirs.sender.as_deref(), Some("300@lid"));
    assert_eq!(theirs.excerpt, "the question");

    // Our own, before it was sent.
    let path = format!("/sessions/{sid}/messages?async=true");
    let send =
        json!({"type": "location", "to": "9@g.us", "latitude": 1, "longitude": 2, "name": "x"});
    let own = answer(world.request(Method::POST, &path).json(&send)).await;
    let claimed = owner.claim_some().await;
    owner.sent(&claimed[0].id).await;
    let own = quoted(&own.text("waMessageId")).await.unwrap();
    assert!(own.was_sent_here());
    assert_eq!((own.kind.as_str(), own.excerpt.as_str()), ("location", "x"));

    assert_eq!(quoted("UNKNOWN").await, None);
}
