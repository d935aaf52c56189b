//! One `Idempotency-Key` is one message.

use std::collections::HashSet;

use anyhow::Result;
use futures_util::future::join_all;
use gateway_tests::client::{Fault, SendRequest};
use gateway_tests::world::World;
use serde_json::json;

/// A hundred times at once, synchronous and asynchronous mixed, over two APIs: one message at the
/// peer, one outbox id in all answers.
#[tokio::test]
async fn a_hundred_at_once_are_one_message() -> Result<()> {
    World::builder()
        .apis(2)
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let sends = (0..100).map(|number| {
                let api = world.api(number % 2);
                let session = session.id.clone();
                let mut send = SendRequest::text(&peer.phone, "only once").key("the-key");
                if number % 3 == 0 {
                    send = send.asynchronous();
                }
                async move { api.send(&session, &send).await }
            });
            let mut ids = HashSet::new();
            let mut originals = 0;
            for answer in join_all(sends).await {
                let answer = answer?;
                assert!(
                    matches!(answer.status, 200 | 202),
                    "{}: {}",
                    answer.status,
                    answer.json
                );
                ids.insert((answer.text("outboxId")?, answer.text("waMessageId")?));
                if answer.at("replayed") == &json!(false) {
                    originals += 1;
                }
            }
            assert_eq!(
                ids.len(),
                1,
                "one outbox id and one message id in all answers"
            );
            assert_eq!(originals, 1, "one answer is the original's");
            let messages = world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].copies, 1);
            assert_eq!(world.sandbox().ledger(&session.phone).await?.len(), 1);
            assert_eq!(world.api(0).whole_outbox(&session.id).await?.len(), 1);
            Ok(())
        })
        .await
}

/// A repeat returns the original's present result, final when it is final.
#[tokio::test]
async fn a_repeat_returns_the_present_result() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;
            let send = SendRequest::text(&peer.phone, "once").key("k");
            let first = api.send(&session.id, &send).await?.expect(200)?;
            let id = first.text("outboxId")?;
            events.wait_for_status(&id, "delivered").await?;
            let repeat = api.send(&session.id, &send).await?.expect(200)?;
            assert_eq!(repeat.text("outboxId")?, id);
            assert_eq!(repeat.text("waMessageId")?, first.text("waMessageId")?);
            assert_eq!(repeat.text("status")?, "delivered");
            assert_eq!(repeat.at("replayed"), &json!(true));
            assert_eq!(world.sandbox().messages(&peer.phone).await?.len(), 1);
            Ok(())
        })
        .await
}

/// The same key with another body, another session or the other organization's key.
#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_organization() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let other_session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let send = SendRequest::text(&peer.phone, "the first").key("k");
            api.send(&session.id, &send).await?.expect(200)?;

            let other_body = SendRequest::text(&peer.phone, "the second").key("k");
            let answer = api.send(&session.id, &other_body).await?.expect(409)?;
            assert_eq!(answer.error_code(), "conflict");
            assert_eq!(answer.error_reason(), "idempotency_key_reused");
            let answer = api.send(&other_session.id, &send).await?.expect(409)?;
            assert_eq!(answer.error_reason(), "idempotency_key_reused");

            let key = world.create_organization("Other").await?;
            let stranger = api.with_key(&key.secret);
            let session = stranger.create_session("theirs", 0, 0).await?;
            let sandbox = world.sandbox();
            gateway_tests::world::pair(&stranger, &sandbox, &session, "15550000099").await?;
            let answer = stranger.send(&session, &send.asynchronous()).await?;
            assert_eq!(answer.expect(202)?.at("replayed"), &json!(false));
            world.may_leave_sends_waiting();
            Ok(())
        })
        .await
}

/// A send that failed for good replays as that failure.
#[tokio::test]
async fn a_failure_is_replayed_as_that_failure() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            world.sandbox().fault(Fault::nack(479, 1)).await?;
            let send = SendRequest::text(&peer.phone, "refused").key("k");
            let first = api.send(&session.id, &send).await?.expect(502)?;
            let repeat = api.send(&session.id, &send).await?.expect(502)?;
            assert_eq!(
                repeat.text("error/details/outboxId")?,
                first.text("error/details/outboxId")?
            );
            assert_eq!(world.sandbox().messages(&peer.phone).await?.len(), 0);
            Ok(())
        })
        .await
}

/// Refused before acceptance, the key is as good as new.
#[tokio::test]
async fn a_refusal_before_acceptance_leaves_the_key_usable() -> Result<()> {
    World::builder()
        .run(async |world| {
            // One at once, then one every second.
            let session = world.pair_session_limited(0, 3_600).await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let patch = json!({ "ratePerMin": 1 });
            let path = format!("/sessions/{}", session.id);
            let request = api.request(reqwest::Method::PATCH, &path).json(&patch);
            api.call(request).await?.expect(200)?;
            let first = SendRequest::text(&peer.phone, "first");
            api.send(&session.id, &first).await?.expect(200)?;

            let send = SendRequest::text(&peer.phone, "second").key("k");
            let answer = api.send(&session.id, &send).await?.expect(429)?;
            assert_eq!(answer.error_code(), "rate_limited");
            let invalid = SendRequest::text(&peer.phone, "").key("k");
            api.send(&session.id, &invalid).await?.expect(400)?;

            // The same key, now with another body: it was never used.
            let other = SendRequest::text(&peer.phone, "third")
                .asynchronous()
                .key("k");
            let answer = api.send(&session.id, &other).await?.expect(202)?;
            assert_eq!(answer.at("replayed"), &json!(false));
            world.may_leave_sends_waiting();
            Ok(())
        })
        .await
}
