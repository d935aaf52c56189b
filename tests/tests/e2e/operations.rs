//! Operations on messages, as the other side sees them.

use anyhow::Result;
use gateway_tests::client::{Answer, ApiClient, Event, EventStream, SendRequest, eventually};
use gateway_tests::world::{PairedSession, Peer, World};
use reqwest::Method;
use serde_json::{Value, json};

/// A session, a person, and what happens between them.
pub(crate) struct Stage {
    pub(crate) session: PairedSession,
    pub(crate) peer: Peer,
    pub(crate) api: ApiClient,
    pub(crate) events: EventStream,
    pub(crate) sandbox: gateway_tests::client::SandboxAdmin,
}

impl Stage {
    pub(crate) async fn set(world: &mut World) -> Result<Self> {
        Ok(Self {
            session: world.pair_session().await?,
            peer: world.create_peer().await?,
            api: world.api(0),
            events: world.api(0).events().await?,
            sandbox: world.sandbox(),
        })
    }

    pub(crate) async fn ask(&self, method: Method, rest: &str, body: Value) -> Result<Answer> {
        let path = format!("/sessions/{}/messages/{rest}", self.session.id);
        self.api
            .call(self.api.request(method, &path).json(&body))
            .await
    }

    /// Sends something to the person and returns its id.
    pub(crate) async fn sent(&self, mut body: Value) -> Result<String> {
        body["to"] = json!(self.peer.jid);
        let send = SendRequest::body(body);
        let answer = self.api.send(&self.session.id, &send).await?.expect(200)?;
        answer.text("waMessageId")
    }

    /// Has the person send something, and waits until the session has told it.
    pub(crate) async fn received(&self, mut body: Value) -> Result<(String, Event)> {
        body["to"] = json!(self.session.phone);
        let id = self.sandbox.send(&self.peer.phone, &body).await?;
        let event = self
            .events
            .wait_for("what the person did", |event| {
                event.kind() != "message.status" && event.text("waMessageId") == id
            })
            .await?;
        Ok((id, event))
    }

    /// Has the person write something, and waits until it is a `message`; gives its id.
    pub(crate) async fn received_message(&self, mut body: Value) -> Result<String> {
        body["to"] = json!(self.session.phone);
        let id = self.sandbox.send(&self.peer.phone, &body).await?;
        let is = |event: &Event| event.kind() == "message" && event.text("waMessageId") == id;
        self.events.wait_for("what the person wrote", is).await?;
        Ok(id)
    }

    /// Waits for what the person's phone shows of a message.
    pub(crate) async fn shows(
        &self,
        id: &str,
        what: &str,
        wanted: impl Fn(&gateway_tests::client::PeerMessage) -> bool,
    ) -> Result<()> {
        eventually(what, async || {
            let messages = self.sandbox.all_messages(&self.peer.phone).await?;
            let found = messages.iter().find(|message| message.id == id);
            Ok(found.is_some_and(&wanted).then_some(()))
        })
        .await
    }
}

/// A reaction on either side's message is set, replaced by another and taken back.
#[tokio::test]
async fn a_reaction_is_set_replaced_and_cleared() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let (theirs, _) = stage
                .received(json!({"type": "text", "text": "hello"}))
                .await?;
            let own = stage.sent(json!({"type": "text", "text": "hello"})).await?;
            for (id, sender) in [(&theirs, stage.peer.jid.clone()), (&own, String::new())] {
                for emoji in ["👍", "❤️"] {
                    let body = json!({"chat": stage.peer.jid, "sender": sender, "emoji": emoji});
                    let answer = stage
                        .ask(Method::POST, &format!("{id}/reaction"), body)
                        .await?;
                    let answer = answer.expect(200)?;
                    assert_eq!(answer.text("status")?, "sent");
                    let only = |reactions: &[Value]| {
                        reactions.len() == 1 && reactions[0]["emoji"] == emoji
                    };
                    stage
                        .shows(id, emoji, |message| only(&message.reactions))
                        .await?;
                    let outbox_id = answer.text("outboxId")?;
                    stage
                        .events
                        .wait_for_status(&outbox_id, "delivered")
                        .await?;
                }
                for _ in 0..2 {
                    let body = json!({"chat": stage.peer.jid, "sender": sender});
                    let rest = format!("{id}/reaction");
                    stage.ask(Method::DELETE, &rest, body).await?.expect(200)?;
                    stage
                        .shows(id, "no reaction", |message| message.reactions.is_empty())
                        .await?;
                }
            }
            Ok(())
        })
        .await
}

