//! The event stream over HTTP.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use gateway_shared::apikey::Capabilities;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::owner::Owner;
use crate::world::{World, answer, eventually};

/// A listener that reads line by line.
struct Listener {
    chunks: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Listener {
    async fn open(request: RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Self {
            chunks: answer.bytes_stream().boxed(),
            text: String::new(),
        }
    }

    /// The next line; `None` at the end.
    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find('\n') {
                let rest = self.text.split_off(end + 1);
                let line = std::mem::replace(&mut self.text, rest);
                return Some(line.trim_end().to_owned());
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.chunks.next()).await;
            let chunk = chunk.expect("something is told in time")?;
            self.text
                .push_str(std::str::from_utf8(&chunk.ok()?).unwrap());
        }
    }

    /// The next event: its id line (SSE) and its envelope.
    async fn event(&mut self) -> Option<(String, Value)> {
        let mut id = String::new();
        loop {
            let line = self.line().await?;
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.to_owned();
            }
            let json = line.strip_prefix("data: ").unwrap_or(&line);
            if json.starts_with('{') {
                let event: Value = serde_json::from_str(json).unwrap();
                if event["event"] != "stream.heartbeat" {
                    return Some((id, event));
                }
            }
        }
    }

    async fn statuses(&mut self, count: usize) -> Vec<String> {
        let mut seen = Vec::new();
        for _ in 0..count {
            let (_, event) = self.event().await.unwrap();
            seen.push(event["payload"]["status"].as_str().unwrap().to_owned());
        }
        seen
    }
}

#[tokio::test]
async fn every_status_is_told_in_order_and_resumed_without_loss() {
    let world = World::with(2, |_| {}).await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let mut live = Listener::open(world.request(Method::GET, "/events?types=message.status")).await;
    let got = answer(
        world
            .send(&session, "?async=true", "x")
            .header("x-request-id", "r1"),
    )
    .await;
    let (first, event) = live.event().await.unwrap();
    assert_eq!(event["payload"]["status"], "queued");
    assert_eq!(event["id"], first.as_str());
    insta::assert_json_snapshot!(event, {
        ".id" => "evt_…", ".session" => "sess_…", ".organization" => "org_…", ".timestamp" => 0,
        ".payload.outboxId" => "out_…", ".payload.waMessageId" => "3EB0…",
        ".payload.messageIds[]" => "3EB0…", ".payload.timestamp" => 0,
    });
    let claimed = owner.claim_some().await;
    assert_eq!(claimed[0].id.as_str(), got.text("outboxId"));
    owner.sent(&claimed[0].id).await;
    assert_eq!(live.statuses(2).await, ["sending", "sent"]);

    // From the first on, on the other process, by header and by parameter; the header counts.
    let resumed = world.request_to(1, Method::GET, &format!("/events?since={first}"));
    let mut resumed = Listener::open(resumed).await;
    assert_eq!(resumed.statuses(2).await, ["sending", "sent"]);
    let header = world
        .request_to(
            1,
            Method::GET,
            "/events?since=evt_00000000000000000000000000",
        )
        .header("last-event-id", &first)
        .header("accept", "application/x-ndjson");
    let mut lines = Listener::open(header).await;
    assert_eq!(lines.statuses(2).await, ["sending", "sent"]);

    // And what happens next reaches all of them.
    answer(world.send(&session, "?async=true", "y")).await;
    for listener in [&mut live, &mut resumed, &mut lines] {
        assert_eq!(listener.statuses(1).await, ["queued"]);
    }
}

