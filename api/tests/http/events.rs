//! The event stream over HTTP.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use gateway_shared::apikey::Capabilities;
use gateway_shared::events::{EventIds, Place};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::owner::Owner;
use crate::world::{World, answer, eventually, now};

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

/// Waits for the end of a stream, and says how many events it still had.
async fn rest(listener: &mut Listener) -> usize {
    let mut events = 0;
    while listener.event().await.is_some() {
        events += 1;
    }
    events
}

#[tokio::test]
async fn a_place_that_the_stream_does_not_reach_is_a_gap() {
    let world = World::start().await;
    let session = world.session().await;
    answer(world.send(&session, "?async=true", "x")).await;
    let ahead = EventIds::of(&world.organization).id(Place {
        millis: u64::try_from(now()).unwrap() + 3_600_000,
        sequence: 7,
    });
    for resumed in [
        world.request(Method::GET, &format!("/events?since={ahead}")),
        world
            .request(Method::GET, "/events")
            .header("last-event-id", ahead.as_str()),
    ] {
        let mut listener = Listener::open(resumed).await;
        let (place, gap) = listener.event().await.unwrap();
        assert_eq!(gap["event"], "stream.gap");
        assert_eq!(gap["payload"]["since"], ahead.as_str());
        assert_eq!(gap["payload"]["reason"], "not_reached");
        // And what comes now is told.
        answer(world.send(&session, "?async=true", "y")).await;
        let (id, event) = listener.event().await.unwrap();
        assert_eq!(event["event"], "message.status");
        assert!(place < id && id.as_str() < ahead.as_str(), "{place} {id}");
    }
}

#[tokio::test]
async fn a_stream_can_be_read_from_a_moment_and_from_its_beginning() {
    let world = World::start().await;
    let session = world.session().await;
    let mut ids = Vec::new();
    for text in ["a", "b", "c"] {
        let got = answer(world.send(&session, "?async=true", text)).await;
        ids.push((
            got.text("outboxId"),
            got.body["timestamp"].as_i64().unwrap(),
        ));
        // The moments differ.
        let at = now();
        eventually("a later millisecond", async || {
            (now() > at + 1).then_some(())
        })
        .await;
    }
    let told = async |since: &str| {
        let path = format!("/events?types=message.status&since={since}");
        let mut listener = Listener::open(world.request(Method::GET, &path)).await;
        let (_, event) = listener.event().await.unwrap();
        event["payload"]["outboxId"]
            .as_str()
            .unwrap_or("gap")
            .to_owned()
    };
    assert_eq!(told("beginning").await, ids[0].0);
    assert_eq!(told(&(ids[0].1 - 3_600_000).to_string()).await, ids[0].0);
    assert_eq!(told(&(ids[1].1 - 1).to_string()).await, ids[1].0);
    // A moment still to come is the present one.
    let path = format!("/events?types=message.status&since={}", now() + 3_600_000);
    let mut listener = Listener::open(world.request(Method::GET, &path)).await;
    let got = answer(world.send(&session, "?async=true", "d")).await;
    let (_, event) = listener.event().await.unwrap();
    assert_eq!(event["payload"]["outboxId"], got.text("outboxId"));
    for wrong in [
        "",
        "yesterday",
        "1",
        "-1",
        "1e12",
        "2026-11-27T00:00:00Z",
        "sess_1",
    ] {
        let path = format!("/events?since={wrong}");
        let got = answer(world.request(Method::GET, &path)).await;
        assert_eq!(got.code(), "validation_error", "{wrong}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_told_nothing_more_however_much_there_is_to_catch_up_on() {
    let world = World::start().await;
    let session = world.session().await;
    let organization = world.organization.clone();
    let (key, made) = world
        .key_for(&organization, Capabilities::all(), None)
        .await;
    // More than fits into the buffers of two sockets and the one read that is under way.
    let long = "x".repeat(60_000);
    for _ in 0..3_000 {
        let () = redis::cmd("XADD")
            .arg(format!("{}:ev", world.store.keys.partition(&organization)))
            .arg(&[
                "*",
                "event",
                "message.status",
                "session",
                session.session.as_str(),
            ])
            .arg(&[
                "timestamp",
                "1",
                "payload",
                &format!("{{\"text\":\"{long}\"}}"),
            ])
            .query_async(&mut world.store.connection.clone())
            .await
            .unwrap();
    }
    let request = world.api(0, Method::GET, "/api/v1/events?since=beginning");
    let mut listener = Listener::open(request.bearer_auth(&key)).await;
    listener.event().await.unwrap();
    world.keys.revoke(&organization, &made.id).await.unwrap();
    let request = world.api(0, Method::GET, "/api/v1/sessions");
    eventually("the key is refused", async || {
        let got = answer(request.try_clone().unwrap().bearer_auth(&key)).await;
        (got.status == 401).then_some(())
    })
    .await;
    let more = rest(&mut listener).await;
    assert!(more < 2_000, "{more} more events of 3,000");
}

#[tokio::test]
async fn a_stream_ends_at_the_end_of_its_key() {
    let world = World::start().await;
    let end = now() + 2_000;
    let body = serde_json::json!({"capabilities": ["events"], "expiresAt": end});
    let made = answer(world.request(Method::POST, "/api-keys").json(&body)).await;
    let request = world.api(0, Method::GET, "/api/v1/events");
    let mut listener = Listener::open(request.bearer_auth(made.text("key"))).await;
    assert_eq!(rest(&mut listener).await, 0);
    let late = now() - end;
    assert!(
        (-50..1_500).contains(&late),
        "it ended {late} ms after the key"
    );
}
