//! Pausing a session's lane, and retrying what failed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::owner::Owner;
use crate::world::{World, answer};

#[tokio::test]
async fn a_paused_lane_takes_async_sends_and_refuses_synchronous_ones() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let path = format!("/sessions/{}", session.session);
    let events = world.request(Method::GET, "/events?types=session.status");
    let events = events.header("accept", "application/x-ndjson");
    let mut stream = events.send().await.unwrap();
    let steer = async |verb: &str, body: Value| {
        let request = world.request(Method::POST, &format!("{path}:{verb}"));
        answer(request.json(&body)).await
    };
    let paused = steer("pause", json!({"reason": "audit"})).await;
    assert_eq!(paused.status, 200, "{paused:?}");
    assert_eq!(paused.body["paused"], true);
    assert_eq!(steer("pause", json!({"why": 1})).await.status, 400);

    let sync = answer(world.send(&session, "", "now")).await;
    assert_eq!((sync.status.as_u16(), sync.reason()), (503, "lane_paused"));
    assert_eq!(sync.body["error"]["details"]["cause"], "audit");
    assert!(sync.retry_after.is_some());
    let queued = answer(world.send(&session, "?async=true", "later")).await;
    assert_eq!(queued.status, 202);
    assert!(owner.claim().await.is_empty());
    let lane = answer(world.request(Method::GET, &format!("{path}/lane"))).await;
    assert_eq!(
        lane.body,
        json!({"paused": true, "pauseReason": "audit", "waiting": 1, "inFlight": 0})
    );

    let resumed = steer("resume", json!({})).await;
    assert_eq!(resumed.body["paused"], false);
    let claimed = owner.claim_some().await;
    assert_eq!(claimed[0].id.as_str(), queued.text("outboxId"));
    owner.sent(&claimed[0].id).await;

    let mut text = String::new();
    while text.matches("\"paused\":").count() < 2 {
        let chunk = stream.chunk().await.unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    let emitted: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|event| event["payload"].get("paused").cloned())
        .collect();
    assert_eq!(emitted, [json!(true), json!(false)]);
}

#[tokio::test]
async fn only_a_failed_send_can_be_retried() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let outbox = format!("/sessions/{}/outbox", session.session);
    let retry =
        async |id: &str| answer(world.request(Method::POST, &format!("{outbox}/{id}:retry"))).await;
    let send = world
        .send(&session, "?async=true", "x")
        .header("idempotency-key", "k");
    let queued = answer(send).await;
    let id = queued.text("outboxId");
    let conflict =
        |answer: crate::world::Answer| (answer.status.as_u16(), answer.reason().to_owned());
    assert_eq!(conflict(retry(&id).await), (409, "not_failed".into()));
    let claimed = owner.claim_some().await;
    assert_eq!(conflict(retry(&id).await), (409, "in_flight".into()));
    owner.refused(&claimed[0].id, 400).await;

    let entry = retry(&id).await;
    assert_eq!(
        (entry.status.as_u16(), entry.text("status")),
        (200, "queued".into())
    );
    assert_eq!(entry.body["try"], 2);
    assert_eq!(entry.text("waMessageId"), queued.text("waMessageId"));
    // The key replays the present result.
    let repeat = world
        .send(&session, "?async=true", "x")
        .header("idempotency-key", "k");
    let repeat = answer(repeat).await;
    assert_eq!(
        (repeat.status.as_u16(), repeat.text("status")),
        (202, "queued".into())
    );

    let claimed = owner.claim_some().await;
    assert_eq!(claimed[0].id.as_str(), id);
    owner.sent(&claimed[0].id).await;
    assert_eq!(conflict(retry(&id).await), (409, "already_terminal".into()));
    for unknown in ["out_00000000000000000000000000", "nonsense"] {
        assert_eq!(retry(unknown).await.status, 404);
    }
    let (_, stranger) = world.stranger("other").await;
    let path = format!("/api/v1{outbox}/{id}:retry");
    let request = world
        .api(0, Method::POST, &path)
        .header("x-api-key", stranger);
    assert_eq!(answer(request).await.status, 404);
    for (verb, status) in [("", 405), (":undo", 404)] {
        let request = world.request(Method::POST, &format!("{outbox}/{id}{verb}"));
        assert_eq!(answer(request).await.status, status);
    }
}
