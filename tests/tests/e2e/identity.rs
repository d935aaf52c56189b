//! One person, two names: a number and a LID are one chat to the gateway.

use anyhow::Result;
use gateway_tests::client::{Fault, SendRequest};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::json;

use crate::operations::Stage;

/// WhatsApp cannot take the first of two at once; the second, by the other name, waits for it.
#[tokio::test]
async fn order_is_kept_between_a_number_and_a_lid_under_a_fault() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let (session, peer) = (&stage.session.id, &stage.peer);
            // Whoever was written to once is known by both names.
            stage.sent(json!({"type": "text", "text": "hello"})).await?;
            let mut texts = vec!["hello".to_owned()];
            for (round, names) in [[&peer.jid, &peer.lid], [&peer.lid, &peer.jid]]
                .iter()
                .enumerate()
            {
                stage.sandbox.fault(Fault::nack(500, 1)).await?;
                for (name, to) in ["A", "B"].iter().zip(names) {
                    let text = format!("{name}{round}");
                    let send = SendRequest::text(to, &text).asynchronous();
                    let answer = stage.api.send(session, &send).await?.expect(202)?;
                    assert_eq!(answer.text("pn")?, peer.jid);
                    assert_eq!(answer.text("lid")?, peer.lid);
                    texts.push(text);
                }
                stage
                    .sandbox
                    .wait_for_messages(&peer.phone, texts.len())
                    .await?;
            }
            let shown = stage.sandbox.all_messages(&peer.phone).await?;
            let shown: Vec<_> = shown.iter().map(|message| message.text()).collect();
            assert_eq!(shown, texts);

            // One chat to filters as well, and events have both names.
            for chat in [&peer.jid, &peer.lid] {
                let path = format!("/sessions/{session}/outbox?chat={chat}");
                let page = stage.api.get(&path).await?.expect(200)?;
                let entries = page.at("data").as_array().cloned().unwrap_or_default();
                assert_eq!(entries.len(), texts.len(), "{chat}");
                for entry in entries {
                    assert_eq!(entry["pn"], peer.jid);
                    assert_eq!(entry["lid"], peer.lid);
                }
            }
            let last = stage
                .events
                .wait_for("the last status", |event| {
                    event.kind() == "message.status"
                        && event.0["payload"]["chatJid"] == peer.jid
                        && event.0["payload"]["status"] == "sent"
                        && event.0["payload"]["lid"] == peer.lid
                })
                .await?;
            assert_eq!(last.0["payload"]["pn"], peer.jid);
            Ok(())
        })
        .await
}

/// Every operation, and a quote, locates a message by the name that it was not sent to.
#[tokio::test]
async fn operations_and_quotes_work_by_either_name() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let lid = stage.peer.lid.clone();
            let own = stage.sent(json!({"type": "text", "text": "own"})).await?;
            let poll = json!({"type": "poll", "name": "?", "options": ["a", "b"]});
            let poll = stage.sent(poll).await?;
            let (theirs, _) = stage
                .received(json!({"type": "text", "text": "theirs"}))
                .await?;
            for (method, rest, body) in [
                (
                    Method::POST,
                    format!("{own}/reaction"),
                    json!({"chat": lid, "emoji": "👍"}),
                ),
                (
                    Method::DELETE,
                    format!("{own}/reaction"),
                    json!({"chat": lid}),
                ),
                (
                    Method::POST,
                    format!("{theirs}/reaction"),
                    json!({"chat": lid, "sender": lid, "emoji": "👍"}),
                ),
                (
                    Method::POST,
                    format!("{theirs}/reaction"),
                    json!({"chat": stage.peer.jid, "sender": lid, "emoji": "❤️"}),
                ),
                (
                    Method::POST,
                    format!("{poll}/vote"),
                    json!({"chat": lid, "options": ["a"]}),
                ),
                (
                    Method::POST,
                    format!("{own}/forward"),
                    json!({"chat": lid, "to": lid}),
                ),
                (
                    Method::PATCH,
                    own.clone(),
                    json!({"chat": lid, "text": "edited"}),
                ),
            ] {
                let answer = stage.ask(method.clone(), &rest, body).await?;
                assert_eq!(
                    answer.expect(200)?.text("status")?,
                    "sent",
                    "{method} {rest}"
                );
            }
            let edited = |message: &gateway_tests::client::PeerMessage| message.edited.is_some();
            stage.shows(&own, "the edit", edited).await?;
            for id in [&own, &theirs] {
                let reply = json!({"type": "text", "text": "so", "to": lid, "replyTo": id});
                let reply = stage
                    .api
                    .send(&stage.session.id, &SendRequest::body(reply))
                    .await?
                    .expect(200)?;
                let shown = stage
                    .sandbox
                    .wait_for_message(&stage.peer.phone, &reply.text("waMessageId")?)
                    .await?;
                let context = shown.context.unwrap_or_default();
                assert_eq!(context["quoted"]["id"], json!(id), "{context:#}");
                assert!(context["quoted"].get("remoteJid").is_none(), "{context:#}");
            }
            let revoked = stage
                .ask(Method::DELETE, &own, json!({"chat": lid}))
                .await?;
            revoked.expect(200)?;
            // What was taken back can be quoted no more, and an id that nobody knows says nothing.
            for (id, status) in [(own.as_str(), 404), ("3EB0FFFFFFFFFFFFFFFFFF", 200)] {
                let reply = json!({"type": "text", "text": "so", "to": lid, "replyTo": id});
                let answer = stage
                    .api
                    .send(&stage.session.id, &SendRequest::body(reply))
                    .await?
                    .expect(status)?;
                if status == 200 {
                    let id = answer.text("waMessageId")?;
                    let shown = stage
                        .sandbox
                        .wait_for_message(&stage.peer.phone, &id)
                        .await?;
                    let context = shown.context.unwrap_or_default();
                    assert!(context["quoted"]["participant"].is_null(), "{context:#}");
                    assert!(context["quoted"]["content"].is_null(), "{context:#}");
                } else {
                    assert_eq!(answer.at("error/details/reason"), "revoked");
                }
            }
            Ok(())
        })
        .await
}
