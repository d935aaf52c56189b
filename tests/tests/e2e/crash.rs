//! Processes that die at the worst moment.

use std::time::Duration;

use anyhow::Result;
use gateway_tests::client::{Event, Fault, SendRequest, eventually};
use gateway_tests::world::World;
use serde_json::json;

/// The worker dies after the server has the message and before it knows: the send completes after
/// the restart, and the peer sees one message.
#[tokio::test]
async fn a_worker_between_the_socket_and_the_ack() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;
            world.sandbox().fault(Fault::drop_ack(1)).await?;
            let send = SendRequest::text(&peer.phone, "once").asynchronous();
            let answer = api.send(&session.id, &send).await?.expect(202)?;
            world.sandbox().wait_for_ledger(&session.phone, 1).await?;
            world.workers[0].kill9_and_restart().await?;

            let id = answer.text("outboxId")?;
            events.wait_for_status(&id, "sent").await?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].id, answer.text("waMessageId")?);
            assert!(messages[0].copies >= 1);
            Ok(())
        })
        .await
}

/// The worker dies in the middle of many sends to several people: each arrives once, each chat in
/// its order.
#[tokio::test]
async fn a_worker_in_the_middle_of_many_sends() -> Result<()> {
    const EACH: usize = 30;
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peers = [
                world.create_peer().await?,
                world.create_peer().await?,
                world.create_peer().await?,
            ];
            let api = world.api(0);
            for number in 0..EACH {
                for peer in &peers {
                    let text = format!("number {number}");
                    let send = SendRequest::text(&peer.phone, &text).asynchronous();
                    api.send(&session.id, &send).await?.expect(202)?;
                }
            }
            world.sandbox().wait_for_ledger(&session.phone, 5).await?;
            world.workers[0].kill9_and_restart().await?;
            let expected: Vec<String> =
                (0..EACH).map(|number| format!("number {number}")).collect();
            for peer in &peers {
                let sandbox = world.sandbox();
                let messages = sandbox.wait_for_messages(&peer.phone, EACH).await?;
                let texts: Vec<&str> = messages.iter().map(|message| message.text()).collect();
                assert_eq!(texts, expected);
            }
            Ok(())
        })
        .await
}

/// Redis dies right after it was promised that sends are safe: they complete after its restart.
#[tokio::test]
async fn redis_after_sends_were_accepted() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            // The first one is not answered for a while, so that the rest waits in Redis.
            world.sandbox().fault(Fault::delay(1_000, 1)).await?;
            let mut sends = Vec::new();
            for number in 0..20 {
                let send = SendRequest::text(&peer.phone, &format!("number {number}"));
                let answer = api.send(&session.id, &send.asynchronous()).await?;
                sends.push(answer.expect(202)?);
            }
            world.redis.kill9().await?;
            let answer = api.get("/sessions").await?;
            assert_eq!(answer.status, 503, "{}", answer.json);
            assert_eq!(answer.error_code(), "gateway_unavailable");
            assert!(answer.header("retry-after").is_some());
            world.redis.restart().await?;

            let messages = world.sandbox().wait_for_messages(&peer.phone, 20).await?;
            let texts: Vec<_> = messages.iter().map(|message| message.text()).collect();
            let expected: Vec<_> = (0..20).map(|number| format!("number {number}")).collect();
            assert_eq!(texts, expected);
            for send in sends {
                let id = send.text("outboxId")?;
                eventually("the outbox says that it was sent", async || {
                    let entry = api.outbox(&session.id, &id).await?;
                    let settled = ["sent", "delivered"].iter().any(|s| entry["status"] == *s);
                    Ok(settled.then_some(()))
                })
                .await?;
            }
            Ok(())
        })
        .await
}

/// Peers write while Redis is away for less than a lease: each message is told, once, when it is
/// back. The worker must not refuse what it can not decrypt without its keys, nor forget what it
/// could decrypt and not store.
#[tokio::test]
async fn redis_while_peers_write() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let known = world.create_peer().await?;
            let stranger = world.create_peer().await?;
            let events = world.api(0).events().await?;
            let sandbox = world.sandbox();
            let emitted = async |text: &str| {
                let is = |event: &Event| event.kind() == "message" && event.text("text") == text;
                events.wait_for(text, is).await
            };
            sandbox
                .send_text(&known.phone, &session.phone, "before")
                .await?;
            emitted("before").await?;
            world.redis.kill9().await?;
            // One whose keys the worker has in memory, and one whose it must look up.
            sandbox
                .send_text(&known.phone, &session.phone, "known")
                .await?;
            sandbox
                .send_text(&stranger.phone, &session.phone, "stranger")
                .await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            world.redis.restart().await?;
            for text in ["known", "stranger"] {
                emitted(text).await?;
            }
            sandbox
                .send_text(&known.phone, &session.phone, "after")
                .await?;
            emitted("after").await?;
            let messages = events.seen().into_iter().filter(|e| e.kind() == "message");
            assert_eq!(messages.count(), 4, "each once");
            Ok(())
        })
        .await
}

/// The API dies while a synchronous send is under way: the repeat with the same key, on another
/// API or on the same one after its restart, returns the one result.
#[tokio::test]
async fn an_api_during_a_synchronous_send() -> Result<()> {
    World::builder()
        .apis(2)
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (doomed, other) = (world.api(0), world.api(1));
            world.sandbox().fault(Fault::delay(2_000, 1)).await?;
            let send = SendRequest::text(&peer.phone, "once").key("k");
            let first = {
                let (session, send) = (session.id.clone(), send.clone());
                tokio::spawn(async move { doomed.send(&session, &send).await })
            };
            eventually("the send is under way", async || {
                let entries = other.whole_outbox(&session.id).await?;
                Ok((!entries.is_empty()).then_some(()))
            })
            .await?;
            world.apis[0].program.kill9().await?;
            assert!(first.await?.is_err(), "its caller was cut off");

            let repeat = other.send(&session.id, &send).await?.expect(200)?;
            assert_eq!(repeat.at("replayed"), &json!(true));
            assert_eq!(repeat.text("mode")?, "sync");
            world.apis[0].restart().await?;
            let again = world.api(0).send(&session.id, &send).await?.expect(200)?;
            assert_eq!(again.text("outboxId")?, repeat.text("outboxId")?);
            let messages = world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].id, repeat.text("waMessageId")?);
            Ok(())
        })
        .await
}

/// Told to end, a worker finishes or returns what is in flight; its successor goes on.
#[tokio::test]
async fn a_worker_that_is_told_to_end_leaves_nothing_behind() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            for number in 0..50 {
                let send = SendRequest::text(&peer.phone, &format!("number {number}"));
                api.send(&session.id, &send.asynchronous())
                    .await?
                    .expect(202)?;
            }
            let status = world.workers[0].program.term().await?;
            assert!(status.success(), "{status}");
            world.workers[0].restart().await?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 50).await?;
            let texts: Vec<_> = messages.iter().map(|message| message.text()).collect();
            let expected: Vec<_> = (0..50).map(|number| format!("number {number}")).collect();
            assert_eq!(texts, expected);
            assert!(messages.iter().all(|message| message.copies == 1));
            Ok(())
        })
        .await
}
