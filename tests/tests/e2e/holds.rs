//! What makes a session's sends wait, and what ends the waiting.

use anyhow::Result;
use gateway_tests::client::{ApiClient, Fault, SendRequest, eventually};
use gateway_tests::world::{Peer, World};
use serde_json::{Value, json};

async fn queue(api: &ApiClient, session: &str, peer: &Peer, text: &str) -> Result<String> {
    let send = SendRequest::text(&peer.phone, text).asynchronous();
    api.send(session, &send)
        .await?
        .expect(202)?
        .text("outboxId")
}

async fn lane(api: &ApiClient, session: &str) -> Result<Value> {
    let path = format!("/sessions/{session}/lane");
    Ok(api.get(&path).await?.expect(200)?.json)
}

/// An operator pauses a session: async sends are accepted and wait, also through the death of a
/// worker; synchronous ones are told why they can not.
#[tokio::test]
async fn a_paused_session_waits_until_it_is_resumed() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;
            let pause = format!("/sessions/{}:pause", session.id);
            let paused = api.post(&pause, &json!({"reason": "audit"})).await?;
            assert_eq!(paused.expect(200)?.at("paused"), &json!(true));
            let id = queue(&api, &session.id, &peer, "later").await?;
            let sync = SendRequest::text(&peer.phone, "now");
            let refused = api.send(&session.id, &sync).await?.expect(503)?;
            assert_eq!(refused.error_reason(), "lane_paused");
            world.workers[0].kill9_and_restart().await?;
            api.wait_for_session(&session.id, "working").await?;
            assert_eq!(api.outbox(&session.id, &id).await?["status"], "queued");
            assert_eq!(lane(&api, &session.id).await?["paused"], true);

            let resume = format!("/sessions/{}:resume", session.id);
            let resumed = api.post(&resume, &json!({})).await?.expect(200)?;
            assert_eq!(resumed.at("paused"), &json!(false));
            events.wait_for_status(&id, "sent").await?;
            api.send(&session.id, &sync).await?.expect(200)?;
            Ok(())
        })
        .await
}

/// WhatsApp restricts reaching out (463): people never written to wait, and nobody else.
#[tokio::test]
async fn a_reach_out_restriction_holds_new_chats_and_nothing_else() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__REACH_OUT_REST_MS", "4000")
        .run(async |world| {
            let session = world.pair_session().await?;
            let friend = world.create_peer().await?;
            let (stranger, other) = (world.create_peer().await?, world.create_peer().await?);
            let api = world.api(0);
            let hello = SendRequest::text(&friend.phone, "hello");
            api.send(&session.id, &hello).await?.expect(200)?;

            let fault = Fault::nack(463, 1).to(&stranger.phone);
            world.sandbox().fault(fault).await?;
            let refused = queue(&api, &session.id, &stranger, "who are you?").await?;
            eventually("new chats are held", async || {
                let lane = lane(&api, &session.id).await?;
                Ok(lane.get("newChatsHeldUntil").is_some().then_some(()))
            })
            .await?;
            let waits = queue(&api, &session.id, &other, "and you?").await?;
            api.send(&session.id, &hello).await?.expect(200)?;
            let sync = SendRequest::text(&other.phone, "now");
            let held = api.send(&session.id, &sync).await?;
            // On a very slow machine the hold may be over by now.
            if held.status == 503 {
                assert_eq!(held.error_reason(), "new_chats_held");
                assert!(held.header("retry-after").is_some());
            }
            let events = api.events().await?;
            for id in [&refused, &waits] {
                if api.outbox(&session.id, id).await?["status"] == "sending" || held.status == 503 {
                    events.wait_for_status(id, "delivered").await?;
                }
            }
            let first = api.outbox(&session.id, &refused).await?;
            assert_eq!(first["attempts"], 2);
            assert_eq!(api.outbox(&session.id, &waits).await?["attempts"], 1);
            Ok(())
        })
        .await
}

/// `rate-overlimit` (429): the whole session rests, and no send is to blame.
#[tokio::test]
async fn an_overlimit_rests_the_whole_session() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__OVERLIMIT_REST_MS", "3000")
        .run(async |world| {
            let session = world.pair_session().await?;
            let (peer, other) = (world.create_peer().await?, world.create_peer().await?);
            let api = world.api(0);
            world.sandbox().fault(Fault::nack(429, 1)).await?;
            let first = queue(&api, &session.id, &peer, "too fast").await?;
            let resting = eventually("the lane rests", async || {
                let lane = lane(&api, &session.id).await?;
                Ok(lane["restingUntil"].as_i64())
            })
            .await?;
            let second = queue(&api, &session.id, &other, "waits as well").await?;
            for id in [&first, &second] {
                let entry = eventually("it is sent", async || {
                    let entry = api.outbox(&session.id, id).await?;
                    let status = entry["status"].as_str().unwrap_or_default().to_owned();
                    Ok(["sent", "delivered"]
                        .contains(&status.as_str())
                        .then_some(entry))
                })
                .await?;
                assert_eq!(entry["attempts"], 1, "the rest cost no attempt");
                let history = entry["history"].as_array().unwrap();
                let sent = history
                    .iter()
                    .find(|step| step["status"] == "sent")
                    .unwrap();
                assert!(sent["timestamp"].as_i64().unwrap() / 1000 >= resting / 1000);
            }
            Ok(())
        })
        .await
}

/// A message that its workers die with ends as a dead letter, and has another try when told.
#[tokio::test]
async fn a_message_that_workers_die_with_is_given_up_and_can_be_retried() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__MAX_CRASHES", "3")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;
            // Nobody confirms it in another way: its recipient is away.
            world.sandbox().sleep(&peer.phone).await?;
            world.sandbox().fault(Fault::drop_ack(3)).await?;
            let id = queue(&api, &session.id, &peer, "poison").await?;
            for crash in 1..=3 {
                let sandbox = world.sandbox();
                eventually("the message is in flight", async || {
                    let ledger = sandbox.ledger(&session.phone).await?;
                    let copies = ledger.len() as u64;
                    Ok((copies >= crash).then_some(()))
                })
                .await?;
                world.workers[0].kill9_and_restart().await?;
            }
            let failed = events.wait_for_status(&id, "failed").await?;
            let error = &failed.0["payload"]["error"];
            assert_eq!(error["code"], "outcome_unknown");
            assert_eq!(error["cause"], "worker_crashed");

            let retry = format!("/sessions/{}/outbox/{id}:retry", session.id);
            let entry = api.post(&retry, &json!({})).await?.expect(200)?;
            assert_eq!(entry.at("try"), &json!(2));
            events.wait_for_status(&id, "sent").await?;
            world.sandbox().wake(&peer.phone).await?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            assert_eq!(messages.len(), 1, "one message, however many copies");
            Ok(())
        })
        .await
}
