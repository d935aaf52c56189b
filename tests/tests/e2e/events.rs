//! The event stream.

use anyhow::{Context, Result};
use futures_util::StreamExt;
use gateway_tests::client::{Answer, ApiClient, SendRequest, eventually};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::Value;

fn is_heartbeat(event: &Value) -> bool {
    event["event"] == "stream.heartbeat"
}

/// Reads an NDJSON stream until `enough` says so; heartbeats (empty lines) are left out.
async fn ndjson(
    api: &ApiClient,
    query: &str,
    enough: impl Fn(&[Value]) -> bool,
) -> Result<Vec<Value>> {
    let path = format!("/events?{query}");
    let request = api.request(Method::GET, &path);
    let response = request
        .header("Accept", "application/x-ndjson")
        .send()
        .await?;
    if response.status() != 200 {
        Answer::read(response).await?.expect(200)?;
        return Ok(Vec::new());
    }
    let kind = response.headers()["content-type"].to_str()?.to_owned();
    assert!(kind.starts_with("application/x-ndjson"), "{kind}");
    let mut chunks = response.bytes_stream();
    let mut text = Vec::new();
    loop {
        let chunk = chunks.next().await.context("the stream has ended")??;
        text.extend_from_slice(&chunk);
        let complete = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let events: Vec<Value> = text[..complete]
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .filter(|event| !event.as_ref().is_ok_and(is_heartbeat))
            .collect::<Result<_, _>>()?;
        if enough(&events) {
            return Ok(events);
        }
    }
}

/// The whole story of a session and a send, in order, each event once; resumed from the middle it
/// is the rest of the same story.
#[tokio::test]
async fn a_stream_resumes_without_loss() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let live = api.events().await?;
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let send = SendRequest::text(&peer.phone, "hello");
            let answer = api.send(&session.id, &send).await?.expect(200)?;
            let id = answer.text("outboxId")?;
            live.wait_for_status(&id, "delivered").await?;
            let seen = live.seen();
            let kinds: Vec<&str> = seen.iter().map(|event| event.kind()).collect();
            assert!(kinds.contains(&"auth.qr"), "{kinds:?}");
            assert!(kinds.contains(&"session.status"), "{kinds:?}");

            let first = seen.first().context("an event")?;
            let rest = &seen[1..];
            let query = format!("since={}", first.id());
            let again = ndjson(&api, &query, |events| events.len() >= rest.len()).await?;
            let ids = |events: &[Value]| -> Vec<Value> {
                events.iter().map(|event| event["id"].clone()).collect()
            };
            let live_ids: Vec<Value> = rest.iter().map(|event| event.0["id"].clone()).collect();
            assert_eq!(ids(&again), live_ids);

            let filter = format!("{query}&types=message.status&session={}", session.id);
            let statuses = ndjson(&api, &filter, |events| events.len() >= 4).await?;
            assert!(
                statuses
                    .iter()
                    .all(|event| event["event"] == "message.status")
            );
            Ok(())
        })
        .await
}

/// A follower whose API is killed resumes at the next one and misses nothing.
#[tokio::test]
async fn a_follower_survives_its_api() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let events = world.api(0).events().await?;
            // Something to resume from.
            let send = SendRequest::text(&peer.phone, "before");
            let first = world.api(0).send(&session.id, &send).await?.expect(200)?;
            let first = first.text("outboxId")?;
            events.wait_for_status(&first, "delivered").await?;

            world.sandbox().sleep(&peer.phone).await?;
            let send = SendRequest::text(&peer.phone, "meanwhile");
            let second = world.api(0).send(&session.id, &send).await?.expect(200)?;
            let second = second.text("outboxId")?;
            world.apis[0].program.kill9().await?;
            // What comes while nobody listens.
            world.sandbox().wake(&peer.phone).await?;
            world.sandbox().wait_for_messages(&peer.phone, 2).await?;
            world.apis[0].restart().await?;
            events.wait_for_status(&second, "delivered").await?;
            let emitted = events.statuses(&second);
            assert_eq!(emitted, ["queued", "sending", "sent", "delivered"]);
            Ok(())
        })
        .await
}

/// A position that is not in the stream any more is told as a gap, and nonsense is refused.
#[tokio::test]
async fn a_gap_is_told() -> Result<()> {
    World::builder()
        .api_env("GATEWAY_RETENTION__EVENTS_MS", "1000")
        .run(async |world| {
            let session = world.pair_session().await?.id;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let live = api.events().await?;
            let send = SendRequest::text(&peer.phone, "one more event").asynchronous();
            api.send(&session, &send).await?.expect(202)?;
            let old = live.wait_for("an event", |_| true).await?;
            let query = format!("since={}", old.id());
            world.may_leave_sends_waiting();
            eventually("the old event is gone", async || {
                api.send(&session, &send).await?.expect(202)?;
                let now = ndjson(&api, &query, |events| !events.is_empty()).await?;
                let emitted = now.iter().any(|event| event["event"] == "stream.gap");
                Ok(emitted.then_some(()))
            })
            .await?;
            let answer = api.get("/events?since=nonsense").await?;
            assert_eq!(
                (answer.status, answer.error_code()),
                (400, "validation_error")
            );
            let answer = api.get("/events?types=message.statuses").await?;
            assert_eq!(
                (answer.status, answer.error_code()),
                (400, "validation_error")
            );
            Ok(())
        })
        .await
}

/// What a peer writes is told once.
#[tokio::test]
async fn an_inbound_message_is_told_once() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let events = world.api(0).events().await?;
            let sandbox = world.sandbox();
            for text in ["one", "two"] {
                sandbox.send_text(&peer.phone, &session.phone, text).await?;
            }
            events
                .wait_for("the second message", |event| {
                    event.kind() == "message" && event.0.to_string().contains("\"two\"")
                })
                .await?;
            let emitted = events.seen();
            let emitted: Vec<_> = emitted
                .iter()
                .filter(|event| event.kind() == "message")
                .collect();
            assert_eq!(emitted.len(), 2);
            Ok(())
        })
        .await
}
