//! Why a message waits, in one sentence, on its page and in the API.

use anyhow::Result;
use gateway_tests::client::SendRequest;
use gateway_tests::world::World;
use serde_json::json;

use super::{Room, queue};

#[tokio::test]
async fn a_message_says_why_it_waits() -> Result<()> {
    World::builder()
        .run(async |world| {
            world.may_leave_sends_waiting();
            let (api, friend) = (world.api(0), world.create_peer().await?);
            let mut cases: Vec<(String, String, &str)> = Vec::new();

            let limited = world.pair_session_limited(1, 0).await?;
            let first = SendRequest::text(&friend.phone, "takes the minute");
            api.send(&limited.id, &first).await?.expect(200)?;
            let next = queue(&api, &limited.id, &friend.phone, "waits for the rate").await?;
            let behind = queue(&api, &limited.id, &friend.phone, "waits behind it").await?;
            cases.push((limited.id.clone(), next, "the session's rate limit"));
            cases.push((limited.id.clone(), behind, "in the same chat"));

            let other = world.pair_session().await?;
            let later = SendRequest::text(&friend.phone, "later")
                .asynchronous()
                .in_millis(3_600_000);
            let later = api.send(&other.id, &later).await?.expect(202)?;
            let later = later.text("outboxId")?;
            cases.push((other.id.clone(), later, "scheduled, for 60 min"));

            let stopped = world.pair_session().await?;
            api.post(&format!("/sessions/{}:stop", stopped.id), &json!({}))
                .await?
                .expect(200)?;
            api.wait_for_session(&stopped.id, "stopped").await?;
            let waits = queue(&api, &stopped.id, &friend.phone, "not connected").await?;
            cases.push((stopped.id.clone(), waits, "the session is not connected"));

            let paused = world.pair_session().await?;
            let path = format!("/sessions/{}:pause", paused.id);
            api.post(&path, &json!({"reason": "audit"}))
                .await?
                .expect(200)?;
            let waits = queue(&api, &paused.id, &friend.phone, "paused").await?;
            cases.push((paused.id.clone(), waits, "an operator paused"));

            let mut room = Room::enter(world, "viewer").await?;
            for (number, (session, id, why)) in cases.iter().enumerate() {
                room.open(&format!("/ops/messages/{session}/{id}")).await?;
                room.says("Why it waits").await?;
                room.says(why).await?;
                room.picture(&format!("waits-{number}")).await?;
                let waiting = api.outbox(session, id).await?["waitingFor"].clone();
                let told = waiting["message"].as_str().unwrap_or_default();
                assert!(told.contains(why), "{waiting} for {why}");
            }
            room.accuse_page().await?;
            room.accuse()
        })
        .await
}