/// Votes in the person's poll and in our own: replaced, of several, taken back.
#[tokio::test]
async fn a_vote_is_resolved_by_the_person_to_texts() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let poll = |count: u32| {
                json!({"type": "poll", "name": "?", "options": ["a", "b", "c"],
                    "selectableCount": count})
            };
            let (theirs, event) = stage.received(poll(0)).await?;
            assert_eq!(event.kind(), "message");
            assert_eq!(
                event.0["payload"]["poll"]["options"],
                json!(["a", "b", "c"])
            );
            assert_eq!(event.0["payload"]["poll"]["selectableCount"], 0);
            assert_eq!(event.0["payload"]["poll"].get("secret"), None);
            let own = stage.sent(poll(2)).await?;
            for id in [&theirs, &own] {
                for options in [json!(["b"]), json!(["a", "c"]), json!([])] {
                    let body = json!({"chat": stage.peer.jid, "options": options});
                    let rest = format!("{id}/vote");
                    stage.ask(Method::POST, &rest, body).await?.expect(200)?;
                    stage
                        .shows(id, "the vote", |message| {
                            let chosen = message.votes.first().map(|vote| vote["options"].clone());
                            chosen.unwrap_or(json!([])) == options
                        })
                        .await?;
                }
            }
            for (id, options) in [
                (&own, json!(["a", "b", "c"])),
                (&own, json!(["x"])),
                (&theirs, json!(["a", "a"])),
            ] {
                let body = json!({"chat": stage.peer.jid, "options": options});
                let answer = stage.ask(Method::POST, &format!("{id}/vote"), body).await?;
                assert_eq!(answer.expect(400)?.error_code(), "validation_error");
            }
            Ok(())
        })
        .await
}

/// What the person votes, reacts, edits and revokes is told.
#[tokio::test]
async fn what_the_person_does_is_told() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let poll = json!({"type": "poll", "name": "?", "options": ["a", "b", "c"],
                "selectableCount": 0});
            let own_poll = stage.sent(poll.clone()).await?;
            stage.shows(&own_poll, "the poll", |_| true).await?;
            let (their_poll, _) = stage.received(poll).await?;
            for id in [&own_poll, &their_poll] {
                for options in [json!(["c", "a"]), json!([])] {
                    let vote = json!({"type": "vote", "target": id, "options": options});
                    let (_, event) = stage.received(vote).await?;
                    assert_eq!(event.kind(), "poll.vote");
                    assert_eq!(event.text("targetMessageId"), id);
                    let mut emitted = event.0["payload"]["poll_vote"]["options"].clone();
                    if let Some(emitted) = emitted.as_array_mut() {
                        emitted.reverse();
                    }
                    assert_eq!(emitted, options);
                }
            }
            let own = stage.sent(json!({"type": "text", "text": "hello"})).await?;
            stage.shows(&own, "the text", |_| true).await?;
            for emoji in ["🙏", ""] {
                let reaction = json!({"type": "reaction", "target": own, "emoji": emoji});
                let (_, event) = stage.received(reaction).await?;
                assert_eq!(event.kind(), "message.reaction");
                assert_eq!(event.text("targetMessageId"), own);
                assert_eq!(event.0["payload"]["reaction"]["emoji"], emoji);
            }
            let (theirs, _) = stage
                .received(json!({"type": "text", "text": "helo"}))
                .await?;
            let edit = json!({"type": "edit", "target": theirs, "text": "hello"});
            let (_, event) = stage.received(edit).await?;
            assert_eq!(event.kind(), "message.edited");
            assert_eq!(event.text("targetMessageId"), theirs);
            assert_eq!(event.text("text"), "hello");
            let (_, event) = stage
                .received(json!({"type": "revoke", "target": theirs}))
                .await?;
            assert_eq!(event.kind(), "message.revoked");
            assert_eq!(event.text("targetMessageId"), theirs);
            let place = json!({"type": "location", "latitude": 1.5, "longitude": 2.5, "name": "x"});
            let (_, event) = stage.received(place).await?;
            assert_eq!(event.text("type"), "location");
            assert_eq!(event.0["payload"]["location"]["latitude"], 1.5);
            let card = json!({"type": "contact", "name": "Jane", "phone": "6281234567"});
            let (_, event) = stage.received(card).await?;
            assert_eq!(event.0["payload"]["contact"]["name"], "Jane");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn an_edit_is_shown_as_an_edit_and_a_revoke_takes_the_message_away() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let own = stage.sent(json!({"type": "text", "text": "helo"})).await?;
            let body = json!({"chat": stage.peer.jid, "text": "hello"});
            stage.ask(Method::PATCH, &own, body).await?.expect(200)?;
            stage
                .shows(&own, "the edit", |message| {
                    message
                        .edited
                        .as_ref()
                        .is_some_and(|edited| edited["content"] == "hello")
                })
                .await?;
            let body = json!({"chat": stage.peer.jid});
            stage.ask(Method::DELETE, &own, body).await?.expect(200)?;
            stage
                .shows(&own, "the revoke", |message| message.revoked_by.is_some())
                .await?;

            let (theirs, _) = stage
                .received(json!({"type": "text", "text": "mine"}))
                .await?;
            let body = json!({"chat": stage.peer.jid, "text": "not mine"});
            stage.ask(Method::PATCH, &theirs, body).await?.expect(404)?;
            stage
                .ask(Method::DELETE, &theirs, json!({}))
                .await?
                .expect(400)?;
            let unknown = json!({"chat": stage.peer.jid, "text": "x"});
            stage
                .ask(Method::PATCH, "3EB0NONE", unknown)
                .await?
                .expect(404)?;
            Ok(())
        })
        .await
}

