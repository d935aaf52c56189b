//! What a send is answered with, for every fate it can have.

use gateway_shared::domain::{SendFailure, SessionStatus};
use gateway_shared::lane::Attempt;
use reqwest::Method;

use crate::owner::Owner;
use crate::world::{World, answer, now};

#[tokio::test]
async fn a_synchronous_send_is_answered_once_it_is_acknowledged() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let (server, sent) = owner.serve(&world).await;
    let got = answer(
        world
            .send(&session, "", "hello")
            .header("x-request-id", "mine-1"),
    )
    .await;
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(got.text("status"), "sent");
    assert_eq!(got.text("mode"), "sync");
    assert_eq!(got.body["replayed"], false);
    assert!(got.text("waMessageId").starts_with("3EB0"));
    assert_eq!(sent.lock().unwrap()[0].as_str(), got.text("outboxId"));
    let path = format!(
        "/sessions/{}/outbox/{}",
        session.session,
        got.text("outboxId")
    );
    let entry = answer(world.request(Method::GET, &path)).await;
    assert_eq!(entry.body["requestId"], "mine-1");
    assert_eq!(entry.body["waMessageId"], got.body["waMessageId"]);
    server.abort();
}

#[tokio::test]
async fn an_asynchronous_send_is_answered_once_it_is_durable() {
    let world = World::start().await;
    let session = world.session().await;
    // No worker, no connection: it waits.
    let got = answer(world.send(&session, "?async=true", "hello")).await;
    assert_eq!(got.status, 202);
    assert_eq!(
        (got.text("status"), got.text("mode")),
        ("queued".into(), "async".into())
    );
    let owner = Owner::take(&world, &session).await;
    let claimed = owner.claim_some().await;
    assert_eq!(claimed[0].id.as_str(), got.text("outboxId"));
    assert_eq!(claimed[0].wa_message_id, got.text("waMessageId"));
}

#[tokio::test]
async fn what_whatsapp_refused_is_a_502_with_its_code_and_stays_one() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let send = || {
        world
            .send(&session, "", "hello")
            .header("idempotency-key", "k1")
    };
    let waiting = tokio::spawn(answer(send()));
    let claimed = owner.claim_some().await;
    owner.refused(&claimed[0].id, 479).await;
    let got = waiting.await.unwrap();
    assert_eq!((got.status.as_u16(), got.code()), (502, "send_failed"));
    let details = &got.body["error"]["details"];
    assert_eq!(details["waCode"], 479);
    assert_eq!(details["reason"], "refused");
    assert_eq!(details["outboxId"], claimed[0].id.as_str());
    assert_eq!(details["replayed"], false);

    let again = answer(send()).await;
    assert_eq!(again.status, 502);
    assert_eq!(again.body["error"]["details"]["replayed"], true);
    assert_eq!(
        again.body["error"]["details"]["outboxId"],
        claimed[0].id.as_str()
    );
}

#[tokio::test]
async fn a_send_that_is_not_acknowledged_in_time_is_still_being_sent() {
    let world = World::with(1, |config| config.send.sync_deadline_ms = 300).await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let send = || {
        world
            .send(&session, "", "hello")
            .header("idempotency-key", "k1")
    };
    let got = answer(send()).await;
    assert_eq!(
        (got.status.as_u16(), got.text("status")),
        (202, "sending".into())
    );
    let claimed = owner.claim_some().await;
    // A failed attempt that will be repeated is no fate yet.
    let passing = SendFailure::new("timeout", "no acknowledgement");
    owner
        .settle(&claimed[0].id, Attempt::Retry(now(), passing))
        .await;
    let again = answer(send()).await;
    assert_eq!(
        (again.status.as_u16(), again.text("status")),
        (202, "sending".into())
    );
    assert_eq!(again.body["replayed"], true);

    let claimed = owner.claim_some().await;
    owner.sent(&claimed[0].id).await;
    let finished = answer(send()).await;
    assert_eq!(
        (finished.status.as_u16(), finished.text("status")),
        (200, "sent".into())
    );
    assert_eq!(finished.text("outboxId"), got.text("outboxId"));
    assert_eq!(finished.text("waMessageId"), got.text("waMessageId"));
}

