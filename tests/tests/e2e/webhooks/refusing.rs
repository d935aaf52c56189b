//! Events that an endpoint refuses, and endpoints that are down.

use std::collections::HashSet;
use std::sync::Mutex;

use anyhow::{Context, Result};
use gateway_tests::receiver::{Receiver, Reply};
use serde_json::json;

use super::{assert_in_order, assert_signed, chat, make, send, subscribe, until, world};

/// A refused event is tried again, its chat waits for it, other chats go on; when its attempts are
/// used up it is a dead letter, its chat goes on, and a replay delivers it.
#[tokio::test]
async fn a_refused_event_holds_its_chat_alone_and_becomes_a_dead_letter() -> Result<()> {
    world()
        .run(async |world| {
            let api = world.api(0);
            let session = world.pair_session().await?;
            let (peer, other) = (world.create_peer().await?, world.create_peer().await?);
            let receiver = Receiver::start().await?;
            let refused = peer.jid.clone();
            // One event of one chat is refused for good: its first.
            receiver.answer(move |posted| {
                let poison =
                    chat(posted) == refused && posted.json()["payload"]["status"] == "queued";
                Reply::Status(if poison { 422 } else { 200 })
            });
            let body = json!({
                "url": receiver.url("/"), "events": ["message.status"],
                "retryPolicy": {"policy": "constant", "delaySeconds": 2, "attempts": 3},
            });
            let (id, _) = make(&api, &body).await?;
            send(&api, &session, &peer, 0..1).await?;
            receiver
                .wait_for("the event is refused", |posted| {
                    posted.iter().any(|one| one.status == 422)
                })
                .await?;
            send(&api, &session, &other, 0..3).await?;
            let others = receiver.wait_for_delivered(12).await?;
            let held: Vec<_> = others.iter().filter(|one| chat(one) == peer.jid).collect();
            assert!(held.is_empty(), "the chat waits behind its refused event");
            // The rest of its chat follows when it is given up.
            let all = receiver.wait_for_delivered(15).await?;
            assert_in_order(&all);
            let attempts = receiver
                .posted()
                .iter()
                .filter(|one| one.status == 422)
                .count();
            assert_eq!(attempts, 3);

            let page = api
                .get(&format!("/webhooks/{id}/deliveries?status=dead"))
                .await?
                .expect(200)?;
            let dead = page.json["data"].as_array().context("a list")?.clone();
            assert_eq!(dead.len(), 1);
            assert_eq!(dead[0]["attempts"], 3);
            assert_eq!(dead[0]["history"][2]["status"], 422);
            assert_eq!(dead[0]["history"][2]["response"], "noted");
            let delivery = dead[0]["id"].as_str().context("an id")?;

            receiver.answer(|_| Reply::Status(200));
            let path = format!("/webhooks/{id}/deliveries/{delivery}:replay");
            let replayed = api.post(&path, &json!({})).await?.expect(200)?;
            assert_eq!(replayed.json["status"], "pending");
            let all = receiver.wait_for_delivered(16).await?;
            assert_eq!(all[15].id(), dead[0]["eventId"]);
            let state = until(&api, &id, "all is delivered", |hook| {
                hook["health"]["delivered"] == 16
            });
            assert_eq!(state.await?["health"]["dead"], 1);
            Ok(())
        })
        .await
}

/// An endpoint that answers 500 to everything for far longer than the attempts of an event would
/// last counts as down: nothing is given up, and all arrives in order when it is back.
#[tokio::test]
async fn an_endpoint_that_refuses_everything_for_long_loses_nothing() -> Result<()> {
    world()
        .setting("GATEWAY_WEBHOOKS__DOWN_AFTER", "4")
        .run(async |world| {
            let api = world.api(0);
            let session = world.pair_session().await?;
            let receiver = Receiver::start().await?;
            receiver.answer(|_| Reply::Status(500));
            let (id, secret) = subscribe(&api, &receiver.url("/"), &["message.status"]).await?;
            let events = api.events().await?;
            let mut peers = Vec::new();
            for _ in 0..4 {
                peers.push(world.create_peer().await?);
            }
            for peer in &peers {
                send(&api, &session, peer, 0..5).await?;
            }
            let down = until(&api, &id, "it counts as down", |hook| {
                hook["health"]["state"] == "down"
            });
            assert!(down.await?["health"]["failures"].as_u64() >= Some(4));
            // An hour at a schedule of seconds: many tries, one at a time.
            let tries = receiver.posted().len();
            receiver
                .wait_for("it is tried again and again", |posted| {
                    posted.len() >= tries + 12
                })
                .await?;
            receiver.answer(|_| Reply::Status(200));
            let all = receiver.wait_for_delivered(80).await?;
            assert_in_order(&all);
            assert_signed(&receiver.posted(), &secret);
            let state = until(&api, &id, "it is well again", |hook| {
                hook["health"]["state"] == "ok"
            });
            assert_eq!(state.await?["health"]["dead"], 0);
            let kinds: Vec<String> = events
                .seen()
                .iter()
                .map(|event| event.kind().to_owned())
                .filter(|kind| kind.starts_with("webhook."))
                .collect();
            assert_eq!(kinds, ["webhook.failing", "webhook.recovered"]);
            Ok(())
        })
        .await
}

