//! The room is attacked: as a viewer, without the token of a sign-in, from another site, with markup in
//! everything that is stored.

use anyhow::Result;
use gateway_tests::client::{Fault, SendRequest};
use gateway_tests::world::World;
use reqwest::Method;
use reqwest::header::COOKIE;
use serde_json::json;

use super::{Room, Visitor, queue};

/// Every action there is, on things that exist.
fn actions<'a>(
    world: &'a World,
    session: &'a str,
    worker: &'a str,
) -> Vec<Vec<(&'a str, &'a str)>> {
    let organization = world.organization();
    let on_session = [
        "lane.pause",
        "session.stop",
        "session.start",
        "session.restart",
        "session.logout",
        "lane.resume",
    ];
    let mut all: Vec<Vec<(&str, &str)>> = on_session
        .iter()
        .map(|action| vec![("action", *action), ("session", session)])
        .collect();
    all.push(vec![
        ("action", "session.limits"),
        ("session", session),
        ("perMin", "1"),
        ("perHour", "1"),
    ]);
    for action in [
        "message.retry",
        "message.cancel",
        "message.discard",
        "message.reveal",
    ] {
        let outbox = "out_01KAHX3N5RDGT0M7Y8Z9ABCDEF";
        all.push(vec![
            ("action", action),
            ("session", session),
            ("outbox", outbox),
        ]);
    }
    for action in ["worker.drain", "worker.undrain"] {
        all.push(vec![("action", action), ("worker", worker)]);
    }
    for action in ["job.retry", "job.discard", "job.cancel"] {
        all.push(vec![("action", action), ("session", session)]);
    }
    let job = "job_01KAHX3N5RDGT0M7Y8Z9ABCDEF";
    all.push(vec![("action", "job.stop"), ("job", job)]);
    let webhook = "wh_01KAHX3N5RDGT0M7Y8Z9ABCDEF";
    let delivery = "dlv_01KAHX3N5RDGT0M7Y8Z9ABCDEF";
    for action in ["delivery.replay", "webhook.replay_dead", "webhook.resume"] {
        all.push(vec![
            ("action", action),
            ("organization", organization),
            ("webhook", webhook),
            ("delivery", delivery),
        ]);
    }
    all.push(vec![("action", "organization.create"), ("name", "Evil")]);
    let key = "key_01KAHX3N5RDGT0M7Y8Z9ABCDEF";
    for action in [
        "organization.suspend",
        "organization.unsuspend",
        "key.create",
        "key.revoke",
    ] {
        all.push(vec![
            ("action", action),
            ("organization", organization),
            ("key", key),
        ]);
    }
    all
}

/// No action of a viewer, without the token, with another's token, from another site or without a sign-in
/// does anything, and none of them is recorded as done.
#[tokio::test]
async fn nobody_acts_who_may_not() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            let worker = world.workers[0].id();
            // What no action changes is not compared: its worker notes that by itself.
            let standing = async || -> Result<serde_json::Value> {
                let mut session = api.session(&session.id).await?;
                for noted in ["clientVersion", "lastPongAt", "updatedAt"] {
                    session[noted].take();
                }
                Ok(session)
            };
            let before = standing().await?;
            let admin = Visitor::enter(world, "admin").await?;
            let viewer = Visitor::enter(world, "viewer").await?;
            let nobody = Visitor {
                http: admin.http.clone(),
                base: admin.base.clone(),
                cookie: String::new(),
                csrf: admin.csrf.clone(),
            };
            for action in actions(world, &session.id, &worker) {
                let with = |csrf: &str| {
                    let mut fields: Vec<(String, String)> = action
                        .iter()
                        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                        .collect();
                    fields.push(("csrf".to_owned(), csrf.to_owned()));
                    fields
                };
                let none: &[(&str, &str)] = &[];
                let foreign: &[(&str, &str)] = &[("origin", "https://evil.example")];
                let null: &[(&str, &str)] = &[("origin", "null")];
                let cross: &[(&str, &str)] = &[("sec-fetch-site", "cross-site")];
                for (who, csrf, headers, expected) in [
                    (&viewer, viewer.csrf.as_str(), none, 403),
                    (&admin, "", none, 403),
                    (&admin, viewer.csrf.as_str(), none, 403),
                    (&admin, admin.csrf.as_str(), foreign, 403),
                    (&admin, admin.csrf.as_str(), null, 403),
                    (&admin, admin.csrf.as_str(), cross, 403),
                    (&nobody, admin.csrf.as_str(), none, 303),
                ] {
                    let fields = with(csrf);
                    let fields: Vec<(&str, &str)> = fields
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_str()))
                        .collect();
                    let status = who.act(&fields, headers).await?;
                    assert_eq!(status, expected, "{action:?} {headers:?}");
                }
            }
            assert_eq!(standing().await?, before);
            let log = admin.page("/ops/audit").await?;
            assert!(log.contains("sign_in") && !log.contains("session.") && !log.contains("Evil"));
            Ok(())
        })
        .await
}

