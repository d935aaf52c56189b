//! Whose a session is, how it is seen, whom it can reach, and what WhatsApp holds against it.

use anyhow::{Context, Result, ensure};
use gateway_tests::client::{Fault, SendRequest, eventually};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::json;

/// Another number that scans the code is logged out again, and nothing of it is told; the right one
/// goes on where it was. With `?rebind=true` another one takes its place.
#[tokio::test]
async fn a_session_belongs_to_the_number_that_first_took_it_in() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            sandbox.logout(&session.phone).await?;
            api.wait_for_session(&session.id, "logged_out").await?;
            api.start_session(&session.id).await?;

            let stranger = "15550009999";
            let path = format!("/sessions/{}/pairing-code", session.id);
            let code = api.post(&path, &json!({ "phone": stranger })).await?;
            assert_eq!(code.expect(409)?.error_reason(), "account_mismatch");
            let code = api.wait_for_qr(&session.id).await?;
            sandbox.create_person(stranger, "Stranger").await?;
            sandbox.scan_qr(stranger, &code).await?;
            let refused = events
                .wait_for("it is told", |event| {
                    event.kind() == "session.account_mismatch"
                })
                .await?;
            assert_eq!(refused.text("phone"), stranger);
            let waiting = api.wait_for_session(&session.id, "scan_qr_code").await?;
            assert_eq!(waiting["waJid"], json!(null));
            eventually("the stranger's phone no longer lists it", async || {
                let devices = sandbox.devices(stranger).await?;
                Ok((devices == 0).then_some(()))
            })
            .await?;

            let code = api.wait_for_qr(&session.id).await?;
            sandbox.scan_qr(&session.phone, &code).await?;
            api.wait_for_session(&session.id, "working").await?;
            let send = SendRequest::text(&peer.phone, "still me");
            api.send(&session.id, &send).await?.expect(200)?;

            sandbox.logout(&session.phone).await?;
            api.wait_for_session(&session.id, "logged_out").await?;
            let path = format!("/sessions/{}:start?rebind=true", session.id);
            api.call(api.request(Method::POST, &path))
                .await?
                .expect(200)?;
            let code = api.wait_for_qr(&session.id).await?;
            sandbox.scan_qr(stranger, &code).await?;
            let moved = api.wait_for_session(&session.id, "working").await?;
            assert_eq!(moved["waJid"], format!("{stranger}@s.whatsapp.net"));
            let wrong = events
                .seen()
                .into_iter()
                .filter(|event| event.kind() == "session.account_mismatch");
            assert_eq!(wrong.count(), 1);
            Ok(())
        })
        .await
}

/// Offline unless wished, and a wish holds after each reconnect.
#[tokio::test]
async fn a_session_is_offline_unless_it_is_to_be_online() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let last = async |online: bool| {
                eventually("it is seen so", async || {
                    let shown = sandbox.presence(&session.phone).await?;
                    let now = shown.last().map(|one| one["available"] == json!(online));
                    Ok(now.unwrap_or(false).then_some(()))
                })
                .await
            };
            last(false).await?;
            let path = format!("/sessions/{}/presence", session.id);
            let put = async |presence: &str| {
                let request = api.request(Method::PUT, &path);
                api.call(request.json(&json!({ "presence": presence })))
                    .await
            };
            put("around").await?.expect(400)?;
            let shown = put("available").await?.expect(200)?;
            assert_eq!(shown.at("online"), &json!(true));
            last(true).await?;
            sandbox.disconnect(&session.phone).await?;
            api.wait_for_session(&session.id, "working").await?;
            last(true).await?;
            // 202 while it is connecting: it holds from then on.
            let hidden = put("unavailable").await?;
            assert!(matches!(hidden.status, 200 | 202), "{hidden:?}");
            last(false).await
        })
        .await
}

#[tokio::test]
async fn numbers_are_looked_up() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let path = format!("/sessions/{}/contacts:check", session.id);
            let body = json!({ "phones": [peer.phone, "15559999999"] });
            let checked = api.post(&path, &body).await?.expect(200)?;
            assert_eq!(checked.at("data/0/exists"), &json!(true));
            assert_eq!(checked.at("data/0/jid"), &json!(peer.jid));
            assert_eq!(checked.at("data/0/lid"), &json!(peer.lid));
            assert_eq!(checked.at("data/1/exists"), &json!(false));
            let wrong = json!({ "phones": ["x", "123@lid"], "more": 1 });
            let refused = api.post(&path, &wrong).await?.expect(400)?;
            let problems = refused.at("error/details/errors").as_array();
            assert_eq!(problems.map(Vec::len), Some(3), "{}", refused.json);

            let path = format!("/sessions/{}/signal:renew", session.id);
            let body = json!({ "jid": peer.jid });
            let renewed = api.post(&path, &body).await?.expect(200)?;
            assert_eq!(renewed.at("devices"), &json!(1));
            let send = SendRequest::text(&peer.phone, "anew");
            api.send(&session.id, &send).await?.expect(200)?;
            world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            Ok(())
        })
        .await
}

