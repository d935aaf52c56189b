//! What is quoted and forwarded of a message that was edited, and what is left of one that was
//! taken back.

use anyhow::Result;
use gateway_tests::client::SendRequest;
use gateway_tests::world::{Peer, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::operations::Stage;

impl Stage {
    /// Quotes a message and forwards it, and the people see it say this.
    async fn says(&self, other: &Peer, id: &str, text: &str) -> Result<()> {
        let reply = json!({
            "type": "text", "text": "see?", "to": self.peer.jid, "replyTo": id,
        });
        let reply = self
            .api
            .send(&self.session.id, &SendRequest::body(reply))
            .await?
            .expect(200)?
            .text("waMessageId")?;
        let seen = self
            .sandbox
            .wait_for_message(&self.peer.phone, &reply)
            .await?;
        let context = seen.context.unwrap_or_default();
        let quoted: String = text.chars().take(256).collect();
        assert_eq!(context["quoted"]["content"], quoted, "{context:#}");
        let forward = self
            .ask(
                Method::POST,
                &format!("{id}/forward"),
                json!({ "to": other.jid }),
            )
            .await?
            .expect(200)?
            .text("waMessageId")?;
        let seen = self
            .sandbox
            .wait_for_message(&other.phone, &forward)
            .await?;
        assert_eq!(seen.text(), text);
        Ok(())
    }

    /// Nothing can be done with a message any more.
    async fn is_gone(&self, id: &str) -> Result<()> {
        let chat = &self.peer.jid;
        for (method, rest, body) in [
            (Method::POST, "/reaction", json!({ "emoji": "👍" })),
            (Method::DELETE, "/reaction", json!({})),
            (Method::POST, "/vote", json!({ "options": [] })),
            (Method::POST, "/forward", json!({ "to": chat })),
            (Method::PATCH, "", json!({ "text": "x" })),
            (Method::DELETE, "", json!({})),
            (Method::DELETE, "", json!({ "chat": chat })),
        ] {
            let answer = self
                .ask(method.clone(), &format!("{id}{rest}"), body)
                .await?;
            let answer = answer.expect(404)?;
            assert_eq!(answer.error_code(), "not_found", "{method} {rest}");
        }
        Ok(())
    }
}

#[tokio::test]
async fn what_was_edited_is_quoted_and_forwarded_as_it_is_now() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let other = world.create_peer().await?;
            let long = "as long as it gets ".repeat(100);
            let own = stage.sent(json!({"type": "text", "text": "helo"})).await?;
            let (theirs, _) = stage
                .received(json!({"type": "text", "text": "helo"}))
                .await?;
            for text in ["hello", &long, "short again"] {
                let body = json!({ "chat": stage.peer.jid, "text": text });
                stage.ask(Method::PATCH, &own, body).await?.expect(200)?;
                stage.says(&other, &own, text).await?;
                let edit = json!({ "type": "edit", "target": theirs, "text": text });
                stage.received(edit).await?;
                stage.says(&other, &theirs, text).await?;
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn nothing_can_be_done_with_a_message_that_was_taken_back() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            for kind in [
                json!({ "type": "text", "text": "hello" }),
                json!({ "type": "poll", "name": "?", "options": ["a", "b"] }),
            ] {
                let own = stage.sent(kind.clone()).await?;
                let path = format!("/sessions/{}/messages/{own}", stage.session.id);
                let revoke = || {
                    let request = stage.api.request(Method::DELETE, &path);
                    let key = format!("once-{own}");
                    stage.api.call(request.header("Idempotency-Key", key))
                };
                revoke().await?.expect(200)?;
                stage.is_gone(&own).await?;
                // The same request once more is still the one that was done.
                let again = revoke().await?.expect(200)?;
                assert_eq!(again.at("replayed"), &json!(true));

                let (theirs, _) = stage.received(kind).await?;
                let revoke = json!({ "type": "revoke", "target": theirs });
                stage.received(revoke).await?;
                stage.is_gone(&theirs).await?;
                // Nobody in the chat can see what a reply to it would quote.
                let reply = json!({
                    "type": "text", "text": "what was it?", "to": stage.peer.jid,
                    "replyTo": theirs,
                });
                let reply = SendRequest::body(reply);
                let refused = stage.api.send(&stage.session.id, &reply).await?;
                assert_eq!(refused.expect(404)?.error_reason(), "revoked");
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_admin_takes_back_what_somebody_else_wrote_in_a_group() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let eve = world.create_peer().await?;
            let group = json!({
                "subject": "Walks", "creator": stage.peer.phone,
                "members": [stage.session.phone, eve.phone],
            });
            let group = stage.sandbox.create_group(&group).await?;
            let group = group["jid"].as_str().unwrap_or_default();
            let write = async |who: &Peer, mut body: Value| {
                body["to"] = json!(group);
                let id = stage.sandbox.send(&who.phone, &body).await?;
                let emitted = stage.events.wait_for("what was written", |event| {
                    event.text("waMessageId") == id && event.text("chatJid") == group
                });
                emitted.await?;
                anyhow::Ok(id)
            };
            let react = async |id: &str| {
                let body = json!({ "chat": group, "emoji": "👍" });
                stage
                    .ask(Method::POST, &format!("{id}/reaction"), body)
                    .await
            };
            let eves = write(&eve, json!({ "type": "text", "text": "hello" })).await?;
            react(&eves).await?.expect(200)?;
            let held = stage.sandbox.wait_for_message(&stage.peer.phone, &eves);
            held.await?;
            write(&stage.peer, json!({ "type": "revoke", "target": eves })).await?;
            react(&eves).await?.expect(404)?;
            Ok(())
        })
        .await
}
