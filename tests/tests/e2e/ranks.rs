//! What only admins of a group may do.

use anyhow::{Context, Result};
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::json;

/// A member does not revoke what others wrote; an admin does.
#[tokio::test]
async fn only_an_admin_revokes_what_somebody_else_wrote() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            let group = json!({
                "subject": "Walks", "creator": peer.phone, "members": [session.phone],
            });
            let group = sandbox.create_group(&group).await?;
            let group = group["jid"]
                .as_str()
                .context("a group has a JID")?
                .to_owned();
            let words = json!({"to": group, "type": "text", "text": "strong words"});
            let words = sandbox.send(&peer.phone, &words).await?;
            events
                .wait_for("the words", |event| event.text("waMessageId") == words)
                .await?;
            let revoke = async || {
                let path = format!("/sessions/{}/messages/{words}", session.id);
                let body = json!({"chat": group, "sender": peer.jid});
                api.call(api.request(Method::DELETE, &path).json(&body))
                    .await
            };
            let refused = revoke().await?.expect(403)?;
            assert_eq!(refused.error_reason(), "not_group_admin");
            let outbox_id = refused.text("error/details/outboxId")?;
            let event = events.wait_for_status(&outbox_id, "failed").await?;
            assert_eq!(event.0["payload"]["error"]["code"], "not_group_admin");
            // It was no attempt: nothing went over the wire.
            let wa = refused.text("error/details/waMessageId")?;
            let ledger = sandbox.ledger(&session.phone).await?;
            assert!(ledger.iter().all(|entry| entry.id != wa));

            sandbox
                .change_members(&group, "promote", &[&session.phone])
                .await?;
            revoke().await?.expect(200)?;
            eventually("the revoke", async || {
                let messages = sandbox.all_messages(&peer.phone).await?;
                let found = messages.iter().find(|message| message.id == words);
                Ok(found
                    .is_some_and(|message| message.revoked_by.is_some())
                    .then_some(()))
            })
            .await?;

            // In a direct chat nobody is an admin.
            let direct = json!({"type": "text", "text": "and you", "to": session.phone});
            let direct = sandbox.send(&peer.phone, &direct).await?;
            events
                .wait_for("the text", |event| event.text("waMessageId") == direct)
                .await?;
            let path = format!("/sessions/{}/messages/{direct}", session.id);
            let body = json!({"chat": peer.jid, "sender": peer.jid});
            let refused = api
                .call(api.request(Method::DELETE, &path).json(&body))
                .await?;
            refused.expect(400)?;
            let send = SendRequest::text(&peer.phone, "goes through");
            api.send(&session.id, &send).await?.expect(200)?;
            Ok(())
        })
        .await
}
