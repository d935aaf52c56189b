//! API keys over HTTP: made, listed, revoked, and never more than their maker has.

use gateway_shared::apikey::{Capabilities, Capability};
use gateway_shared::lane::SessionRef;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, answer, eventually, now};

async fn make(world: &World, key: &str, body: &Value) -> Answer {
    let request = world.api(0, Method::POST, "/api/v1/api-keys");
    answer(request.bearer_auth(key).json(body)).await
}

async fn get(world: &World, api: usize, key: &str, path: &str) -> Answer {
    let request = world.api(api, Method::GET, &format!("/api/v1{path}"));
    answer(request.bearer_auth(key)).await
}

async fn revoke(world: &World, key: &str, id: &str) -> Answer {
    let request = world.api(0, Method::DELETE, &format!("/api/v1/api-keys/{id}"));
    answer(request.bearer_auth(key)).await
}

#[tokio::test]
async fn a_key_is_shown_once_works_and_is_revoked_everywhere() {
    let world = World::with(2, |_| {}).await;
    let body = json!({"name": "shop", "capabilities": ["read", "read"]});
    let made = make(&world, &world.key, &body).await;
    assert_eq!(made.status, 201);
    let secret = made.text("key");
    assert!(secret.starts_with("wa_") && secret.len() == 67);
    assert_eq!(made.body["capabilities"], json!(["read"]));
    assert_eq!(made.body["organization"], world.organization.as_str());

    let listed = get(&world, 0, &world.key, "/api-keys").await;
    let listed = listed.body["data"].as_array().unwrap();
    let found = listed
        .iter()
        .find(|key| key["id"] == made.body["id"])
        .unwrap();
    assert_eq!(found["name"], "shop");
    assert!(
        !listed.iter().any(|key| key.to_string().contains(&secret)),
        "no secret is listed"
    );

    for api in 0..2 {
        assert_eq!(get(&world, api, &secret, "/sessions").await.status, 200);
    }
    assert_eq!(
        revoke(&world, &world.key, &made.text("id")).await.status,
        204
    );
    // Where it was revoked: from this very moment on. Elsewhere: as soon as it is told.
    assert_eq!(get(&world, 0, &secret, "/sessions").await.status, 401);
    eventually("the other process refuses it", async || {
        (get(&world, 1, &secret, "/sessions").await.status == 401).then_some(())
    })
    .await;
    assert_eq!(
        revoke(&world, &world.key, &made.text("id")).await.code(),
        "not_found"
    );
}

#[tokio::test]
async fn a_key_made_for_a_time_ends_by_itself() {
    let world = World::start().await;
    let body = json!({"capabilities": ["read"], "expiresAt": now() + 5_000});
    let made = make(&world, &world.key, &body).await;
    let secret = made.text("key");
    assert_eq!(get(&world, 0, &secret, "/sessions").await.status, 200);
    eventually("it has ended", async || {
        (get(&world, 0, &secret, "/sessions").await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let world = World::start().await;
    let organization = world.organization.clone();
    let manage: Capabilities = [Capability::Manage].into_iter().collect();
    let (keeper, _) = world.key_for(&organization, manage, None).await;
    let made = make(
        &world,
        &keeper,
        &json!({"capabilities": ["manage", "send"]}),
    )
    .await;
    assert_eq!(made.code(), "forbidden");
    assert_eq!(made.body["error"]["details"]["requiredCapability"], "send");
    assert_eq!(
        make(&world, &keeper, &json!({"capabilities": ["manage"]}))
            .await
            .status,
        201
    );

    // A keeper of one session makes, sees and revokes keys of that session only.
    let SessionRef { session: mine, .. } = world.session().await;
    let SessionRef { session: other, .. } = world.session().await;
    let (confined, _) = world
        .key_for(&organization, Capabilities::all(), Some(vec![mine.clone()]))
        .await;
    let made = make(&world, &confined, &json!({"capabilities": ["read"]})).await;
    assert_eq!(made.body["sessions"], json!([mine]));
    let wider = json!({"capabilities": ["read"], "sessions": [mine, other]});
    let refused = make(&world, &confined, &wider).await;
    assert_eq!(refused.code(), "validation_error");
    assert_eq!(
        refused.body["error"]["details"]["errors"][0]["field"],
        "sessions[1]"
    );
    let seen = get(&world, 0, &confined, "/api-keys").await;
    let seen = seen.body["data"].as_array().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|key| key["sessions"] == json!([mine])));
    let (_, wide) = world.key_for(&organization, manage, None).await;
    assert_eq!(
        revoke(&world, &confined, wide.id.as_str()).await.code(),
        "not_found"
    );
    assert_eq!(
        revoke(&world, &confined, &made.text("id")).await.status,
        204
    );

    // What is made for a session sees that session.
    let made = make(
        &world,
        &world.key,
        &json!({"capabilities": ["read"], "sessions": [mine]}),
    )
    .await;
    let listed = get(&world, 0, &made.text("key"), "/sessions").await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 1);
    let path = format!("/sessions/{other}");
    assert_eq!(
        get(&world, 0, &made.text("key"), &path).await.code(),
        "not_found"
    );
}

