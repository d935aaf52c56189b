//! What people see of a session beside its messages.

use anyhow::{Context, Result};
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::json;

/// `autoRead`: who writes sees that it was read, from the moment on that it is wished.
#[tokio::test]
async fn what_is_told_is_marked_as_read_where_that_is_wished() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            let answer = sandbox.send_text(&peer.phone, &session.phone, "unread");
            let unread = answer.await?.text("id")?;
            events
                .wait_for("it is told", |event| event.kind() == "message")
                .await?;

            let path = format!("/sessions/{}", session.id);
            let patch = api.request(Method::PATCH, &path);
            let patch = patch.json(&json!({ "autoRead": true }));
            let answer = api.call(patch).await?.expect(200)?;
            assert_eq!(answer.at("autoRead"), &json!(true));
            eventually("something is shown as read", async || {
                // The worker may hear of the wish a little later.
                sandbox
                    .send_text(&peer.phone, &session.phone, "read this")
                    .await?;
                let messages = sandbox.all_messages(&peer.phone).await?;
                let read = |status: &Option<String>| status.as_deref() == Some("read");
                Ok(messages.iter().any(|m| read(&m.status)).then_some(()))
            })
            .await?;
            let messages = sandbox.all_messages(&peer.phone).await?;
            let first = messages.iter().find(|message| message.id == unread);
            let first = first.context("the first message is there")?;
            assert_eq!(first.status.as_deref(), Some("delivered"));
            Ok(())
        })
        .await
}

/// `presenceTyping`: who is written to sees somebody type before the message comes.
#[tokio::test]
async fn typing_is_shown_before_a_text_where_that_is_wished() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let send = SendRequest::text(&peer.phone, "at once");
            api.send(&session.id, &send).await?.expect(200)?;
            assert!(sandbox.typing(&peer.phone).await?.is_empty());

            let path = format!("/sessions/{}", session.id);
            let patch = api.request(Method::PATCH, &path);
            let patch = patch.json(&json!({ "presenceTyping": true }));
            api.call(patch).await?.expect(200)?;
            let (id, typed) = eventually("typing is shown", async || {
                let send = SendRequest::text(&peer.phone, "typed");
                let answer = api.send(&session.id, &send).await?.expect(200)?;
                let typing = sandbox.typing(&peer.phone).await?;
                let id = answer.text("waMessageId")?;
                Ok(typing.last().cloned().map(|typed| (id, typed)))
            })
            .await?;
            assert_eq!(typed["from"], session.phone.as_str());
            assert_eq!(typed["state"], "composing");
            let message = sandbox.wait_for_message(&peer.phone, &id).await?;
            let at = typed["time"].as_i64().context("a time")?;
            assert!(at < message.received_at, "first it is typed");
            Ok(())
        })
        .await
}
