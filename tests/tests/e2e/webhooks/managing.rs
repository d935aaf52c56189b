//! Making, changing and finding webhooks.

use anyhow::{Context, Result};
use gateway_tests::receiver::Receiver;
use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_signed, make, send, subscribe, world};

/// Every problem of a body is told at once, with its field.
#[tokio::test]
async fn bad_input_is_told_with_every_problem() -> Result<()> {
    world()
        // As it ships: nothing inside, https only.
        .setting("GATEWAY_EGRESS__ALLOW", "[]")
        .setting("GATEWAY_EGRESS__REQUIRE_HTTPS", "true")
        .run(async |world| {
            let api = world.api(0);
            let body = json!({
                "url": "http://example.com/",
                "events": ["message", "mesage"],
                "sessionId": "nobody",
                "format": "xml",
                "customHeaders": {"webhook-id": "mine", "bad name": "x", "x-ok": 1, "x-line": "a\nb"},
                "retryPolicy": {"policy": "never", "delaySeconds": 0},
                "activ": true,
            });
            let answer = api.post("/webhooks", &body).await?.expect(400)?;
            let errors = answer.json["error"]["details"]["errors"].as_array().context("a list")?;
            let mut fields: Vec<&str> = errors.iter().filter_map(|one| one["field"].as_str()).collect();
            fields.sort_unstable();
            assert_eq!(
                fields,
                [
                    "activ",
                    "customHeaders.bad name",
                    "customHeaders.webhook-id",
                    "customHeaders.x-line",
                    "customHeaders.x-ok",
                    "events[1]",
                    "format",
                    "retryPolicy.attempts",
                    "retryPolicy.delaySeconds",
                    "retryPolicy.policy",
                    "sessionId",
                    "url",
                ]
            );
            let refused = async |body: Value, field: &str| -> Result<()> {
                let answer = api.post("/webhooks", &body).await?.expect(400)?;
                let errors = &answer.json["error"]["details"]["errors"];
                assert_eq!(errors[0]["field"], field, "{errors}");
                assert_eq!(errors.as_array().map(Vec::len), Some(1), "{errors}");
                Ok(())
            };
            refused(json!({"url": "https://example.com/", "events": []}), "events").await?;
            for url in [
                "https://10.0.0.1/",
                "https://2130706433/",
                "https://0x7f.1/",
                "https://[::ffff:169.254.169.254]/",
                "https://localhost:8443/",
                "https://me:secret@example.com/",
                "http://example.com/",
            ] {
                refused(json!({"url": url, "events": ["*"]}), "url").await?;
            }
            Ok(())
        })
        .await
}