#[tokio::test]
async fn every_problem_of_a_request_for_a_key_is_told() {
    let world = World::start().await;
    let (stranger, _) = world.stranger("stranger").await;
    let theirs = world
        .session_of(&stranger, gateway_shared::domain::Limits::default())
        .await;
    let fields = async |body: Value| {
        let got = make(&world, &world.key, &body).await;
        assert_eq!(got.code(), "validation_error", "{body}");
        let errors = got.body["error"]["details"]["errors"]
            .as_array()
            .unwrap()
            .clone();
        let field = |error: &Value| error["field"].as_str().unwrap().to_owned();
        errors.iter().map(field).collect::<Vec<_>>()
    };
    assert_eq!(fields(json!({})).await, ["capabilities"]);
    let all = json!({
        "name": 5, "capabilities": ["fly"], "sessions": [], "expiresAt": now() - 1, "more": 1,
    });
    let emitted = fields(all).await;
    assert_eq!(
        emitted,
        ["name", "capabilities[0]", "sessions", "expiresAt", "more"]
    );
    assert_eq!(fields(json!({"capabilities": []})).await, ["capabilities"]);
    let foreign = json!({"capabilities": ["read"], "sessions": [theirs.session]});
    assert_eq!(fields(foreign).await, ["sessions[0]"]);
}

#[tokio::test]
async fn a_key_outlives_no_key_that_it_was_made_with() {
    let world = World::start().await;
    let end = now() + 60_000;
    let body = json!({"capabilities": ["manage", "read"], "expiresAt": end});
    let maker = make(&world, &world.key, &body).await.text("key");
    let wanted = |expires_at: Value| json!({"capabilities": ["manage"], "expiresAt": expires_at});
    for later in [end + 1, end + 1_000_000] {
        let refused = make(&world, &maker, &wanted(json!(later))).await;
        assert_eq!(refused.code(), "validation_error");
        let errors = &refused.body["error"]["details"]["errors"];
        assert_eq!(errors[0]["field"], "expiresAt");
    }
    let sooner = make(&world, &maker, &wanted(json!(end - 1_000))).await;
    assert_eq!(sooner.body["expiresAt"], end - 1_000);
    let endless = make(&world, &maker, &wanted(Value::Null)).await;
    assert_eq!(endless.body["expiresAt"], end, "the end of its maker");
    // And so on: the child's child.
    let child = make(&world, &sooner.text("key"), &wanted(Value::Null)).await;
    assert_eq!(child.body["expiresAt"], end - 1_000);
    let free = make(&world, &world.key, &wanted(Value::Null)).await;
    assert!(free.body["expiresAt"].is_null(), "{free:?}");
}