#[tokio::test]
async fn a_synchronous_send_needs_a_worker_and_a_connection() {
    let world = World::start().await;
    let session = world.session().await;
    let got = answer(world.send(&session, "", "x").header("idempotency-key", "k")).await;
    assert_eq!(
        (got.status.as_u16(), got.reason()),
        (503, "session_not_connected")
    );
    assert!(got.retry_after.is_some());

    let owner = Owner::take(&world, &session).await;
    owner.report(&world, SessionStatus::Starting, &[]).await;
    let got = answer(world.send(&session, "", "x").header("idempotency-key", "k")).await;
    assert_eq!(
        (got.status.as_u16(), got.reason()),
        (503, "session_not_connected")
    );
    assert_eq!(got.body["error"]["details"]["status"], "starting");

    owner.report(&world, SessionStatus::Working, &[]).await;
    let registry = gateway_shared::registry::Registry::new(world.store.clone());
    registry.leave(&owner.worker).await.unwrap();
    // The API notices within a heartbeat.
    let got = crate::world::eventually("the API knows that no worker lives", async || {
        let request = world
            .send(&session, "", "x")
            .timeout(std::time::Duration::from_millis(400));
        let got = request.send().await.ok()?;
        (got.status() == 503).then_some(got)
    })
    .await;
    let got: serde_json::Value = got.json().await.unwrap();
    assert_eq!(got["error"]["details"]["reason"], "no_worker");
}

#[tokio::test]
async fn a_cancelled_send_is_told_to_who_waits_for_it() {
    let world = World::start().await;
    let session = world.session().await;
    let _owner = Owner::take(&world, &session).await;
    let waiting = tokio::spawn(answer(world.send(&session, "", "hello")));
    let outbox = format!("/sessions/{}/outbox", session.session);
    let id = crate::world::eventually("the send waits", async || {
        let list = answer(world.request(Method::GET, &outbox)).await;
        list.body["data"][0]["outboxId"].as_str().map(str::to_owned)
    })
    .await;
    let cancelled = answer(world.request(Method::DELETE, &format!("{outbox}/{id}"))).await;
    assert_eq!(
        (cancelled.status.as_u16(), cancelled.text("status")),
        (200, "cancelled".into())
    );
    let got = waiting.await.unwrap();
    assert_eq!((got.status.as_u16(), got.reason()), (409, "cancelled"));
}

#[tokio::test]
async fn a_file_that_is_refused_leaves_its_key_unused() {
    let world = World::start().await;
    let session = world.session().await;
    let path = format!("/sessions/{}/messages", session.session);
    let to = "6281234567890";
    for (body, status, code) in [
        (
            serde_json::json!({"type": "image", "to": to, "media": {"data": "aGk"}}),
            400,
            "validation_error",
        ),
        // A special address, and one that has no right to be asked for.
        (
            serde_json::json!({"type": "audio", "to": to, "media": {"url": "https://127.0.0.1/a.ogg"}}),
            400,
            "validation_error",
        ),
        (
            serde_json::json!({"type": "audio", "to": to, "media": {"url": "http://169.254.169.254/"}}),
            400,
            "validation_error",
        ),
        (
            serde_json::json!({"type": "image", "to": "120363@newsletter", "media": {"data": "aGk"}}),
            501,
            "not_implemented",
        ),
    ] {
        let request = world
            .request(Method::POST, &path)
            .header("idempotency-key", "k");
        let got = answer(request.json(&body)).await;
        assert_eq!((got.status.as_u16(), got.code()), (status, code), "{body}");
    }
    // The key is unused.
    let got = answer(
        world
            .send(&session, "?async=true", "x")
            .header("idempotency-key", "k"),
    )
    .await;
    assert_eq!(
        (got.status.as_u16(), &got.body["replayed"]),
        (202, &false.into())
    );
}
