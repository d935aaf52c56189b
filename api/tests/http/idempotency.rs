//! Repeats with the same Idempotency-Key.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::owner::Owner;
use crate::world::{World, answer, now};

#[tokio::test]
async fn a_hundred_at_once_on_two_processes_are_one_send() {
    let world = World::with(2, |_| {}).await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let (server, sent) = owner.serve(&world).await;
    let requests = (0..100).map(|index| {
        let query = if index % 3 == 0 { "?async=true" } else { "" };
        let request = world.send_to(index % 2, &session, query, "hello");
        answer(request.header("idempotency-key", "one"))
    });
    let answers = join_all(requests).await;
    let ids: HashSet<String> = answers.iter().map(|got| got.text("outboxId")).collect();
    let wa_ids: HashSet<String> = answers.iter().map(|got| got.text("waMessageId")).collect();
    assert_eq!((ids.len(), wa_ids.len()), (1, 1), "{answers:?}");
    let fresh = answers.iter().filter(|got| got.body["replayed"] == false);
    assert_eq!(fresh.count(), 1);
    for (index, got) in answers.iter().enumerate() {
        match got.status.as_u16() {
            200 => assert_eq!(got.text("status"), "sent"),
            202 => assert_eq!(index % 3, 0, "a synchronous repeat waits: {got:?}"),
            other => panic!("{other}: {got:?}"),
        }
    }
    assert_eq!(sent.lock().unwrap().len(), 1);
    server.abort();
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_organization() {
    let world = World::start().await;
    let session = world.session().await;
    let other = world.session().await;
    let keyed = |session, query, text: &str| {
        world
            .send(session, query, text)
            .header("idempotency-key", "k")
    };
    let first = answer(keyed(&session, "?async=true", "one")).await;
    assert_eq!(first.status, 202);

    for reused in [
        keyed(&session, "?async=true", "two"),
        keyed(&other, "?async=true", "one"),
    ] {
        let got = answer(reused).await;
        assert_eq!(
            (got.status.as_u16(), got.reason()),
            (409, "idempotency_key_reused")
        );
        assert_eq!(
            got.body["error"]["details"]["outboxId"],
            first.body["outboxId"]
        );
    }
    // The same by its meaning: another order of fields, another spelling of the address.
    let path = format!("/sessions/{}/messages?async=true", session.session);
    let body = r#"{ "text": "one", "replyTo": null, "to": "+6281234567890", "type": "text" }"#;
    let request = world
        .request(reqwest::Method::POST, &path)
        .header("content-type", "application/json; charset=utf-8")
        .header("idempotency-key", "k");
    let got = answer(request.body(body)).await;
    assert_eq!(
        (got.status.as_u16(), &got.body["replayed"]),
        (202, &true.into())
    );

    let (stranger, key) = world.stranger("other").await;
    let theirs = world.session_of(&stranger, Default::default()).await;
    let request = world
        .api(
            0,
            reqwest::Method::POST,
            &format!("/api/v1/sessions/{}/messages?async=true", theirs.session),
        )
        .header("x-api-key", key)
        .header("idempotency-key", "k");
    let body = serde_json::json!({"type": "text", "to": "6281234567890", "text": "two"});
    let got = answer(request.json(&body)).await;
    assert_eq!(
        (got.status.as_u16(), &got.body["replayed"]),
        (202, &false.into())
    );
}

#[tokio::test]
async fn a_synchronous_repeat_waits_for_the_send_in_flight() {
    let world = World::with(2, |_| {}).await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let keyed = |api, query| {
        world
            .send_to(api, &session, query, "x")
            .header("idempotency-key", "k")
    };
    let queued = answer(keyed(0, "?async=true")).await;
    let claimed = owner.claim_some().await;
    let waiting = tokio::spawn(answer(keyed(1, "")));
    // It is in its place once it waits in Redis.
    crate::world::eventually("the repeat waits", async || {
        let root = world.store.keys.partition(&session.organization);
        let key = format!("{root}:o:{}", claimed[0].id);
        let waiters: Option<String> =
            redis::AsyncCommands::hget(&mut world.store.connection.clone(), key, "waiters")
                .await
                .unwrap();
        waiters.filter(|waiters| !waiters.is_empty())
    })
    .await;
    let at = now();
    owner.sent(&claimed[0].id).await;
    let got = waiting.await.unwrap();
    assert_eq!(
        (got.status.as_u16(), got.text("status")),
        (200, "sent".into())
    );
    assert_eq!(got.text("mode"), "async", "the original's result");
    assert_eq!(got.text("outboxId"), queued.text("outboxId"));
    assert!(got.body["timestamp"].as_i64().unwrap() >= at - 1);
    assert_eq!(got.body["replayed"], true);
}
