//! Many sends in one request.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::owner::Owner;
use crate::world::{Answer, World, answer};
use gateway_shared::lane::SessionRef;

fn batch(world: &World, of: &SessionRef, messages: &Value) -> RequestBuilder {
    let path = format!("/sessions/{}/messages:batch", of.session);
    world
        .request(Method::POST, &path)
        .json(&json!({"messages": messages}))
}

fn text(text: &str) -> Value {
    json!({"type": "text", "to": "6281234567890", "text": text})
}

fn results(got: &Answer) -> &Vec<Value> {
    got.body["results"].as_array().unwrap()
}

#[tokio::test]
async fn exactly_the_sound_ones_go_out_and_each_bad_one_is_told_with_all_its_problems() {
    let world = World::start().await;
    let session = world.session().await;
    let bad = |index: usize| index % 100 == 7;
    let messages: Vec<Value> = (0..1_000)
        .map(|index| match bad(index) {
            true => json!({"type": "text", "to": "nobody", "text": "", "more": index}),
            false => text(&index.to_string()),
        })
        .collect();
    let got = answer(batch(&world, &session, &json!(messages))).await;
    assert_eq!(got.status, 202);
    assert_eq!(
        (&got.body["accepted"], &got.body["refused"]),
        (&json!(990), &json!(10))
    );
    assert_eq!(results(&got).len(), 1_000);
    for (index, one) in results(&got).iter().enumerate() {
        assert_eq!(one["index"], index);
        if !bad(index) {
            assert_eq!(one["result"]["status"], "queued", "{one}");
            continue;
        }
        assert_eq!(one["error"]["code"], "validation_error");
        let errors = one["error"]["details"]["errors"].as_array().unwrap();
        let fields: Vec<_> = errors
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, ["to", "text", "more"]);
    }
    // What is sent, in its order, is exactly the others.
    let owner = Owner::take(&world, &session).await;
    let (task, sent) = owner.serve(&world).await;
    let sent = crate::world::eventually("all are sent", async || {
        let sent = sent.lock().unwrap().clone();
        (sent.len() >= 990).then_some(sent)
    })
    .await;
    task.abort();
    let accepted: Vec<_> = results(&got)
        .iter()
        .filter_map(|one| one["result"]["outboxId"].as_str())
        .collect();
    let sent: Vec<_> = sent.iter().map(|id| id.as_str()).collect();
    assert_eq!(sent, accepted);
}

#[tokio::test]
async fn keys_make_a_repeat_of_a_batch_safe() {
    let world = World::start().await;
    let session = world.session().await;
    let mut own = text("own key");
    own["idempotencyKey"] = "mine".into();
    let messages = json!([own, text("one"), text("two")]);
    let request = || batch(&world, &session, &messages).header("idempotency-key", "whole");
    let (first, again) = (answer(request()).await, answer(request()).await);
    for (first, again) in results(&first).iter().zip(results(&again)) {
        assert_eq!(first["result"]["replayed"], false);
        assert_eq!(again["result"]["replayed"], true);
        assert_eq!(
            first["result"]["waMessageId"],
            again["result"]["waMessageId"]
        );
    }
    // The same key inside one batch is one send, and another request under it a conflict.
    let mut other = text("another");
    other["idempotencyKey"] = "mine".into();
    let got = answer(batch(&world, &session, &json!([own, other, own]))).await;
    let emitted = results(&got);
    assert_eq!(emitted[0]["result"]["replayed"], true);
    assert_eq!(
        emitted[1]["error"]["details"]["reason"],
        "idempotency_key_reused"
    );
    assert_eq!(
        emitted[2]["result"]["outboxId"],
        emitted[0]["result"]["outboxId"]
    );
    let outbox = format!("/sessions/{}/outbox", session.session);
    let listed = answer(world.request(Method::GET, &outbox)).await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_full_lane_takes_as_many_as_fit() {
    let world = World::with(1, |config| config.send.max_lane_depth = 2).await;
    let session = world.session().await;
    let got = answer(batch(
        &world,
        &session,
        &json!([text("1"), text("2"), text("3")]),
    ))
    .await;
    assert_eq!(got.body["accepted"], 2);
    assert_eq!(results(&got)[2]["error"]["details"]["reason"], "lane_full");
}

#[tokio::test]
async fn a_malformed_batch_is_refused_as_a_whole() {
    let world = World::start().await;
    let session = world.session().await;
    let path = format!("/sessions/{}/messages:batch", session.session);
    let refused = async |body: Value| {
        let got = answer(world.request(Method::POST, &path).json(&body)).await;
        assert_eq!(got.code(), "validation_error", "{body}");
        got.body["error"]["details"]["errors"][0]["field"].clone()
    };
    assert_eq!(refused(json!({})).await, "messages");
    assert_eq!(refused(json!({"messages": {}})).await, "messages");
    assert_eq!(refused(json!({"messages": []})).await, "messages");
    assert_eq!(
        refused(json!({"messages": vec![text("x"); 1_001]})).await,
        "messages"
    );
    assert_eq!(
        refused(json!({"messages": [text("x")], "async": true})).await,
        "async"
    );

    let items = json!([7, {"type": "image", "to": "6281234567890", "media": {"data": "aGk="}},
        {"type": "text", "to": "6281234567890", "text": "x", "idempotencyKey": "with space"}]);
    let got = answer(batch(&world, &session, &items)).await;
    let codes: Vec<_> = results(&got)
        .iter()
        .map(|one| one["error"]["code"].clone())
        .collect();
    assert_eq!(
        codes,
        ["validation_error", "validation_error", "validation_error"]
    );

    let nowhere = SessionRef {
        session: gateway_shared::domain::SessionId::generate(1),
        ..session.clone()
    };
    for messages in [json!([text("x")]), json!([7])] {
        let got = answer(batch(&world, &nowhere, &messages)).await;
        assert_eq!(got.code(), "not_found");
    }
}
