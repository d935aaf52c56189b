//! What one request may take of a process: memory, time, and the size of its answer.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{World, answer};

/// More than any answer to a mistake needs.
const SMALL_ANSWER: usize = 64 << 10;

/// Hostile bodies within the limit of their size: long lists, many fields, deep nesting, many small
/// values, in every place that takes one.
fn hostile() -> Vec<(&'static str, String)> {
    let numbered = |count: usize, text: fn(usize) -> String| {
        (0..count).map(text).collect::<Vec<_>>().join(",")
    };
    let list = numbered(80_000, |index| format!("\"{index:08}\""));
    let fields = numbered(60_000, |index| format!("\"f{index}\":0"));
    let zeros = vec!["0"; 400_000].join(",");
    vec![
        (
            "options",
            format!(r#"{{"type":"poll","to":"1@lid","name":"?","options":[{list}]}}"#),
        ),
        (
            "mentions",
            format!(r#"{{"type":"text","to":"1@lid","text":"x","mentions":[{list}]}}"#),
        ),
        (
            "fields",
            format!(r#"{{"type":"text","to":"1@lid","text":"x",{fields}}}"#),
        ),
        (
            "contact",
            format!(r#"{{"type":"contact","to":"1@lid","contact":{{{fields}}}}}"#),
        ),
        (
            "media",
            format!(r#"{{"type":"image","to":"1@lid","media":{{{fields}}}}}"#),
        ),
        (
            "zeros",
            format!(r#"{{"type":"text","to":"1@lid","text":[{zeros}]}}"#),
        ),
        ("deep", format!(r#"{{"type":{}"#, "[".repeat(900_000))),
        ("name", format!(r#"{{"{}":1}}"#, "n".repeat(900_000))),
        ("emoji", json!({"emoji": "👍".repeat(200_000)}).to_string()),
        ("votes", format!(r#"{{"options":[{list}]}}"#)),
        (
            "members",
            format!(r#"{{"subject":"x","members":[{list}]}}"#),
        ),
        (
            "scope",
            format!(r#"{{"capabilities":["read"],"sessions":[{list}]}}"#),
        ),
    ]
}

#[tokio::test]
async fn no_body_has_a_long_answer_or_holds_up_others() {
    let world = World::start().await;
    let session = world.session().await;
    let paths = [
        format!("/sessions/{}/messages", session.session),
        format!("/sessions/{}/messages/M/reaction", session.session),
        format!("/sessions/{}/messages/M/vote", session.session),
        format!("/sessions/{}/groups", session.session),
        "/api-keys".to_owned(),
        "/sessions".to_owned(),
    ];
    for (name, body) in hostile() {
        for path in &paths {
            let request = world.request(Method::POST, path);
            let request = request.header("content-type", "application/json");
            let got = request.body(body.clone()).send().await.unwrap();
            assert_eq!(got.status(), 400, "{name} at {path}");
            let emitted = got.bytes().await.unwrap();
            assert!(
                emitted.len() < SMALL_ANSWER,
                "{name} at {path}: {} bytes",
                emitted.len()
            );
            let emitted: Value = serde_json::from_slice(&emitted).unwrap();
            let errors = emitted["error"]["details"]["errors"].as_array().unwrap();
            assert!((1..=100).contains(&errors.len()), "{name} at {path}");
        }
    }
    let sends: Vec<Value> = (0..1_000)
        .map(|_| json!({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8}))
        .chain([json!({"type": "text", "to": "1@lid", "text": "x"})])
        .skip(1)
        .collect();
    let path = format!("/sessions/{}/messages:batch", session.session);
    let request = world
        .request(Method::POST, &path)
        .json(&json!({"messages": sends}));
    let got = request.send().await.unwrap();
    assert_eq!(got.status(), 202);
    let emitted = got.bytes().await.unwrap();
    assert!(
        emitted.len() < 512 << 10,
        "{} bytes for 1,000 bad sends",
        emitted.len()
    );
}

#[tokio::test]
async fn a_body_is_small_until_its_type_is_known_to_be_media() {
    let world = World::start().await;
    let session = world.session().await;
    let path = format!("/sessions/{}/messages", session.session);
    let ask = async |body: String| {
        let request = world.request(Method::POST, &path);
        answer(
            request
                .header("content-type", "application/json")
                .body(body),
        )
        .await
    };
    let file = "AAAA".repeat(500_000);
    let first = format!(r#"{{"type":"image","to":"1@lid","media":{{"data":"{file}"}}}}"#);
    let got = ask(first).await;
    assert_ne!(got.status, 413, "{got:?}");
    // Only media have this field.
    let field = format!(r#"{{"to":"1@lid","media":{{"data":"{file}"}},"type":"image"}}"#);
    assert_ne!(ask(field).await.status, 413);
    let late = format!(r#"{{"to":"1@lid","x":"{file}","media":{{"data":"A"}},"type":"image"}}"#);
    let text = format!(r#"{{"type":"text","to":"1@lid","text":"{file}"}}"#);
    let both = format!(r#"{{"type":"image","to":"1@lid","text":"{file}","type":"text"}}"#);
    for body in [late, text, both] {
        let got = ask(body).await;
        assert_eq!(got.status, 413, "{got:?}");
        assert_eq!(got.body["error"]["details"]["limitBytes"], 1_048_576);
    }
}

#[tokio::test]
async fn the_bodies_of_all_requests_share_a_budget() {
    let world = World::with(1, |config| {
        let api = &mut config.api;
        api.body_limit_bytes = 100_000;
        api.media_body_limit_bytes = 100_000;
        api.batch_body_limit_bytes = 100_000;
        api.bodies_in_flight_bytes = 100_000;
    })
    .await;
    let session = world.session().await;
    let text = "x".repeat(10_000);
    // An unfinished body that holds nearly everything. Where the other one is faster, it is this one
    // that there is no room for.
    let (refused, unfinished) = crate::world::eventually("there is no room", async || {
        let unfinished = begin(&world, session.session.as_str(), 99_000, 95_000).await;
        let got = answer(world.send(&session, "?async=true", &text)).await;
        (got.status == 503).then_some((got, unfinished))
    })
    .await;
    assert_eq!((refused.reason(), refused.retry_after), ("busy", Some(1)));
    let small = answer(world.send(&session, "?async=true", "x")).await;
    assert_eq!(
        small.status, 202,
        "there is room for a small one: {small:?}"
    );
    drop(unfinished);
    crate::world::eventually("the room is free again", async || {
        let got = answer(world.send(&session, "?async=true", &text)).await;
        (got.status == 202).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let world = World::with(1, |config| config.api.body_timeout_ms = 200).await;
    let session = world.session().await;
    let mut stream = begin(&world, session.session.as_str(), 60_000, 10).await;
    let mut emitted = String::new();
    let read = stream.read_to_string(&mut emitted);
    tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .unwrap()
        .unwrap();
    assert!(emitted.starts_with("HTTP/1.1 400"), "{emitted}");
    assert!(emitted.contains("did not arrive in time"), "{emitted}");
}

/// Begins a send of so many bytes and sends so many of them.
async fn begin(world: &World, session: &str, bytes: usize, sent: usize) -> TcpStream {
    let host = world.apis[0].base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /api/v1/sessions/{session}/messages?async=true HTTP/1.1\r\nhost: {host}\r\n\
         x-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n",
        world.key
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let body = format!("{{\"text\":\"{}", "x".repeat(sent));
    stream.write_all(&body.as_bytes()[..sent]).await.unwrap();
    stream
}