/// Signing out needs the token and ends the sign-in; the headers of every page forbid what they should.
#[tokio::test]
async fn a_sign_in_ends_and_pages_are_guarded() -> Result<()> {
    World::builder()
        .run(async |world| {
            let visitor = Visitor::enter(world, "admin").await?;
            let out = async |csrf: &str| -> Result<u16> {
                let url = format!("{}/ops/sign-out", visitor.base);
                let request = visitor.http.post(url).header(COOKIE, &visitor.cookie);
                Ok(request
                    .form(&[("csrf", csrf)])
                    .send()
                    .await?
                    .status()
                    .as_u16())
            };
            assert_eq!(out("wrong").await?, 403);
            for path in [
                "/ops",
                "/ops/sign-in",
                "/ops/nothing",
                "/ops/sessions/nonsense",
            ] {
                let url = format!("{}{path}", visitor.base);
                let answer = visitor.http.get(url).header(COOKIE, &visitor.cookie);
                let answer = answer.send().await?;
                let header = |name: &str| {
                    let value = answer.headers().get(name).and_then(|one| one.to_str().ok());
                    value.unwrap_or_default().to_owned()
                };
                let policy = header("content-security-policy");
                assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
                assert!(policy.contains("frame-ancestors 'none'"));
                assert_eq!(header("x-frame-options"), "DENY");
                assert_eq!(header("x-content-type-options"), "nosniff");
                assert_eq!(header("cache-control"), "no-store");
                let page = answer.text().await?;
                assert!(!page.contains("style=\"") && !page.contains("<script>"));
            }
            assert_eq!(out(&visitor.csrf).await?, 303);
            let page = visitor.page("/ops").await?;
            assert!(page.is_empty() || page.contains("Operator key"), "{page}");
            // Neither a wrong key nor an API key opens the room, and the public port has no room.
            let http = reqwest::Client::new();
            for key in ["op_wrong", world.api(0).key()] {
                let url = format!("{}/ops/sign-in", visitor.base);
                let answer = http.post(url).form(&[("key", key)]).send().await?;
                assert_eq!(answer.status(), 401);
            }
            let public = format!("{}/ops", world.api(0).address());
            assert_eq!(http.get(public).send().await?.status(), 404);
            Ok(())
        })
        .await
}

/// Markup in every text that somebody can store is shown as text: labels, names of organizations and keys,
/// messages, errors, ids of requests, addresses of webhooks, what is searched for.
#[tokio::test]
async fn markup_is_shown_as_text() -> Result<()> {
    const EVIL: &str = "<img src=x onerror=alert(1)>\"'><script>window.evil=1</script>";
    World::builder()
        .run(async |world| {
            world.may_leave_sends_waiting();
            let session = world.pair_session().await?;
            let (api, peer) = (world.api(0), world.create_peer().await?);
            let path = format!("/sessions/{}", session.id);
            let label = json!({"label": EVIL});
            api.call(api.request(Method::PATCH, &path).json(&label))
                .await?
                .expect(200)?;
            let request = "<script>window.evil=1</script>";
            let text = SendRequest::text(&peer.phone, EVIL).request_id(request);
            let sent = api.send(&session.id, &text).await?.expect(200)?;
            let sent = sent.text("outboxId")?;
            let reason = json!({"reason": EVIL});
            api.post(&format!("{path}:pause"), &reason).await?.expect(200)?;
            queue(&api, &session.id, &peer.phone, EVIL).await?;
            let url = "http://127.0.0.1:9/%3Cscript%3E?a=<script>window.evil=1</script>";
            let hook = json!({"url": url, "events": ["*"]});
            let hook = api.post("/webhooks", &hook).await?.expect(201)?;
            let key = json!({"name": EVIL, "capabilities": ["read"]});
            api.post("/api-keys", &key).await?.expect(201)?;
            let fault = Fault::nack(403, 1).of(&session.phone);
            world.sandbox().fault(fault).await?;
            world.create_organization(EVIL).await?;
            let admin = Visitor::enter(world, "admin").await?;
            let reveal = [
                ("csrf", admin.csrf.as_str()),
                ("action", "message.reveal"),
                ("session", session.id.as_str()),
                ("outbox", sent.as_str()),
            ];
            assert_eq!(admin.act(&reveal, &[]).await?, 200);

            let mut room = Room::enter(world, "admin").await?;
            let organization = world.organization();
            for path in [
                "/ops".to_owned(),
                "/ops/queues".to_owned(),
                "/ops/sessions".to_owned(),
                format!("/ops/sessions/{}", session.id),
                format!("/ops/messages?session={}", session.id),
                format!("/ops/messages/{}/{sent}", session.id),
                "/ops/messages?q=%3Cscript%3Ewindow.evil%3D1%3C/script%3E%22'%3E".to_owned(),
                "/ops/queues?session=%22%3E%3Cscript%3Ewindow.evil%3D1%3C/script%3E".to_owned(),
                "/ops/webhooks".to_owned(),
                format!("/ops/webhooks/{organization}/{}", hook.text("id")?),
                "/ops/organizations".to_owned(),
                format!("/ops/organizations/{organization}"),
                "/ops/audit".to_owned(),
            ] {
                room.open(&path).await?;
                let harmed = room
                    .browser
                    .evaluate("Boolean(window.evil) || document.querySelector('img[src=x]') !== null || document.querySelectorAll('script').length !== 1")
                    .await?;
                assert_eq!(harmed, json!(false), "{path}");
            }
            room.open(&format!("/ops/messages/{}/{sent}", session.id)).await?;
            room.press("Show content and recipient").await?;
            room.says(EVIL).await?;
            assert_eq!(room.browser.evaluate("Boolean(window.evil)").await?, json!(false));
            api.post(&format!("{path}:resume"), &json!({})).await?.expect(200)?;
            room.accuse()
        })
        .await
}
