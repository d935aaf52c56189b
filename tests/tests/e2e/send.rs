//! A synchronous send.

use anyhow::Result;
use gateway_tests::client::SendRequest;
use gateway_tests::world::World;
use serde_json::json;

/// 200 with `sent` once the server has it; the peer holds exactly that text under exactly that id;
/// then `delivered` and, after the peer reads, `read`, all with the same outbox id.
#[tokio::test]
async fn a_text_is_sent_then_delivered_then_read() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let events = world.api(0).events().await?;
            let text = "Grüße, 世界 👋\nsecond line";
            let send = SendRequest::text(&peer.phone, text).request_id("req-1");
            let answer = world.api(0).send(&session.id, &send).await?.expect(200)?;
            assert_eq!(answer.header("x-request-id"), Some("req-1"));
            assert_eq!(answer.text("mode")?, "sync");
            assert_eq!(answer.text("status")?, "sent");
            assert_eq!(answer.at("replayed"), &json!(false));
            assert!(answer.at("timestamp").as_i64() > Some(1_700_000_000_000));
            let outbox_id = answer.text("outboxId")?;
            let wa_id = answer.text("waMessageId")?;

            let messages = world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].text(), text);
            assert_eq!(messages[0].id, wa_id);
            assert_eq!(messages[0].copies, 1);

            events.wait_for_status(&outbox_id, "delivered").await?;
            world.sandbox().read(&peer.phone, &wa_id).await?;
            let read = events.wait_for_status(&outbox_id, "read").await?;
            assert_eq!(read.0["schema"], "v1");
            assert_eq!(read.0["session"], session.id);
            assert_eq!(read.0["organization"], world.organization());
            assert_eq!(read.text("waMessageId"), wa_id);
            assert_eq!(read.text("chatJid"), peer.jid);
            assert_eq!(read.text("requestId"), "req-1");
            let emitted = events.statuses(&outbox_id);
            assert_eq!(emitted, ["queued", "sending", "sent", "delivered", "read"]);

            let entry = world.api(0).outbox(&session.id, &outbox_id).await?;
            assert_eq!(entry["status"], "read");
            assert_eq!(entry["attempts"], 1);
            Ok(())
        })
        .await
}

/// A number, the same with a plus, and its JID are one recipient.
#[tokio::test]
async fn a_recipient_may_be_written_in_several_ways() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let ways = [
                peer.phone.clone(),
                format!("+{}", peer.phone),
                peer.jid.clone(),
            ];
            for to in &ways {
                let send = SendRequest::text(to, to);
                world.api(0).send(&session.id, &send).await?.expect(200)?;
            }
            let messages = world.sandbox().wait_for_messages(&peer.phone, 3).await?;
            let texts: Vec<_> = messages.iter().map(|message| message.text()).collect();
            assert_eq!(texts, ways);
            Ok(())
        })
        .await
}

/// What a message quotes and whom it mentions reaches the peer.
#[tokio::test]
async fn a_reply_with_mentions_carries_both() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let first = SendRequest::text(&peer.phone, "a question");
            let first = world.api(0).send(&session.id, &first).await?.expect(200)?;
            let quoted = first.text("waMessageId")?;
            let reply = SendRequest::text(&peer.phone, "an answer @15551000001")
                .with("replyTo", quoted.clone())
                .with("mentions", json!([peer.jid]));
            world.api(0).send(&session.id, &reply).await?.expect(200)?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 2).await?;
            let context = messages[1].context.clone().unwrap_or_default().to_string();
            assert!(context.contains(&quoted), "quotes {quoted}: {context}");
            assert!(
                context.contains(&peer.jid),
                "mentions {}: {context}",
                peer.jid
            );
            Ok(())
        })
        .await
}

/// The longest text there may be arrives whole.
#[tokio::test]
async fn a_text_of_65536_characters_arrives_whole() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let text = "é".repeat(65_536);
            let send = SendRequest::text(&peer.phone, &text);
            world.api(0).send(&session.id, &send).await?.expect(200)?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 1).await?;
            assert!(messages[0].text() == text, "the text is the same");
            Ok(())
        })
        .await
}

/// A session that is not connected refuses at once, and the refusal leaves nothing behind.
#[tokio::test]
async fn a_session_that_is_not_connected_is_unavailable() -> Result<()> {
    World::builder()
        .run(async |world| {
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let session = api.create_session("not paired", 0, 0).await?;
            api.wait_for_session(&session, "scan_qr_code").await?;
            let send = SendRequest::text(&peer.phone, "now or never").key("unused");
            let answer = api.send(&session, &send).await?.expect(503)?;
            assert_eq!(answer.error_code(), "gateway_unavailable");
            assert_eq!(answer.error_reason(), "session_not_connected");
            assert!(answer.header("retry-after").is_some());
            assert_eq!(api.whole_outbox(&session).await?.len(), 0);
            Ok(())
        })
        .await
}
