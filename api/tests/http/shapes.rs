//! The shapes of answers, as clients see them.

use gateway_shared::domain::Limits;
use reqwest::Method;
use serde_json::{Value, json};

use crate::owner::Owner;
use crate::world::{Answer, World, answer};

/// The answer with what differs from run to run replaced.
fn shape(got: &Answer) -> Value {
    fn redact(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (name, value) in map.iter_mut() {
                    match (name.as_str(), &*value) {
                        ("timestamp" | "retryAfterMs", Value::Number(_)) => *value = json!(0),
                        ("waMessageId", _) => *value = json!("3EB0…"),
                        ("outboxId", _) => *value = json!("out_…"),
                        _ => redact(value),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(redact),
            _ => {}
        }
    }
    let mut body = got.body.clone();
    redact(&mut body);
    json!({
        "status": got.status.as_u16(),
        "retryAfter": got.retry_after.is_some(),
        "body": body,
    })
}

#[tokio::test]
async fn answers_to_sends() {
    let world = World::start().await;
    let session = world.session().await;
    let mut shapes = serde_json::Map::new();
    let mut tell = |name: &str, got: &Answer| {
        shapes.insert(name.to_owned(), shape(got));
    };
    let keyed = |query, text| {
        world
            .send(&session, query, text)
            .header("idempotency-key", text)
    };
    tell("session not connected", &answer(keyed("", "early")).await);
    tell("async", &answer(keyed("?async=true", "one")).await);
    tell("async repeated", &answer(keyed("?async=true", "one")).await);
    let reused = world.send(&session, "?async=true", "two");
    let reused = reused.header("idempotency-key", "one");
    tell("key reused", &answer(reused).await);

    let owner = Owner::take(&world, &session).await;
    let claimed = owner.claim_some().await;
    owner.sent(&claimed[0].id).await;
    tell("repeated when sent", &answer(keyed("", "one")).await);
    let waiting = tokio::spawn(answer(keyed("", "refused")));
    let claimed = owner.claim_some().await;
    owner.refused(&claimed[0].id, 463).await;
    tell("refused by WhatsApp", &waiting.await.unwrap());

    let path = format!("/sessions/{}/messages", session.session);
    let image = json!({"type": "image", "to": "120363@newsletter", "media": {"data": "aGk"}});
    let request = world.request(Method::POST, &path).json(&image);
    tell("a file to a channel", &answer(request).await);

    let one = Limits {
        rate_per_min: 0,
        rate_per_hour: 1,
    };
    let slow = world.session_of(&world.organization, one).await;
    let slow_owner = Owner::take(&world, &slow).await;
    let first = tokio::spawn(answer(world.send(&slow, "", "first")));
    let claimed = crate::world::eventually("the first is claimed", async || {
        let claimed = slow_owner.claim().await;
        (!claimed.is_empty()).then_some(claimed)
    })
    .await;
    slow_owner.sent(&claimed[0].id).await;
    tell("sent", &first.await.unwrap());
    tell("over the limit", &answer(world.send(&slow, "", "x")).await);

    let nowhere = "/sessions/sess_00000000000000000000000000/messages";
    let text = json!({"type": "text", "to": "6281234567890", "text": "x"});
    let request = world.request(Method::POST, nowhere).json(&text);
    tell("unknown session", &answer(request).await);
    let bare = world.api(0, Method::POST, &format!("/api/v1{path}"));
    tell("no token", &answer(bare.json(&text)).await);
    insta::assert_json_snapshot!(shapes);
}
