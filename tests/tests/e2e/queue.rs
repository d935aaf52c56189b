//! An asynchronous send waits for what it needs, in its place.

use anyhow::Result;
use gateway_tests::client::{ApiClient, SendRequest};
use gateway_tests::world::{PairedSession, Peer, World};
use serde_json::json;

/// Sends `texts` asynchronously; every answer must be 202 `queued`. Gives the outbox ids.
async fn enqueue(
    api: &ApiClient,
    session: &PairedSession,
    peer: &Peer,
    texts: &[String],
) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for text in texts {
        let send = SendRequest::text(&peer.phone, text).asynchronous();
        let answer = api.send(&session.id, &send).await?.expect(202)?;
        assert_eq!(answer.text("mode")?, "async");
        assert_eq!(answer.text("status")?, "queued");
        ids.push(answer.text("outboxId")?);
    }
    Ok(ids)
}

fn numbered(count: usize) -> Vec<String> {
    (1..=count)
        .map(|number| format!("number {number}"))
        .collect()
}

/// The peer holds exactly these texts in this order, each once.
async fn arrive_in_order(world: &World, peer: &Peer, texts: &[String]) -> Result<()> {
    let sandbox = world.sandbox();
    let messages = sandbox.wait_for_messages(&peer.phone, texts.len()).await?;
    let arrived: Vec<_> = messages.iter().map(|message| message.text()).collect();
    assert_eq!(arrived, texts);
    Ok(())
}

#[tokio::test]
async fn it_waits_while_the_session_is_disconnected() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let stop = format!("/sessions/{}:stop", session.id);
            api.post(&stop, &serde_json::json!({})).await?.expect(200)?;
            api.wait_for_session(&session.id, "stopped").await?;
            let texts = numbered(5);
            let ids = enqueue(&api, &session, &peer, &texts).await?;
            assert_eq!(world.sandbox().messages(&peer.phone).await?.len(), 0);
            let events = api.events().await?;
            api.start_session(&session.id).await?;
            arrive_in_order(world, &peer, &texts).await?;
            for id in ids {
                events.wait_for_status(&id, "sent").await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn it_waits_while_no_worker_runs() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            world.workers[0].program.term().await?;
            let texts = numbered(5);
            enqueue(&world.api(0), &session, &peer, &texts).await?;
            world.workers[0].restart().await?;
            arrive_in_order(world, &peer, &texts).await
        })
        .await
}

#[tokio::test]
async fn it_waits_while_the_session_is_over_its_rate() -> Result<()> {
    World::builder()
        .run(async |world| {
            // Ten at once, then one every six seconds.
            let session = world.pair_session_limited(10, 0).await?;
            let peer = world.create_peer().await?;
            let texts = numbered(12);
            enqueue(&world.api(0), &session, &peer, &texts).await?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 10).await?;
            assert_eq!(messages.len(), 10, "the eleventh is over the limit");
            arrive_in_order(world, &peer, &texts).await
        })
        .await
}

/// Sends of one chat keep the order of acceptance, synchronous ones included; another chat does
/// not wait for it.
#[tokio::test]
async fn a_chat_keeps_its_order_and_others_do_not_wait() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let (slow, quick) = (world.create_peer().await?, world.create_peer().await?);
            let api = world.api(0);
            // The first message to the slow chat is not answered for a while.
            let fault = gateway_tests::client::Fault::delay(1_500, 1).to(&slow.phone);
            world.sandbox().fault(fault).await?;
            let mut texts = numbered(20);
            enqueue(&api, &session, &slow, &texts).await?;
            let last = SendRequest::text(&slow.phone, "and last, synchronously");
            let send = api.send(&session.id, &last);
            texts.push("and last, synchronously".to_owned());
            let other = SendRequest::text(&quick.phone, "meanwhile");
            let meanwhile = api.send(&session.id, &other);
            let (send, meanwhile) = tokio::join!(send, meanwhile);
            send?.expect(200)?;
            meanwhile?.expect(200)?;
            arrive_in_order(world, &slow, &texts).await?;
            arrive_in_order(world, &quick, &["meanwhile".to_owned()]).await
        })
        .await
}

/// 1,000 sends in one request, ten of them bad: exactly the others arrive, in their order.
#[tokio::test]
async fn a_batch_with_bad_sends_in_it_sends_exactly_the_others() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let is_bad = |number: usize| number.is_multiple_of(100);
            let texts = numbered(1_000);
            let messages: Vec<_> = (1..=1_000)
                .map(|number| {
                    let to = if is_bad(number) {
                        "nobody"
                    } else {
                        &peer.phone
                    };
                    json!({"type": "text", "to": to, "text": texts[number - 1]})
                })
                .collect();
            let path = format!("/sessions/{}/messages:batch", session.id);
            let answer = world
                .api(0)
                .post(&path, &json!({"messages": messages}))
                .await?;
            let answer = answer.expect(202)?;
            assert_eq!(
                (answer.at("accepted"), answer.at("refused")),
                (&json!(990), &json!(10))
            );
            let sound: Vec<String> = (1..=1_000)
                .filter(|number| !is_bad(*number))
                .map(|number| texts[number - 1].clone())
                .collect();
            // A busy machine needs its time for so many in one chat; what counts is that they move.
            for count in (99..=990).step_by(99) {
                world
                    .sandbox()
                    .wait_for_messages(&peer.phone, count)
                    .await?;
            }
            arrive_in_order(world, &peer, &sound).await
        })
        .await
}