#[tokio::test]
async fn a_thousand_events_before_and_after_joining_come_once_each() {
    let world = World::start().await;
    let session = world.session().await;
    let mut listener =
        Listener::open(world.request(Method::GET, "/events?types=message.status")).await;
    let mut expected = Vec::new();
    for _ in 0..1_200 {
        let got = answer(world.send(&session, "?async=true", "x")).await;
        expected.push(got.text("outboxId"));
    }
    let (mut ids, mut first) = (Vec::new(), String::new());
    for _ in 0..expected.len() {
        let (id, event) = listener.event().await.unwrap();
        if first.is_empty() {
            first = id;
        }
        ids.push(event["payload"]["outboxId"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids, expected);
    // Catching up takes several pages.
    let resumed = format!("/events?types=message.status&since={first}");
    let mut resumed = Listener::open(world.request(Method::GET, &resumed)).await;
    for outbox_id in &expected[1..] {
        let (_, event) = resumed.event().await.unwrap();
        assert_eq!(event["payload"]["outboxId"], outbox_id.as_str());
    }
}

#[tokio::test]
async fn listeners_hear_what_they_asked_for_and_nothing_of_others() {
    let world = World::start().await;
    let (one, two) = (world.session().await, world.session().await);
    let (stranger, key) = world.stranger("other").await;
    let theirs = world.session_of(&stranger, Default::default()).await;
    let only = format!("/events?session={}", two.session);
    let mut of_two = Listener::open(world.request(Method::GET, &only)).await;
    let kinds = "/events?types=session.status,auth.qr";
    let mut of_sessions = Listener::open(world.request(Method::GET, kinds)).await;
    let strange = world.api(0, Method::GET, "/api/v1/events");
    let mut of_stranger = Listener::open(strange.bearer_auth(&key)).await;
    let scope = Some(vec![one.session.clone()]);
    let organization = world.organization.clone();
    let (confined, _) = world
        .key_for(&organization, Capabilities::all(), scope)
        .await;
    let confined = world
        .api(0, Method::GET, "/api/v1/events")
        .bearer_auth(&confined);
    let mut of_confined = Listener::open(confined).await;

    for session in [&one, &two] {
        answer(world.send(session, "?async=true", "x")).await;
    }
    let owner = Owner::take(&world, &two).await;
    let their_owner = Owner::take(&world, &theirs).await;
    let (_, event) = of_two.event().await.unwrap();
    assert_eq!(
        (&event["session"], &event["event"]),
        (&two.session.as_str().into(), &"message.status".into())
    );
    let (_, event) = of_sessions.event().await.unwrap();
    assert_eq!(event["event"], "session.status");
    let (_, event) = of_confined.event().await.unwrap();
    assert_eq!(event["session"], one.session.as_str());
    let (id, event) = of_stranger.event().await.unwrap();
    assert_eq!(event["session"], theirs.session.as_str());
    assert_eq!(event["organization"], stranger.as_str());
    drop((owner, their_owner));

    // An id of another organization is none of ours.
    for path in [
        format!("/events?since={id}"),
        "/events?since=yesterday&types=message.status,message.lost".to_owned(),
    ] {
        let got = answer(world.request(Method::GET, &path)).await;
        assert_eq!((got.status.as_u16(), got.code()), (400, "validation_error"));
    }
}

#[tokio::test]
async fn what_retention_took_is_told_as_a_gap() {
    let world = World::start().await;
    let session = world.session().await;
    let mut live = Listener::open(world.request(Method::GET, "/events?types=message.status")).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        answer(world.send(&session, "?async=true", "x")).await;
        ids.push(live.event().await.unwrap().0);
    }
    let stream = format!("{}:ev", world.store.keys.partition(&world.organization));
    let trimmed: i64 = redis::cmd("XTRIM")
        .arg(&stream)
        .arg(&["MAXLEN", "1"])
        .query_async(&mut world.store.connection.clone())
        .await
        .unwrap();
    assert!(trimmed >= 2);
    let resumed = format!("/events?types=message.status&since={}", ids[0]);
    let mut resumed = Listener::open(world.request(Method::GET, &resumed)).await;
    let (place, gap) = resumed.event().await.unwrap();
    assert_eq!(gap["event"], "stream.gap");
    assert_eq!(gap["payload"]["since"], ids[0].as_str());
    let (id, _) = resumed.event().await.unwrap();
    assert_eq!(id, ids[2]);
    // Having been told of it, it is not told again.
    let again = format!("/events?types=message.status&since={place}");
    let mut again = Listener::open(world.request(Method::GET, &again)).await;
    assert_eq!(again.event().await.unwrap().0, ids[2]);
}

#[tokio::test]
async fn who_has_heard_nothing_yet_can_resume_too() {
    let world = World::start().await;
    let session = world.session().await;
    let mut first = Listener::open(world.request(Method::GET, "/events")).await;
    first.line().await.unwrap();
    let id = first.line().await.unwrap();
    let id = id.strip_prefix("id: ").unwrap().to_owned();
    drop(first);
    answer(world.send(&session, "?async=true", "x")).await;
    let resumed = world
        .request(Method::GET, "/events")
        .header("last-event-id", &id);
    let mut resumed = Listener::open(resumed).await;
    let (_, event) = resumed.event().await.unwrap();
    assert_eq!(event["event"], "message.status");
}

#[tokio::test]
async fn a_stream_gives_signs_of_life_and_ends_with_its_key() {
    let world = World::with(1, |config| config.api.events_heartbeat_ms = 100).await;
    let organization = world.organization.clone();
    let (key, made) = world
        .key_for(&organization, Capabilities::all(), None)
        .await;
    let request = world
        .api(0, Method::GET, "/api/v1/events")
        .bearer_auth(&key);
    let mut listener = Listener::open(request).await;
    for _ in 0..3 {
        assert_eq!(listener.line().await.unwrap(), ": heartbeat");
        assert!(listener.line().await.unwrap().starts_with("id: evt_"));
        assert_eq!(listener.line().await.unwrap(), "");
    }
    world.keys.revoke(&organization, &made.id).await.unwrap();
    eventually("the stream ends", async || {
        listener.line().await.is_none().then_some(())
    })
    .await;
}
