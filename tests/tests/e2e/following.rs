//! Operations on what has not left yet, as the other side sees them: never 200 without effect.

use anyhow::Result;
use gateway_tests::client::{ApiClient, Fault, PeerMessage, SendRequest, eventually};
use gateway_tests::world::{PairedSession, World};
use reqwest::Method;
use serde_json::{Value, json};

/// An operation on a message.
async fn operate(
    api: &ApiClient,
    session: &PairedSession,
    method: Method,
    rest: &str,
    body: &Value,
) -> Result<gateway_tests::client::Answer> {
    let path = format!("/sessions/{}/messages/{rest}", session.id);
    api.call(api.request(method, &path).json(body)).await
}

/// A text that leaves in a while: its outbox id and its message id.
async fn scheduled(
    api: &ApiClient,
    session: &PairedSession,
    to: &str,
    text: &str,
    millis: u64,
) -> Result<(String, String)> {
    let send = SendRequest::text(to, text).in_millis(millis);
    let answer = api.send(&session.id, &send).await?.expect(202)?;
    assert_eq!(answer.text("status")?, "scheduled");
    Ok((answer.text("outboxId")?, answer.text("waMessageId")?))
}

#[tokio::test]
async fn what_is_revoked_before_it_leaves_never_arrives_and_the_answer_says_so() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let (future, mid) = scheduled(&api, &session, &peer.jid, "FUTURE", 1_500).await?;
            for _ in 0..2 {
                let answer = operate(&api, &session, Method::DELETE, &mid, &json!({})).await?;
                let answer = answer.expect(200)?;
                assert_eq!(answer.text("status")?, "cancelled");
                assert_eq!(answer.text("outboxId")?, future);
            }
            let entry = api.outbox(&session.id, &future).await?;
            assert_eq!(entry["status"], "cancelled");
            // What was to leave at the same time did.
            let (_, later) = scheduled(&api, &session, &peer.jid, "LATER", 1_600).await?;
            world
                .sandbox()
                .wait_for_message(&peer.phone, &later)
                .await?;
            let shown = world.sandbox().all_messages(&peer.phone).await?;
            assert!(shown.iter().all(|message| message.text() != "FUTURE"));
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_edit_of_what_is_scheduled_follows_it_or_is_refused() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let (first, mid) = scheduled(&api, &session, &peer.jid, "draft", 1_500).await?;
            let edit = json!({"text": "final"});
            let refused = operate(&api, &session, Method::PATCH, &mid, &edit).await?;
            assert_eq!(refused.status, 409);
            assert_eq!(refused.error_reason(), "not_sent_yet");
            let emoji = json!({"emoji": "👍"});
            let reaction = format!("{mid}/reaction");
            let refused = operate(&api, &session, Method::POST, &reaction, &emoji).await?;
            assert_eq!(refused.error_reason(), "not_sent_yet");

            let path = format!("{mid}?async=true");
            let accepted = operate(&api, &session, Method::PATCH, &path, &edit).await?;
            let follows = accepted.expect(202)?.text("outboxId")?;
            let waiting = api.outbox(&session.id, &first).await?;
            assert_eq!(waiting["waitingFor"]["reason"], "scheduled", "{waiting}");
            eventually("the edit is sent", async || {
                let entry = api.outbox(&session.id, &follows).await?;
                let done = ["sent", "delivered", "read"].map(Value::from);
                Ok(done.contains(&entry["status"]).then_some(()))
            })
            .await?;
            eventually("the peer sees the edit", async || {
                let shown = world.sandbox().all_messages(&peer.phone).await?;
                let text = shown.iter().find(|message| message.id == mid);
                let edited = |message: &&PeerMessage| {
                    let edit = message.edited.as_ref();
                    edit.is_some_and(|edit| edit["content"] == "final")
                };
                Ok(text.filter(edited).map(drop))
            })
            .await
        })
        .await
}

#[tokio::test]
async fn an_operation_behind_an_original_that_whatsapp_refuses_fails_with_it() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let sandbox = world.sandbox();
            sandbox
                .fault(Fault::nack(403, 1).of(&session.phone))
                .await?;
            let (first, mid) = scheduled(&api, &session, &peer.jid, "refused", 700).await?;
            let path = format!("{mid}?async=true");
            let edit = json!({"text": "better"});
            let accepted = operate(&api, &session, Method::PATCH, &path, &edit).await?;
            let follows = accepted.expect(202)?.text("outboxId")?;
            eventually("both have failed", async || {
                let entry = api.outbox(&session.id, &follows).await?;
                Ok((entry["status"] == "failed").then_some(()))
            })
            .await?;
            let failed = api.outbox(&session.id, &follows).await?;
            assert_eq!(failed["error"]["code"], "target_not_sent");
            let failed = api.outbox(&session.id, &first).await?;
            assert_eq!(failed["error"]["code"], "refused");
            // From now on there is no such message.
            let edit = operate(&api, &session, Method::PATCH, &mid, &edit).await?;
            assert_eq!(edit.status, 404);
            Ok(())
        })
        .await
}

/// An attempt that arrived and was never acknowledged: not known, and a receipt tells.
#[tokio::test]
async fn what_arrived_unacknowledged_does_not_end_as_not_sent() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__ACK_TIMEOUT_MS", "300")
        .worker_env("GATEWAY_WORKER__MAX_ATTEMPTS", "1")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let events = api.events().await?;
            let sandbox = world.sandbox();
            sandbox.fault(Fault::silence(1).of(&session.phone)).await?;
            let send = SendRequest::text(&peer.phone, "lost?").asynchronous();
            let id = api
                .send(&session.id, &send)
                .await?
                .expect(202)?
                .text("outboxId")?;
            let failed = events.wait_for_status(&id, "failed").await?;
            assert_eq!(failed.0["payload"]["error"]["code"], "outcome_unknown");
            assert_eq!(failed.0["payload"]["error"]["cause"], "attempts_exhausted");
            Ok(())
        })
        .await
}
