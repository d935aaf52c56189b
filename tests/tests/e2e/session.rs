//! The life of a session.

use anyhow::Result;
use gateway_tests::client::SendRequest;
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_qr_code_is_given_as_text_and_as_picture() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let session = api.create_session("Desk", 20, 200).await?;
            let created = api.session(&session).await?;
            assert_eq!(created["label"], "Desk");
            assert_eq!(created["organizationId"], world.organization());
            assert_eq!(
                (&created["ratePerMin"], &created["ratePerHour"]),
                (&json!(20), &json!(200))
            );
            assert_eq!(created["waJid"], json!(null));

            let code = api.wait_for_qr(&session).await?;
            assert_eq!(api.session(&session).await?["status"], "scan_qr_code");
            let path = format!("/sessions/{session}/qr");
            for (kind, begin) in [("image/png", &b"\x89PNG"[..]), ("image/svg+xml", b"<")] {
                let request = api.request(Method::GET, &path).header("Accept", kind);
                let answer = api.call(request).await?.expect(200)?;
                assert_eq!(answer.header("content-type"), Some(kind));
                assert!(answer.bytes.starts_with(begin), "{kind}");
            }
            world.sandbox().scan_qr("15550000001", &code).await?;
            let paired = api.wait_for_session(&session, "working").await?;
            assert_eq!(paired["waJid"], "15550000001@s.whatsapp.net");
            assert!(
                paired["waLid"]
                    .as_str()
                    .is_some_and(|lid| lid.ends_with("@lid"))
            );
            let answer = api.get(&path).await?.expect(409)?;
            assert_eq!(answer.error_reason(), "already_paired");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_session_is_paired_by_a_code() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let session = api.create_session("by code", 0, 0).await?;
            api.wait_for_session(&session, "scan_qr_code").await?;
            let path = format!("/sessions/{session}/pairing-code");
            let phone = "15550000007";
            let body = json!({ "phone": phone });
            let code = api.post(&path, &body).await?.expect(200)?.text("code")?;
            world.sandbox().link_code(phone, &code).await?;
            let paired = api.wait_for_session(&session, "working").await?;
            assert_eq!(paired["waJid"], format!("{phone}@s.whatsapp.net"));
            let answer = api.post(&path, &json!({ "phone": "x" })).await?;
            assert!(matches!(answer.status, 400 | 409), "{}", answer.json);
            Ok(())
        })
        .await
}

/// Stopped and started, and restarted, it is the same device: nobody scans anything again.
#[tokio::test]
async fn it_stops_and_starts_without_pairing_again() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let order =
                |verb: &str| api.request(Method::POST, &format!("/sessions/{}:{verb}", session.id));
            api.call(order("stop")).await?.expect(200)?;
            api.wait_for_session(&session.id, "stopped").await?;
            api.call(order("start")).await?.expect(200)?;
            api.wait_for_session(&session.id, "working").await?;
            let answer = api.call(order("restart")).await?.expect(200)?;
            assert_eq!(answer.text("id")?, session.id);
            api.wait_for_session(&session.id, "working").await?;
            let send = SendRequest::text(&peer.phone, "still here").asynchronous();
            api.send(&session.id, &send).await?.expect(202)?;
            world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            Ok(())
        })
        .await
}

/// The phone takes the device away: the session says so, and what waits fails visibly.
#[tokio::test]
async fn a_phone_logs_its_session_out() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            let events = api.events().await?;
            world.sandbox().logout(&session.phone).await?;
            api.wait_for_session(&session.id, "logged_out").await?;
            events
                .wait_for("it is told", |event| {
                    event.kind() == "session.status" && event.text("status") == "logged_out"
                })
                .await?;
            let send = SendRequest::text("15551000001", "too late");
            let answer = api.send(&session.id, &send).await?.expect(503)?;
            assert_eq!(answer.error_reason(), "session_not_connected");
            Ok(())
        })
        .await
}

/// Logged out through the API, it is gone from the phone's list as well, and can be paired anew.
#[tokio::test]
async fn the_api_logs_a_session_out_and_pairs_it_anew() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            let path = format!("/sessions/{}:logout", session.id);
            api.call(api.request(Method::POST, &path))
                .await?
                .expect(200)?;
            api.wait_for_session(&session.id, "logged_out").await?;
            let path = format!("/sessions/{}:start?rebind=true", session.id);
            api.call(api.request(Method::POST, &path))
                .await?
                .expect(200)?;
            gateway_tests::world::pair(&api, &world.sandbox(), &session.id, "15550000009").await?;
            let now = api.session(&session.id).await?;
            assert_eq!(now["waJid"], "15550000009@s.whatsapp.net");
            Ok(())
        })
        .await
}

/// A start right behind a logout: both happen, in this order.
#[tokio::test]
async fn the_last_of_two_desires_holds() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            let events = api.events().await?;
            let order =
                |verb: &str| api.request(Method::POST, &format!("/sessions/{}:{verb}", session.id));
            for round in 0..3 {
                if round > 0 {
                    let phone = &session.phone;
                    gateway_tests::world::pair(&api, &world.sandbox(), &session.id, phone).await?;
                }
                api.call(order("logout")).await?.expect(200)?;
                api.call(order("start")).await?.expect(200)?;
                let known = api.wait_for_session(&session.id, "scan_qr_code").await?;
                assert_eq!(known["waJid"], json!(null));
            }
            api.call(order("start")).await?.expect(200)?;
            api.call(order("stop")).await?.expect(200)?;
            api.wait_for_session(&session.id, "stopped").await?;
            events
                .wait_for("the logout is told", |event| {
                    event.text("status") == "logged_out"
                })
                .await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_deleted_session_is_gone() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            let peer = world.create_peer().await?;
            let events = api.events().await?;
            let send = SendRequest::text(&peer.phone, "before");
            let sent = api.send(&session.id, &send).await?.expect(200)?;
            let sent = sent.text("waMessageId")?;
            events
                .wait_for("the delivery", |event| {
                    event.text("waMessageId") == sent && event.text("status") == "delivered"
                })
                .await?;
            let path = format!("/sessions/{}", session.id);
            api.delete(&path).await?.expect(204)?;
            let answer = api.get(&path).await?.expect(404)?;
            assert_eq!(answer.error_code(), "not_found");
            let listed = api.get("/sessions").await?.expect(200)?;
            assert_eq!(listed.at("data"), &json!([]));
            let send = SendRequest::text("15551000001", "too late").asynchronous();
            api.send(&session.id, &send).await?.expect(404)?;

            // It is told, and what became of its sends stays readable, to its organization alone.
            events
                .wait_for("the end of the session", |event| {
                    event.kind() == "session.status"
                        && event.session() == session.id
                        && event.text("status") == "deleted"
                })
                .await?;
            let outbox = format!("{path}/outbox");
            let kept = api.get(&outbox).await?.expect(200)?;
            assert_eq!(kept.at("data")[0]["waMessageId"], sent.as_str());
            let entry = kept.at("data")[0]["outboxId"].as_str().unwrap_or_default();
            let entry = format!("{outbox}/{entry}");
            assert_eq!(
                api.get(&entry).await?.expect(200)?.at("status"),
                "delivered"
            );
            let cancel = api.delete(&entry).await?;
            assert_eq!(cancel.status, 404);
            let others = world.create_organization("Globex").await?;
            let stranger = world.apis[0].client(&others.secret);
            stranger.get(&outbox).await?.expect(404)?;
            stranger.get(&entry).await?.expect(404)?;
            Ok(())
        })
        .await
}
