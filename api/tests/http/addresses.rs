//! One rule for addresses and phone numbers, the same in every field.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, answer};

/// Spellings of one person's number.
const SPELLINGS: [&str; 9] = [
    "15550100011",
    "+1 555 010 0011",
    "+1 (555) 010-0011",
    "0015550100011",
    " 15550100011 ",
    "15550100011@c.us",
    "15550100011:12@s.whatsapp.net",
    "15550100011@S.WHATSAPP.NET",
    "\u{202a}+1\u{a0}555\u{2011}010\u{2011}0011\u{202c}",
];
const NORMAL: &str = "15550100011@s.whatsapp.net";
/// What names nobody.
const NOBODY: [&str; 8] = [
    "",
    " ",
    "0155501000",
    "+49 (0)30 1234567",
    "15550100011@example.com",
    "15550100011:x@s.whatsapp.net",
    "15550100011 or so",
    "1555010001100000",
];

/// Every place where a caller names a person: how it is asked, and in which field.
struct Place {
    field: &'static str,
    method: Method,
    path: String,
    body: fn(&str) -> Value,
}

fn places(session: &str) -> Vec<Place> {
    let place = |field, method, path: &str, body| Place {
        field,
        method,
        path: format!("/sessions/{session}{path}"),
        body,
    };
    vec![
        place(
            "to",
            Method::POST,
            "/messages?async=true",
            |who| json!({"type": "text", "to": who, "text": "x"}),
        ),
        place(
            "mentions[0]",
            Method::POST,
            "/messages?async=true",
            |who| json!({"type": "text", "to": "1@lid", "text": "x", "mentions": [who]}),
        ),
        place(
            "contact.phone",
            Method::POST,
            "/messages?async=true",
            |who| json!({"type": "contact", "to": "1@lid", "contact": {"name": "A", "phone": who}}),
        ),
        place(
            "chat",
            Method::DELETE,
            "/messages/M",
            |who| json!({"chat": who}),
        ),
        place(
            "sender",
            Method::DELETE,
            "/messages/M",
            |who| json!({"sender": who}),
        ),
        place(
            "mentions[0]",
            Method::PATCH,
            "/messages/M",
            |who| json!({"text": "x", "mentions": [who]}),
        ),
        place(
            "to",
            Method::POST,
            "/messages/M/forward",
            |who| json!({"to": who}),
        ),
        place(
            "members[0]",
            Method::POST,
            "/groups",
            |who| json!({"subject": "x", "members": [who]}),
        ),
        place(
            "members[0]",
            Method::POST,
            "/groups/1-2@g.us/members",
            |who| json!({"members": [who]}),
        ),
        place(
            "phone",
            Method::POST,
            "/pairing-code",
            |who| json!({"phone": who}),
        ),
    ]
}

fn names(got: &Answer, field: &str) -> bool {
    let errors = got.body["error"]["details"]["errors"].as_array();
    errors.is_some_and(|errors| errors.iter().any(|error| error["field"] == field))
}

#[tokio::test]
async fn every_field_takes_every_spelling_and_refuses_what_names_nobody() {
    let world = World::start().await;
    let session = world.session().await;
    for place in places(session.session.as_str()) {
        let ask = async |who: &str| {
            let request = world.request(place.method.clone(), &place.path);
            answer(request.json(&(place.body)(who))).await
        };
        for who in SPELLINGS {
            let got = ask(who).await;
            assert_ne!(got.status, 400, "{} {who:?}: {got:?}", place.field);
        }
        for who in NOBODY {
            // An empty `sender` means the account itself.
            if who.is_empty() && place.field == "sender" {
                continue;
            }
            let got = ask(who).await;
            assert!(names(&got, place.field), "{} {who:?}: {got:?}", place.field);
        }
    }
}

#[tokio::test]
async fn one_person_is_one_chat_and_one_request() {
    let world = World::start().await;
    let session = world.session().await;
    let path = format!("/sessions/{}/messages?async=true", session.session);
    let mut ids = Vec::new();
    for who in SPELLINGS {
        let body = json!({"type": "text", "to": who, "text": "x", "mentions": [who, NORMAL, who]});
        let request = world.request(Method::POST, &path).json(&body);
        let got = answer(request.header("idempotency-key", "one")).await;
        assert_eq!(got.status, 202, "{who:?}: {got:?}");
        ids.push(got.text("outboxId"));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "the same request, however it is spelt");
    let outbox = format!("/sessions/{}/outbox", session.session);
    for who in SPELLINGS {
        let request = world.request(Method::GET, &outbox).query(&[("chat", who)]);
        let listed = answer(request).await;
        assert_eq!(
            listed.body["data"][0]["chatJid"], NORMAL,
            "{who:?}: {listed:?}"
        );
    }
    let listed = answer(world.request(Method::GET, &format!("{outbox}?chat=nobody"))).await;
    assert!(names(&listed, "chat"), "{listed:?}");
}
