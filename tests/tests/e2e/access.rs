//! Who may call, and the walls between organizations.

use anyhow::Result;
use gateway_tests::client::{ApiClient, SendRequest};
use gateway_tests::login::LoginFrontend;
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_missing_or_unknown_key_is_unauthorized() -> Result<()> {
    World::builder()
        .workers(0)
        .run(async |world| {
            let api = world.api(0);
            let bare = || api.bare(Method::GET, "/api/v1/sessions");
            let unknown = format!("wa_{}", "0".repeat(64));
            let requests = [
                bare(),
                bare().bearer_auth(""),
                bare().bearer_auth("wa_unknown"),
                bare().bearer_auth(&unknown),
                bare().header("x-api-key", &unknown),
                bare().header("Authorization", "Basic d2E6d2E="),
            ];
            for request in requests {
                let answer = api.call(request).await?.expect(401)?;
                assert_eq!(answer.error_code(), "unauthorized");
                assert!(answer.header("www-authenticate").is_some());
            }
            let other_header = bare().header("x-api-key", api.key());
            api.call(other_header).await?.expect(200)?;
            for open in ["/healthz", "/readyz"] {
                api.call(api.bare(Method::GET, open)).await?.expect(200)?;
            }
            Ok(())
        })
        .await
}

/// Revoking works at once on every API, also on one that has just used the key.
#[tokio::test]
async fn a_revoked_key_is_unauthorized_everywhere() -> Result<()> {
    World::builder()
        .apis(2)
        .workers(0)
        .run(async |world| {
            let key = world.create_key(&["read"]).await?;
            let callers = [
                world.api(0).with_key(&key.secret),
                world.api(1).with_key(&key.secret),
            ];
            for caller in &callers {
                caller.get("/sessions").await?.expect(200)?;
            }
            world.revoke_key(&key.id).await?;
            for caller in &callers {
                gateway_tests::client::eventually("the key is refused", async || {
                    let answer = caller.get("/sessions").await?;
                    Ok((answer.status == 401).then_some(()))
                })
                .await?;
            }
            Ok(())
        })
        .await
}

/// People call with the token of their login, as far as their role goes; operators everywhere.
#[tokio::test]
async fn a_login_may_call_as_far_as_its_role_goes() -> Result<()> {
    let frontend = LoginFrontend::start().await?;
    let mut builder = World::builder().workers(0);
    for (name, value) in frontend.api_env() {
        builder = builder.api_env(name, value);
    }
    builder
        .run(async |world| {
            let owner = world.api(0);
            let session = owner.create_session("quiet", 0, 0).await?;
            let member = owner.with_key(&frontend.token(world.organization(), "member"));
            member.session(&session).await?;
            let answer = member.delete(&format!("/sessions/{session}")).await?;
            assert_eq!(answer.error_code(), "forbidden");
            let elsewhere = owner.with_key(&frontend.token("another", "owner"));
            let answer = elsewhere.get(&format!("/sessions/{session}")).await?;
            assert_eq!(answer.error_code(), "not_found");
            let operator = owner.with_key(&frontend.operator("another"));
            operator.session(&session).await?;
            let all = operator.get("/admin/sessions").await?.expect(200)?;
            assert_eq!(all.at("data/0/id"), session.as_str());
            let answer = owner.get("/admin/sessions").await?;
            assert_eq!(answer.error_code(), "forbidden");
            Ok(())
        })
        .await
}

/// Each route needs its capability, and says which.
#[tokio::test]
async fn a_key_may_do_only_what_it_was_made_for() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?.id;
            let peer = world.create_peer().await?;
            let owner = world.api(0);
            let send = SendRequest::text(&peer.phone, "hello").asynchronous();
            for has in ["read", "send", "manage", "events"] {
                let key = world.create_key(&[has]).await?;
                let caller = owner.with_key(&key.secret);
                let answer = caller.send(&session, &send).await?;
                check(has, "send", &answer, 202);
                let new = json!({ "label": "another", "start": false });
                let answer = caller.post("/sessions", &new).await?;
                check(has, "manage", &answer, 201);
                let request = caller.request(Method::GET, "/events");
                let response = request.send().await?;
                let wanted = if has == "events" { 200 } else { 403 };
                assert_eq!(response.status().as_u16(), wanted, "events with {has}");
            }
            world.may_leave_sends_waiting();
            Ok(())
        })
        .await
}

fn check(has: &str, needed: &str, answer: &gateway_tests::client::Answer, allowed: u16) {
    if has == needed {
        assert_eq!(answer.status, allowed, "{has}: {}", answer.json);
    } else {
        assert_eq!(answer.status, 403, "{needed} with {has}: {}", answer.json);
        assert_eq!(answer.error_code(), "forbidden");
        assert_eq!(answer.at("error/details/requiredCapability"), needed);
    }
}

/// Another organization's session does not exist, whatever one tries with it.
#[tokio::test]
async fn another_organization_sees_nothing() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let owner = world.api(0);
            let send = SendRequest::text(&peer.phone, "private");
            let answer = owner.send(&session.id, &send).await?.expect(200)?;
            let outbox_id = answer.text("outboxId")?;

            let key = world.create_organization("Stranger").await?;
            let stranger = owner.with_key(&key.secret);
            let events = stranger.events().await?;
            let paths = [
                (Method::GET, String::new()),
                (Method::DELETE, String::new()),
                (Method::POST, ":start".to_owned()),
                (Method::POST, ":stop".to_owned()),
                (Method::POST, ":restart".to_owned()),
                (Method::POST, ":logout".to_owned()),
                (Method::GET, "/qr".to_owned()),
                (Method::GET, "/outbox".to_owned()),
                (Method::GET, format!("/outbox/{outbox_id}")),
            ];
            for (method, rest) in paths {
                let path = format!("/sessions/{}{rest}", session.id);
                let request = stranger.request(method.clone(), &path);
                let answer = stranger.call(request).await?;
                assert_eq!(answer.status, 404, "{method} {path}: {}", answer.json);
                assert_eq!(answer.error_code(), "not_found");
            }
            let answer = stranger.send(&session.id, &send).await?.expect(404)?;
            assert_eq!(answer.error_code(), "not_found");
            let sessions = stranger.get("/sessions").await?.expect(200)?;
            assert_eq!(sessions.at("data"), &json!([]));

            // An event of their own comes after anything that could have leaked.
            let own = stranger.create_session("theirs", 0, 0).await?;
            events
                .wait_for("an event of their own session", |event| {
                    event.session() == own
                })
                .await?;
            let foreign = events
                .seen()
                .iter()
                .any(|event| event.session() == session.id);
            assert!(!foreign, "no event of the other organization");
            still_works(&owner, &session.id).await
        })
        .await
}

async fn still_works(api: &ApiClient, session: &str) -> Result<()> {
    assert_eq!(api.session(session).await?["status"], "working");
    Ok(())
}
