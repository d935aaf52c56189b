//! Keys: revocation, expiry, scopes, on all processes.

use gateway_shared::apikey::{Capabilities, NewApiKey};
use reqwest::Method;

use crate::world::{World, answer, now};

#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_at_once() {
    let world = World::with(2, |_| {}).await;
    let organization = world.organization.clone();
    let (key, made) = world
        .key_for(&organization, Capabilities::all(), None)
        .await;
    let ask = |api| {
        let request = world.api(api, Method::GET, "/api/v1/sessions");
        answer(request.bearer_auth(&key))
    };
    for api in 0..2 {
        // Twice: the second is answered from memory.
        assert_eq!(ask(api).await.status, 200);
        assert_eq!(ask(api).await.status, 200);
    }
    assert!(
        world
            .keys
            .revoke(&organization, &made.id)
            .await
            .unwrap()
            .is_some()
    );
    for api in 0..2 {
        crate::world::eventually("the key is refused", async || {
            (ask(api).await.status == 401).then_some(())
        })
        .await;
    }
    assert!(
        world
            .keys
            .revoke(&organization, &made.id)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_key_that_was_asked_for_before_it_was_made_works_at_once() {
    let world = World::start().await;
    // An unknown key is remembered as unknown…
    let unknown = format!("wa_{}", "1".repeat(64));
    for _ in 0..3 {
        let request = world.api(0, Method::GET, "/api/v1/sessions");
        assert_eq!(answer(request.bearer_auth(&unknown)).await.status, 401);
    }
    // …and every new one is known.
    let organization = world.organization.clone();
    let (key, _) = world
        .key_for(&organization, Capabilities::all(), None)
        .await;
    let request = world.api(0, Method::GET, "/api/v1/sessions");
    assert_eq!(answer(request.bearer_auth(&key)).await.status, 200);
}

#[tokio::test]
async fn a_key_ends_at_its_time() {
    let world = World::start().await;
    let new = NewApiKey {
        organization: world.organization.clone(),
        name: "short".to_owned(),
        capabilities: Capabilities::all(),
        sessions: None,
        expires_at: Some(now() + 3_000),
    };
    let (secret, _) = world.keys.create(now(), new).await.unwrap();
    let ask = || {
        let request = world.api(0, Method::GET, "/api/v1/sessions");
        answer(request.bearer_auth(secret.reveal()))
    };
    assert_eq!(ask().await.status, 200);
    crate::world::eventually("the key has expired", async || {
        (ask().await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_key_confined_to_a_session_sees_only_that() {
    let world = World::start().await;
    let organization = world.organization.clone();
    let (seen, hidden) = (world.session().await, world.session().await);
    let scope = Some(vec![seen.session.clone()]);
    let (key, _) = world
        .key_for(&organization, Capabilities::all(), scope)
        .await;
    let ask = |method, path: String| {
        let request = world.api(0, method, &format!("/api/v1{path}"));
        answer(request.bearer_auth(&key))
    };
    let listed = ask(Method::GET, "/sessions".to_owned()).await;
    let ids: Vec<_> = listed.body["data"].as_array().unwrap().clone();
    assert_eq!(ids.len(), 1);
    assert_eq!(ids[0]["id"], seen.session.as_str());
    let get = |session: &gateway_shared::lane::SessionRef| {
        ask(Method::GET, format!("/sessions/{}", session.session))
    };
    assert_eq!(get(&seen).await.status, 200);
    assert_eq!(get(&hidden).await.status, 404);
    let of_hidden = format!("/events?session={}", hidden.session);
    assert_eq!(ask(Method::GET, of_hidden).await.status, 404);
    assert_eq!(ask(Method::POST, "/sessions".to_owned()).await.status, 403);
}
