//! Webhooks: what happens is posted, signed, in order, to endpoints of every kind.

mod breaking;
mod crashing;
mod listening;
mod managing;
mod refusing;

use anyhow::Result;
use gateway_tests::client::{ApiClient, SendRequest};
use gateway_tests::receiver::{Posted, Receiver};
use gateway_tests::world::{PairedSession, Peer, World, WorldBuilder};
use serde_json::{Value, json};

/// A world whose pauses are short.
fn world() -> WorldBuilder {
    World::builder()
        .setting("GATEWAY_WEBHOOKS__SCHEDULE_MS", "[150, 300, 500]")
        .setting("GATEWAY_WEBHOOKS__GIVE_UP_AFTER_MS", "60000")
}

/// Makes a webhook of these events at a receiver; its id and its secret.
async fn subscribe(api: &ApiClient, url: &str, events: &[&str]) -> Result<(String, String)> {
    make(api, &json!({"url": url, "events": events})).await
}

async fn make(api: &ApiClient, body: &Value) -> Result<(String, String)> {
    let made = api.post("/webhooks", body).await?.expect(201)?;
    Ok((made.text("id")?, made.text("secret")?))
}

/// Sends texts to a person, one after the other, without waiting for them.
async fn send(
    api: &ApiClient,
    session: &PairedSession,
    peer: &Peer,
    texts: std::ops::Range<usize>,
) -> Result<()> {
    for number in texts {
        let send = SendRequest::text(&peer.phone, &format!("text {number}")).asynchronous();
        api.send(&session.id, &send).await?.expect(202)?;
    }
    Ok(())
}

/// The chat of a posted event.
fn chat(posted: &Posted) -> String {
    posted.json()["payload"]["chatJid"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The events of each chat came in the order of their ids.
fn assert_in_order(delivered: &[Posted]) {
    let mut last = std::collections::HashMap::new();
    for posted in delivered {
        let id = posted.id().to_owned();
        if let Some(before) = last.insert(chat(posted), id.clone()) {
            assert!(before < id, "{before} came before {id} in {}", chat(posted));
        }
    }
}

/// Every request is signed by this secret.
fn assert_signed(posted: &[Posted], secret: &str) {
    assert!(posted.iter().all(|one| one.is_signed_by(secret)));
}

/// Waits until a webhook's record says so.
async fn until(
    api: &ApiClient,
    id: &str,
    what: &str,
    so: impl Fn(&Value) -> bool,
) -> Result<Value> {
    gateway_tests::client::eventually(what, async || {
        let webhook = api.get(&format!("/webhooks/{id}")).await?.expect(200)?.json;
        Ok(so(&webhook).then_some(webhook))
    })
    .await
}

/// An event is posted as `/events` shows it, with the headers of both kinds, at once.
#[tokio::test]
async fn what_happens_is_posted_signed_and_in_order() -> Result<()> {
    world()
        .run(async |world| {
            let api = world.api(0);
            let receiver = Receiver::start().await?;
            let (_, secret) = subscribe(&api, &receiver.url("/hook"), &["message.status"]).await?;
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let other = world.create_peer().await?;
            let events = api.events().await?;
            send(&api, &session, &peer, 0..5).await?;
            send(&api, &session, &other, 0..5).await?;
            // queued, sending, sent, delivered of each.
            let delivered = receiver.wait_for_delivered(40).await?;
            assert_in_order(&delivered);
            assert_signed(&receiver.posted(), &secret);
            let first = &delivered[0];
            assert_eq!(first.path, "/hook");
            assert_eq!(first.header("content-type"), "application/json");
            assert_eq!(first.header("x-webhook-request-id"), first.id());
            assert_eq!(first.header("x-webhook-hmac-algorithm"), "sha512");
            assert_eq!(first.header("x-webhook-hmac").len(), 128);
            let millis: i64 = first.header("x-webhook-timestamp").parse()?;
            let seconds: i64 = first.header("webhook-timestamp").parse()?;
            assert_eq!(millis / 1000, seconds);
            // The same envelope as on the stream, under the same id.
            let seen = events.seen();
            for posted in &delivered {
                let json = posted.json();
                assert_eq!(json["id"], posted.id());
                if let Some(event) = seen.iter().find(|event| event.id() == posted.id()) {
                    assert_eq!(event.0, json);
                }
            }
            assert_eq!(delivered.len(), receiver.posted().len(), "none came twice");
            Ok(())
        })
        .await
}
