//! Redis goes away and comes back.

use std::time::Duration;

use reqwest::Method;

use crate::owner::Owner;
use crate::world::{World, answer, eventually};

#[tokio::test]
async fn requests_get_503_while_redis_is_down_and_recover_by_themselves() {
    let mut world = World::start().await;
    let session = world.session().await;
    let accepted = answer(world.send(&session, "?async=true", "before")).await;
    assert_eq!(accepted.status, 202);
    world.redis.kill9().await.unwrap();
    let got = answer(world.send(&session, "?async=true", "during")).await;
    assert_eq!(
        (got.status.as_u16(), got.code()),
        (503, "gateway_unavailable")
    );
    assert_eq!(got.reason(), "redis_unreachable");
    assert!(got.retry_after.is_some());
    let ready = world.api(0, Method::GET, "/readyz");
    assert_eq!(answer(ready).await.status, 503);
    let live = world.api(0, Method::GET, "/healthz");
    assert_eq!(answer(live).await.status, 200);

    world.redis.restart().await.unwrap();
    world.ready().await;
    let got = answer(world.send(&session, "?async=true", "after")).await;
    assert_eq!(got.status, 202);
    // What was acknowledged before is still there.
    let path = format!(
        "/sessions/{}/outbox/{}",
        session.session,
        accepted.text("outboxId")
    );
    assert_eq!(
        answer(world.request(Method::GET, &path))
            .await
            .text("status"),
        "queued"
    );
}

#[tokio::test]
async fn a_waiting_send_hears_of_its_fate_across_a_restart_of_redis() {
    let mut world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let waiting = tokio::spawn(answer(world.send(&session, "", "hello")));
    let claimed = owner.claim_some().await;
    world.redis.kill9().await.unwrap();
    world.redis.restart().await.unwrap();
    eventually("the outbox answers", async || world.store.ping().await.ok()).await;
    owner.sent(&claimed[0].id).await;
    let got = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    let got = got.expect("well before the deadline").unwrap();
    assert_eq!(
        (got.status.as_u16(), got.text("status")),
        (200, "sent".into())
    );
}

#[tokio::test]
async fn a_revocation_that_was_not_heard_counts_all_the_same() {
    let mut world = World::start().await;
    let organization = world.organization.clone();
    let all = gateway_shared::apikey::Capabilities::all();
    let (key, made) = world.key_for(&organization, all, None).await;
    let address = world.apis[0].base.clone();
    let client = world.client.clone();
    let ask = || {
        let request = client.get(format!("{address}/api/v1/sessions"));
        answer(request.bearer_auth(&key))
    };
    assert_eq!(ask().await.status, 200);
    world.redis.kill9().await.unwrap();
    // With the subscription lost, memory is not trusted: it can not be told who calls.
    eventually("the loss is noticed", async || {
        (ask().await.status == 503).then_some(())
    })
    .await;
    world.redis.restart().await.unwrap();
    eventually("Redis answers", async || world.store.ping().await.ok()).await;
    world.keys.revoke(&organization, &made.id).await.unwrap();
    world.ready().await;
    assert_eq!(ask().await.status, 401);
}

/// Redis answers and takes no writes: whoever sends is answered why, and no load balancer sends anybody.
#[tokio::test]
async fn a_redis_that_takes_no_writes_is_not_ready_and_says_why() {
    let world = World::start().await;
    let session = world.session().await;
    for (spoil, mend, reason) in [
        (
            "CONFIG SET maxmemory 1",
            "CONFIG SET maxmemory 0",
            "redis_out_of_memory",
        ),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            "redis_too_few_replicas",
        ),
        (
            "REPLICAOF 127.0.0.1 1",
            "REPLICAOF NO ONE",
            "redis_read_only",
        ),
    ] {
        let _: String = world.redis.ask(spoil).await.unwrap();
        let got = answer(world.send(&session, "?async=true", "refused")).await;
        assert_eq!((got.status.as_u16(), got.reason()), (503, reason));
        let what = format!("readiness says {reason}");
        eventually(&what, async || {
            let ready = answer(world.api(0, Method::GET, "/readyz")).await;
            (ready.status == 503 && ready.reason() == reason).then_some(())
        })
        .await;
        let live = answer(world.api(0, Method::GET, "/healthz")).await;
        assert_eq!(live.status, 200);
        let _: String = world.redis.ask(mend).await.unwrap();
        world.ready().await;
        let got = answer(world.send(&session, "?async=true", "taken")).await;
        assert_eq!(got.status, 202, "{reason}");
    }
}

#[tokio::test]
async fn a_session_that_nobody_serves_does_not_look_as_if_it_worked() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let path = format!("/sessions/{}", session.session);
    let shown = async || answer(world.request(Method::GET, &path)).await;
    let served = shown().await;
    assert_eq!(served.text("status"), "working", "at once");
    assert_eq!(served.text("worker"), owner.worker.as_str());
    let registry = gateway_shared::registry::Registry::new(world.store.clone());
    registry.leave(&owner.worker).await.unwrap();
    eventually("it is seen that nobody serves it", async || {
        let shown = shown().await;
        (shown.text("status") == "starting").then_some(())
    })
    .await;
    let lost = shown().await;
    assert_eq!(lost.text("lastError"), "no worker serves it at present");
    assert!(lost.body["worker"].is_null());
    let listed = answer(world.request(Method::GET, "/sessions")).await;
    assert_eq!(listed.body["data"][0]["status"], "starting");
}
