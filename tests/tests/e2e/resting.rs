//! What WhatsApp ends a connection for, and that no session stops by itself.

use anyhow::{Context, Result, ensure};
use gateway_tests::client::{EventStream, SendRequest, eventually};
use gateway_tests::world::{World, WorldBuilder};
use reqwest::Method;

fn impatient() -> WorldBuilder {
    World::builder()
        .worker_env("GATEWAY_WORKER__WHATSAPP__REST_BASE_MS", "100")
        .worker_env("GATEWAY_WORKER__WHATSAPP__REST_MAX_MS", "400")
}

fn never_stopped(events: &EventStream) -> Result<()> {
    let stopped = events.seen().into_iter().find(|event| {
        let status = event.text("status");
        event.kind() == "session.status" && matches!(status, "stopped" | "logged_out")
    });
    ensure!(stopped.is_none(), "it stopped: {stopped:?}");
    Ok(())
}

/// Codes that nobody knows, and codes that used to end a session for good: the session says which,
/// tries again and again, and comes back without a person.
#[tokio::test]
async fn a_refused_login_is_tried_again_whatever_its_code() -> Result<()> {
    impatient()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;
            for code in [400, 409, 413, 415, 418, 501, 799] {
                world.sandbox().refuse(&session.phone, code, 4).await?;
                world.sandbox().disconnect(&session.phone).await?;
                let said = format!("code {code}");
                events
                    .wait_for("it is told", |event| {
                        let failed = event.text("status") == "failed";
                        failed && event.text("reason").contains(&said)
                    })
                    .await?;
                api.wait_for_session(&session.id, "working").await?;
            }
            let send = SendRequest::text(&peer.phone, "still here");
            api.send(&session.id, &send).await?.expect(200)?;
            never_stopped(&events)
        })
        .await
}

/// A locked account (403) keeps its keys: when WhatsApp unlocks it, nobody scans anything.
#[tokio::test]
async fn a_locked_account_keeps_its_keys() -> Result<()> {
    impatient()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;
            world.sandbox().refuse(&session.phone, 403, 3).await?;
            world.sandbox().disconnect(&session.phone).await?;
            let locked = api.wait_for_session(&session.id, "failed").await?;
            let error = locked["lastError"].as_str().context("no lastError")?;
            assert!(error.contains("locked"), "{error}");
            assert!(locked["waJid"].is_string(), "it is still bound");
            let send = SendRequest::text(&peer.phone, "later").asynchronous();
            let send = api.send(&session.id, &send).await?.expect(202)?;
            api.wait_for_session(&session.id, "working").await?;
            let id = send.text("outboxId")?;
            events.wait_for_status(&id, "sent").await?;
            never_stopped(&events)
        })
        .await
}

/// A ban for a time without a time: WhatsApp says 402 and not how long.
#[tokio::test]
async fn a_ban_without_an_end_is_tried_again() -> Result<()> {
    impatient()
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            let events = api.events().await?;
            world.sandbox().refuse(&session.phone, 402, 4).await?;
            world.sandbox().disconnect(&session.phone).await?;
            api.wait_for_session(&session.id, "failed").await?;
            api.wait_for_session(&session.id, "working").await?;
            never_stopped(&events)
        })
        .await
}

/// Somebody runs a copy of the keys: the pauses grow, and the session says what it looks like.
#[tokio::test]
async fn a_session_that_is_replaced_again_and_again_says_so() -> Result<()> {
    impatient()
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            let events = api.events().await?;
            eventually("it says so", async || {
                world.sandbox().replace(&session.phone).await?;
                let emitted = events.seen().into_iter().any(|event| {
                    let reason = event.text("reason");
                    event.text("status") == "failed" && reason.contains("a copy of this session")
                });
                Ok(emitted.then_some(()))
            })
            .await?;
            api.wait_for_session(&session.id, "working").await?;
            never_stopped(&events)
        })
        .await
}

/// Starting a session that rests ends the rest.
#[tokio::test]
async fn who_starts_a_resting_session_does_not_wait_for_the_rest() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__WHATSAPP__REST_BASE_MS", "3600000")
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            world.sandbox().refuse(&session.phone, 403, 1).await?;
            world.sandbox().disconnect(&session.phone).await?;
            api.wait_for_session(&session.id, "failed").await?;
            let path = format!("/sessions/{}:start", session.id);
            api.call(api.request(Method::POST, &path))
                .await?
                .expect(200)?;
            api.wait_for_session(&session.id, "working").await?;
            Ok(())
        })
        .await
}