/// Whoever is not on WhatsApp, and whoever has no device that could read it, is a failure with a name.
#[tokio::test]
async fn a_message_that_nobody_would_get_fails_with_a_name() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__BACKOFF_BASE_MS", "50")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let send = SendRequest::text("15559999999", "anybody there?");
            let answer = api.send(&session.id, &send).await?.expect(502)?;
            let id = answer.text("error/details/outboxId")?;
            let entry = api.outbox(&session.id, &id).await?;
            assert_eq!(entry["error"]["code"], "recipient_not_on_whatsapp");

            sandbox.keyless(&peer.phone, true).await?;
            let send = SendRequest::text(&peer.phone, "nobody reads this");
            let answer = api.send(&session.id, &send).await?.expect(502)?;
            let id = answer.text("error/details/outboxId")?;
            let entry = api.outbox(&session.id, &id).await?;
            assert_eq!(entry["error"]["code"], "recipient_unreachable");
            assert_eq!(entry["attempts"], 2);
            Ok(())
        })
        .await
}

/// 463: the session says until when, strangers wait until then and no longer, everybody else goes on.
#[tokio::test]
async fn a_restriction_is_shown_and_holds_only_strangers() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let known = world.create_peer().await?;
            let stranger = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            let send = SendRequest::text(&known.phone, "hello");
            api.send(&session.id, &send).await?.expect(200)?;

            sandbox.timelock(&session.phone, 5).await?;
            sandbox
                .fault(Fault::nack(463, 1).to(&stranger.phone))
                .await?;
            let send = SendRequest::text(&stranger.phone, "who are you").asynchronous();
            let held = api.send(&session.id, &send).await?.expect(202)?;
            let emitted = events
                .wait_for("it is told", |event| event.kind() == "session.restriction")
                .await?;
            assert_eq!(emitted.text("kind"), "reach_out_timelock");
            let until = emitted.0["payload"]["until"].as_i64().context("an end")?;
            let shown = api.session(&session.id).await?;
            assert_eq!(shown["restrictions"][0]["until"], until);
            let send = SendRequest::text(&known.phone, "you are not held");
            api.send(&session.id, &send).await?.expect(200)?;
            let sent = events
                .wait_for_status(&held.text("outboxId")?, "sent")
                .await?;
            let at = sent.0["payload"]["timestamp"].as_i64().context("a time")?;
            ensure!(at >= until, "it left at {at}, before {until}");
            eventually("it is past", async || {
                let shown = api.session(&session.id).await?;
                Ok((shown["restrictions"] == json!([])).then_some(()))
            })
            .await
        })
        .await
}

/// An account linked anew is no stranger to its contacts: the history of its phone brings their tokens.
#[tokio::test]
async fn the_history_makes_a_stranger_known() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__REACH_OUT_REST_MS", "1000")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            sandbox.restrict(&peer.phone).await?;
            let send = SendRequest::text(&peer.phone, "it is still me").asynchronous();
            let held = api.send(&session.id, &send).await?.expect(202)?;
            let id = held.text("outboxId")?;
            eventually("it is held as a stranger's", async || {
                let entry = api.outbox(&session.id, &id).await?;
                Ok((entry["attempts"].as_u64() > Some(0)).then_some(()))
            })
            .await?;
            sandbox.send_history(&session.phone, &[&peer.phone]).await?;
            events.wait_for_status(&id, "sent").await?;
            sandbox.wait_for_messages(&peer.phone, 1).await?;
            Ok(())
        })
        .await
}

/// What never decrypts is told, once, as what it is; the conversation goes on with the next message.
#[tokio::test]
async fn a_message_that_never_decrypts_is_told() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__WHATSAPP__UNDECRYPTABLE_MS", "500")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            sandbox
                .send_text(&peer.phone, &session.phone, "first")
                .await?;
            events
                .wait_for("it is told", |event| event.text("text") == "first")
                .await?;
            // The phone is off when it is asked for the message again.
            let fault = Fault::corrupt(1).to(&session.phone);
            sandbox.fault(fault).await?;
            let lost = sandbox.send_text(&peer.phone, &session.phone, "garbled");
            let lost = lost.await?.text("id")?;
            sandbox.sleep(&peer.phone).await?;
            let emitted = events
                .wait_for("it is told", |event| {
                    event.kind() == "message.undecryptable" && event.text("waMessageId") == lost
                })
                .await?;
            assert_eq!(emitted.text("reason"), "undecryptable");
            sandbox.wake(&peer.phone).await?;
            sandbox
                .send_text(&peer.phone, &session.phone, "legible")
                .await?;
            events
                .wait_for("it is told", |event| event.text("text") == "legible")
                .await?;
            Ok(())
        })
        .await
}

/// The session says which version it announces, and when WhatsApp was last heard.
#[tokio::test]
async fn a_session_says_when_whatsapp_was_last_heard() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            let shown = eventually("it is written", async || {
                let shown = api.session(&session.id).await?;
                Ok(shown["clientVersion"].is_string().then_some(shown))
            })
            .await?;
            assert!(shown["lastPongAt"].is_i64(), "{shown}");
            assert_eq!(shown["restrictions"], json!([]));
            Ok(())
        })
        .await
}