/// What is forwarded is the same, and marked.
#[tokio::test]
async fn what_is_forwarded_is_the_same_and_marked() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let other = world.create_peer().await?;
            let long = "x".repeat(3_000);
            for (id, kind) in [
                (
                    stage
                        .received(json!({"type": "text", "text": long}))
                        .await?
                        .0,
                    "text",
                ),
                (
                    stage.sent(json!({"type": "text", "text": long})).await?,
                    "text",
                ),
                (
                    stage
                        .received(json!({"type": "poll", "name": "?", "options": ["a", "b"]}))
                        .await?
                        .0,
                    "poll",
                ),
                (
                    stage
                        .received(json!({"type": "location", "latitude": 1.5, "longitude": 2.5}))
                        .await?
                        .0,
                    "location",
                ),
                (
                    stage
                        .received(json!({"type": "contact", "name": "Jane", "phone": "6281234567"}))
                        .await?
                        .0,
                    "contact",
                ),
            ] {
                let body = json!({"to": other.jid});
                let answer = stage
                    .ask(Method::POST, &format!("{id}/forward"), body)
                    .await?;
                let new = answer.expect(200)?.text("waMessageId")?;
                let message = stage.sandbox.wait_for_message(&other.phone, &new).await?;
                assert_eq!(message.kind, kind);
                if kind == "text" {
                    assert_eq!(message.text(), long);
                }
                let context = message.context.unwrap_or_default();
                assert_eq!(context["forwarded"], true, "{kind}");
            }
            Ok(())
        })
        .await
}

/// An operation has its key, its events and its place like any send, and a worker that dies in the
/// middle of it sends it once.
#[tokio::test]
async fn a_repeated_operation_is_one_operation() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let own = stage.sent(json!({"type": "text", "text": "hello"})).await?;
            let path = format!("/sessions/{}/messages/{own}/reaction", stage.session.id);
            let react = || {
                let request = stage.api.request(Method::POST, &path);
                let request = request.header("Idempotency-Key", "once");
                stage.api.call(request.json(&json!({"emoji": "👍"})))
            };
            let first = react().await?.expect(200)?;
            let again = react().await?.expect(200)?;
            assert_eq!(again.at("replayed"), &json!(true));
            assert_eq!(again.text("waMessageId")?, first.text("waMessageId")?);
            let id = first.text("waMessageId")?;
            let ledger = stage.sandbox.ledger(&stage.session.phone).await?;
            assert_eq!(ledger.iter().filter(|entry| entry.id == id).count(), 1);
            let outbox_id = first.text("outboxId")?;
            stage
                .events
                .wait_for_status(&outbox_id, "delivered")
                .await?;
            assert_eq!(
                stage.events.statuses(&outbox_id),
                ["queued", "sending", "sent", "delivered"]
            );
            let entry = stage.api.outbox(&stage.session.id, &outbox_id).await?;
            assert_eq!(entry["type"], "reaction");
            Ok(())
        })
        .await
}
