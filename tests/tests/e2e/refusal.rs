//! What WhatsApp refuses for good, and what only takes patience.

use anyhow::Result;
use gateway_tests::client::{Fault, SendRequest};
use gateway_tests::world::World;

/// A permanent code: 502 with it for a synchronous send, a `failed` event with it for an
/// asynchronous one; the chat goes on.
#[tokio::test]
async fn a_permanent_code_fails_the_send_and_only_that() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;

            world.sandbox().fault(Fault::nack(479, 1)).await?;
            let send = SendRequest::text(&peer.phone, "refused");
            let answer = api.send(&session.id, &send).await?.expect(502)?;
            assert_eq!(answer.error_code(), "send_failed");
            assert_eq!(answer.at("error/details/waCode"), 479);
            assert!(!answer.error_reason().is_empty());
            let id = answer.text("error/details/outboxId")?;
            let event = events.wait_for_status(&id, "failed").await?;
            assert_eq!(event.0["payload"]["error"]["waCode"], 479);

            world.sandbox().fault(Fault::nack(400, 1)).await?;
            let send = SendRequest::text(&peer.phone, "also refused").asynchronous();
            let answer = api.send(&session.id, &send).await?.expect(202)?;
            let id = answer.text("outboxId")?;
            let event = events.wait_for_status(&id, "failed").await?;
            assert_eq!(event.0["payload"]["error"]["waCode"], 400);
            assert_eq!(events.statuses(&id), ["queued", "sending", "failed"]);
            let entry = api.outbox(&session.id, &id).await?;
            assert_eq!(entry["error"]["waCode"], 400);

            let send = SendRequest::text(&peer.phone, "goes through");
            api.send(&session.id, &send).await?.expect(200)?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].text(), "goes through");
            Ok(())
        })
        .await
}

/// A dropped connection is no failure: both kinds of send wait for the next one.
#[tokio::test]
async fn a_dropped_connection_takes_patience() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;
            world.sandbox().fault(Fault::cut(2)).await?;
            let send = SendRequest::text(&peer.phone, "asynchronously").asynchronous();
            let answer = api.send(&session.id, &send).await?.expect(202)?;
            let id = answer.text("outboxId")?;
            events.wait_for_status(&id, "sent").await?;
            assert!(!events.statuses(&id).contains(&"failed".to_owned()));

            world.sandbox().fault(Fault::cut(1)).await?;
            let send = SendRequest::text(&peer.phone, "synchronously");
            api.wait_for_session(&session.id, "working").await?;
            api.send(&session.id, &send).await?.expect(200)?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 2).await?;
            assert_eq!(messages.len(), 2);
            Ok(())
        })
        .await
}

/// A message that nobody acknowledged is sent again under its own id; the peer sees one.
#[tokio::test]
async fn a_lost_acknowledgement_repeats_the_same_message() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__ACK_TIMEOUT_MS", "500")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            world.sandbox().fault(Fault::drop_ack(1)).await?;
            let send = SendRequest::text(&peer.phone, "once");
            let answer = api.send(&session.id, &send).await?.expect(200)?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].id, answer.text("waMessageId")?);

            world.sandbox().fault(Fault::silence(1)).await?;
            let send = SendRequest::text(&peer.phone, "swallowed at first");
            api.send(&session.id, &send).await?.expect(200)?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 2).await?;
            assert_eq!(messages.len(), 2);
            assert_eq!(messages[1].copies, 1);
            Ok(())
        })
        .await
}

/// Past its deadline a synchronous send is answered 202; its fate arrives as an event.
#[tokio::test]
async fn a_slow_acknowledgement_is_answered_202() -> Result<()> {
    World::builder()
        .api_env("GATEWAY_SEND__SYNC_DEADLINE_MS", "500")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;
            world.sandbox().fault(Fault::delay(2_000, 1)).await?;
            let send = SendRequest::text(&peer.phone, "slow").key("k");
            let answer = api.send(&session.id, &send).await?.expect(202)?;
            assert_eq!(answer.text("mode")?, "sync");
            assert_eq!(answer.text("status")?, "sending");
            let id = answer.text("outboxId")?;
            events.wait_for_status(&id, "sent").await?;
            let repeat = api.send(&session.id, &send).await?.expect(200)?;
            assert_eq!(repeat.text("outboxId")?, id);
            Ok(())
        })
        .await
}

/// Whoever is not on WhatsApp is told as a failure, not as a success nobody received.
#[tokio::test]
async fn a_number_that_is_not_on_whatsapp_fails() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let send = SendRequest::text("15559999999", "anybody there?");
            let answer = world.api(0).send(&session.id, &send).await?.expect(502)?;
            assert_eq!(answer.error_code(), "send_failed");
            Ok(())
        })
        .await
}