/// A webhook's life: made, listed without its secret, changed while events arrive, deleted; and of
/// no concern to another organization.
#[tokio::test]
async fn webhooks_are_made_changed_and_deleted_at_run_time() -> Result<()> {
    world()
        .setting("GATEWAY_WEBHOOKS__MAX_PER_ORGANIZATION", "2")
        .run(async |world| {
            let api = world.api(0);
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (one, two) = (Receiver::start().await?, Receiver::start().await?);
            let body = json!({
                "url": one.url("/"), "events": ["message.status", "message.status"],
                "sessionId": session.id, "customHeaders": {"X-Tenant": "acme"},
            });
            let create = api
                .request(Method::POST, "/webhooks")
                .header("Idempotency-Key", "hook-1");
            let made = api.call(create.json(&body)).await?.expect(201)?;
            let (id, secret) = (made.text("id")?, made.text("secret")?);
            assert!(secret.starts_with("whsec_"));
            let again = api
                .request(Method::POST, "/webhooks")
                .header("Idempotency-Key", "hook-1");
            let again = api.call(again.json(&body)).await?.expect(201)?;
            assert_eq!(
                (again.text("id")?, again.text("secret")?),
                (id.clone(), secret.clone())
            );
            let other = api
                .request(Method::POST, "/webhooks")
                .header("Idempotency-Key", "hook-1");
            let other = other.json(&json!({"url": one.url("/other"), "events": ["*"]}));
            let refused = api.call(other).await?.expect(409)?;
            assert_eq!(
                refused.text("error/details/reason")?,
                "idempotency_key_reused"
            );

            subscribe(&api, &two.url("/"), &["session.status"]).await?;
            let limit = json!({"url": two.url("/three"), "events": ["*"]});
            let refused = api.post("/webhooks", &limit).await?.expect(409)?;
            assert_eq!(refused.text("error/details/reason")?, "webhook_limit");

            let page = api.get("/webhooks").await?.expect(200)?;
            assert_eq!(page.json["nextCursor"], "");
            assert_eq!(page.json["data"].as_array().map(Vec::len), Some(2));
            let listed = String::from_utf8_lossy(&page.bytes).into_owned();
            assert!(!listed.contains("whsec_") && !listed.contains(&secret));
            assert_eq!(page.json["data"][0]["events"], json!(["message.status"]));

            send(&api, &session, &peer, 0..1).await?;
            let first = one.wait_for_delivered(4).await?;
            assert_eq!(first[0].header("x-tenant"), "acme");
            assert_signed(&one.posted(), &secret);

            // Another address, and a second secret beside the first.
            let path = format!("/webhooks/{id}");
            let patch = json!({"url": two.url("/moved"), "customHeaders": {}});
            api.call(api.request(Method::PATCH, &path).json(&patch))
                .await?
                .expect(200)?;
            let rotated = api
                .post(&format!("{path}:rotate-secret"), &json!({}))
                .await?
                .expect(200)?;
            let second = rotated.text("secret")?;
            send(&api, &session, &peer, 1..2).await?;
            let moved = two.wait_for_delivered(4).await?;
            assert!(moved.iter().all(|posted| posted.path == "/moved"));
            assert_signed(&moved, &secret);
            assert_signed(&moved, &second);
            let now = json!({"keepFormerSeconds": 0});
            let third = api
                .post(&format!("{path}:rotate-secret"), &now)
                .await?
                .expect(200)?;
            let trial = api
                .post(&format!("{path}:test"), &json!({}))
                .await?
                .expect(200)?;
            assert_eq!(trial.json["status"], 200);
            let tried = two.posted().last().cloned().context("the trial")?;
            assert_eq!(tried.json()["event"], "webhook.test");
            assert!(tried.is_signed_by(&third.text("secret")?) && !tried.is_signed_by(&second));

            // Nobody else's.
            let stranger = world.create_organization("Other").await?;
            let theirs = api.with_key(&stranger.secret);
            theirs.get(&path).await?.expect(404)?;
            theirs.delete(&path).await?.expect(404)?;
            theirs
                .post(&format!("{path}:test"), &json!({}))
                .await?
                .expect(404)?;
            assert_eq!(
                theirs.get("/webhooks").await?.expect(200)?.json["data"],
                json!([])
            );
            let reader = world.create_key(&["read", "send", "events"]).await?;
            api.with_key(&reader.secret)
                .get("/webhooks")
                .await?
                .expect(403)?;

            api.delete(&path).await?.expect(204)?;
            api.get(&path).await?.expect(404)?;
            send(&api, &session, &peer, 2..3).await?;
            // What another webhook gets shows that these would have come by now.
            let (_, _) = make(
                &api,
                &json!({"url": one.url("/last"), "events": ["message.status"]}),
            )
            .await?;
            send(&api, &session, &peer, 3..4).await?;
            one.wait_for("the last one gets its events", |posted| {
                posted.iter().filter(|one| one.path == "/last").count() >= 4
            })
            .await?;
            let after = two
                .posted()
                .iter()
                .filter(|one| one.path == "/moved")
                .count();
            assert_eq!(after, 5, "four events and the trial");
            Ok(())
        })
        .await
}