/// No connection, 503 and `Retry-After` cost no attempt; while it is down one delivery at a time
/// tries it.
#[tokio::test]
async fn an_endpoint_that_is_away_costs_no_attempt() -> Result<()> {
    world()
        .run(async |world| {
            let api = world.api(0);
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let receiver = Receiver::start().await?;
            let (address, url) = (receiver.address().to_owned(), receiver.url("/"));
            let body = json!({
                "url": url, "events": ["message.status"],
                "retryPolicy": {"policy": "constant", "delaySeconds": 1, "attempts": 1},
            });
            let (id, _) = make(&api, &body).await?;
            drop(receiver);
            send(&api, &session, &peer, 0..5).await?;
            let down = until(&api, &id, "it counts as down", |hook| {
                hook["health"]["state"] == "down"
            });
            let error = down.await?["health"]["lastError"].clone();
            assert!(
                error.as_str().is_some_and(|text| text.contains("connect")),
                "{error}"
            );
            let receiver = Receiver::start_at(&address).await?;
            let times = Mutex::new(0);
            receiver.answer(move |_| {
                let mut times = times.lock().expect("no panic");
                *times += 1;
                match *times {
                    1 => Reply::RetryAfter(503, 2),
                    2 => Reply::Status(429),
                    _ => Reply::Status(200),
                }
            });
            let all = receiver.wait_for_delivered(20).await?;
            assert_in_order(&all);
            let posted = receiver.posted();
            let ids: HashSet<&str> = posted[..3].iter().map(|one| one.id()).collect();
            assert_eq!(ids.len(), 1, "the same event tries it");
            let pause = posted[1].at - posted[0].at;
            assert!(
                pause.as_millis() >= 1_900,
                "Retry-After is honoured: {pause:?}"
            );
            let page = api
                .get(&format!("/webhooks/{id}/deliveries?status=dead"))
                .await?
                .expect(200)?;
            assert_eq!(page.json["data"], json!([]));
            Ok(())
        })
        .await
}

/// 410 disables at once; `:resume` goes on with the first event that was not delivered, or skips.
#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_until_it_is_resumed() -> Result<()> {
    world()
        .run(async |world| {
            let api = world.api(0);
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let receiver = Receiver::start().await?;
            receiver.answer(|_| Reply::Status(410));
            let (id, _) = subscribe(&api, &receiver.url("/"), &["message.status"]).await?;
            let events = api.events().await?;
            send(&api, &session, &peer, 0..1).await?;
            let gone = until(&api, &id, "it is disabled", |hook| hook["active"] == false).await?;
            assert_eq!(gone["health"]["disabledReason"], "gone");
            events
                .wait_for("webhook.disabled is emitted", |event| {
                    event.kind() == "webhook.disabled"
                })
                .await?;
            let asked = receiver.posted().len();
            send(&api, &session, &peer, 1..2).await?;
            receiver.answer(|_| Reply::Status(200));
            let path = format!("/webhooks/{id}:resume");
            let resumed = api
                .post(&path, &json!({"from": "stopped"}))
                .await?
                .expect(200)?;
            assert_eq!(resumed.json["active"], true);
            let all = receiver.wait_for_delivered(8).await?;
            assert_in_order(&all);
            assert_eq!(
                receiver.posted().len(),
                asked + 8,
                "nothing was posted meanwhile"
            );

            // Stopped by request, and what waited skipped.
            let path = format!("/webhooks/{id}");
            let patch = api
                .request(reqwest::Method::PATCH, &path)
                .json(&json!({"active": false}));
            api.call(patch).await?.expect(200)?;
            send(&api, &session, &peer, 2..3).await?;
            events
                .wait_for("the third is delivered", |event| {
                    event.0["payload"]["status"] == "delivered" && event.id() > all[7].id()
                })
                .await?;
            api.post(&format!("{path}:resume"), &json!({"from": "now"}))
                .await?
                .expect(200)?;
            send(&api, &session, &peer, 3..4).await?;
            let after = receiver.wait_for_delivered(12).await?;
            assert_eq!(after.len(), 12, "the third text's four events were skipped");
            Ok(())
        })
        .await
}
