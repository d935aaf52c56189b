//! Law 11: what was accepted for one number never leaves from another.

use anyhow::Result;
use gateway_tests::client::SendRequest;
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn what_was_accepted_for_one_number_never_leaves_from_another() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let path = |rest: &str| format!("/sessions/{}{rest}", session.id);
            let sent = api
                .send(&session.id, &SendRequest::text(&peer.phone, "mine"))
                .await?
                .expect(200)?;
            let mid = sent.text("waMessageId")?;
            // One that waits at the logout fails with it, and can be retried by this number alone.
            api.post(&path(":pause"), &json!({})).await?.expect(200)?;
            let send = SendRequest::text(&peer.phone, "waits").asynchronous();
            let waits = api.send(&session.id, &send).await?.expect(202)?;
            let waits = waits.text("outboxId")?;
            api.post(&path(":logout"), &json!({})).await?.expect(200)?;
            api.wait_for_session(&session.id, "logged_out").await?;
            let entry = api.outbox(&session.id, &waits).await?;
            assert_eq!(entry["error"]["code"], "session_logged_out");

            // While nobody is paired, none of the four ways in is open.
            let retry = path(&format!("/outbox/{waits}:retry"));
            let text = json!({"type": "text", "to": peer.jid, "text": "whose?"});
            let now = SendRequest::body(text.clone()).asynchronous();
            let later = SendRequest::body(text.clone()).in_millis(60_000);
            for (what, answer) in [
                ("async", api.send(&session.id, &now).await?),
                ("schedule", api.send(&session.id, &later).await?),
                ("retry", api.post(&retry, &json!({})).await?),
            ] {
                assert_eq!(answer.status, 409, "{what}");
                assert_eq!(answer.error_reason(), "logged_out", "{what}");
            }
            let batch = json!({"messages": [text]});
            let batch = api
                .post(&path("/messages:batch"), &batch)
                .await?
                .expect(202)?;
            let refused = &batch.json["results"][0]["error"];
            assert_eq!(refused["details"]["reason"], "logged_out", "{refused}");

            // Another number is paired with it.
            api.post(&path(":resume"), &json!({})).await?.expect(200)?;
            let sandbox = world.sandbox();
            api.post(&path(":start?rebind=true"), &json!({}))
                .await?
                .expect(200)?;
            gateway_tests::world::pair(&api, &sandbox, &session.id, "15550000077").await?;
            api.wait_for_session(&session.id, "working").await?;
            let answer = api.post(&retry, &json!({})).await?;
            assert_eq!(answer.status, 409);
            assert_eq!(answer.error_reason(), "account_changed");
            let message = path(&format!("/messages/{mid}"));
            for (method, rest, body) in [
                (Method::DELETE, "", json!({})),
                (Method::PATCH, "", json!({"text": "not mine"})),
                (Method::POST, "/reaction", json!({"emoji": "👍"})),
            ] {
                let request = api.request(method, &format!("{message}{rest}")).json(&body);
                let answer = api.call(request).await?;
                assert_eq!(answer.status, 404, "{rest}");
                assert_eq!(answer.error_reason(), "not_sent_by_this_account", "{rest}");
            }
            let own = SendRequest::text(&peer.phone, "the other's");
            api.send(&session.id, &own).await?.expect(200)?;
            let shown = sandbox.all_messages(&peer.phone).await?;
            let texts: Vec<_> = shown.iter().map(|message| message.text()).collect();
            assert_eq!(texts, ["mine", "the other's"]);
            Ok(())
        })
        .await
}
