//! Operations on messages: what each asks of the worker, and each error of the contract.

mod edits;
mod forwards;
mod reactions;
mod votes;

use gateway_shared::domain::{Content, KnownMessage, Limits, SendFailure, SessionStatus};
use gateway_shared::lane::{Attempt, ClaimedSend, OutboxFilter, SessionRef};
use gateway_shared::redis::keys::{PARTITION, key};
use redis::AsyncCommands;
use reqwest::Method;
use serde_json::{Value, json};

use crate::owner::Owner;
use crate::world::{Answer, World, answer, eventually, now};

const BOB: &str = "6281234567890@s.whatsapp.net";
const BOB_LID: &str = "300@lid";
const GROUP: &str = "120363021234567890@g.us";

/// A working session with its owner.
struct Stage {
    world: World,
    session: SessionRef,
    owner: Owner,
}

impl Stage {
    async fn set() -> Self {
        let world = World::start().await;
        let session = world.session().await;
        let owner = Owner::take(&world, &session).await;
        Self {
            world,
            session,
            owner,
        }
    }

    fn path(&self, rest: &str) -> String {
        format!("/sessions/{}/messages{rest}", self.session.session)
    }

    async fn ask(&self, method: Method, rest: &str, body: &Value) -> Answer {
        answer(self.world.request(method, &self.path(rest)).json(body)).await
    }

    /// Asks, has the owner send what comes of it, and returns both.
    async fn done(&self, method: Method, rest: &str, body: &Value) -> (Answer, ClaimedSend) {
        let asked = self.world.request(method, &self.path(rest)).json(body);
        let asked = tokio::spawn(answer(asked));
        let claimed = self.owner.claim_some().await;
        self.owner.sent(&claimed[0].id).await;
        let got = asked.await.unwrap();
        assert_eq!(
            (got.status.as_u16(), got.text("status")),
            (200, "sent".into())
        );
        assert_eq!(got.text("mode"), "sync");
        assert_eq!(got.text("waMessageId"), claimed[0].wa_message_id);
        (got, claimed.into_iter().next().unwrap())
    }

    /// Sends a message and returns its id.
    async fn sent(&self, body: Value) -> String {
        let asked = self.ask(Method::POST, "?async=true", &body).await;
        assert_eq!(asked.status, 202, "{asked:?}");
        let claimed = self.owner.claim_some().await;
        self.owner.sent(&claimed[0].id).await;
        asked.text("waMessageId")
    }

    async fn sent_text(&self, to: &str) -> String {
        self.sent(json!({"type": "text", "to": to, "text": "hello"}))
            .await
    }

    /// Has the session hear a message of somebody's.
    async fn received(&self, id: &str, chat: &str, kind: &str, payload: Value) {
        let mut known = KnownMessage::new(chat, kind, now(), "hello");
        known.sender = Some(BOB_LID.into());
        known.sender_alt = Some(BOB.into());
        if chat == BOB_LID {
            known.chat_alt = Some(BOB.into());
        }
        self.owner.hears(&self.world, id, known, payload).await;
    }
}

fn not_found(got: &Answer) {
    assert_eq!(
        (got.status.as_u16(), got.code()),
        (404, "not_found"),
        "{got:?}"
    );
}

fn invalid(got: &Answer, field: &str) {
    assert_eq!(
        (got.status.as_u16(), got.code()),
        (400, "validation_error"),
        "{got:?}"
    );
    let errors = got.body["error"]["details"]["errors"].as_array().unwrap();
    assert!(
        errors.iter().any(|error| error["field"] == field),
        "{got:?}"
    );
}

#[tokio::test]
async fn a_message_is_found_by_either_name_and_by_nothing_wrong() {
    let stage = Stage::set().await;
    stage.received("M", BOB_LID, "text", json!({})).await;
    for (chat, sender) in [
        (json!(GROUP), Value::Null),
        (json!(BOB), json!("")),
        (json!(BOB), json!("6289999999999")),
    ] {
        let body = json!({"emoji": "👍", "chat": chat, "sender": sender});
        not_found(&stage.ask(Method::POST, "/M/reaction", &body).await);
    }
    not_found(
        &stage
            .ask(Method::POST, "/X/reaction", &json!({"emoji": "👍"}))
            .await,
    );
    for (chat, to) in [
        (json!(BOB), BOB),
        (json!(BOB_LID), BOB_LID),
        (Value::Null, BOB_LID),
    ] {
        let body = json!({"emoji": "👍", "chat": chat, "sender": BOB});
        let (_, send) = stage.done(Method::POST, "/M/reaction", &body).await;
        assert_eq!(send.to.as_str(), to);
    }
    // Another session does not know it, nor does another organization.
    let other = stage.world.session().await;
    let path = format!("/sessions/{}/messages/M/reaction", other.session);
    let body = json!({"emoji": "👍"});
    not_found(&answer(stage.world.request(Method::POST, &path).json(&body)).await);
    let (_, key) = stage.world.stranger("others").await;
    let path = format!("/api/v1{}", stage.path("/M/reaction"));
    let request = stage.world.api(0, Method::POST, &path);
    not_found(&answer(request.header("x-api-key", key).json(&body)).await);
}

#[tokio::test]
async fn own_messages_can_be_revoked_and_in_groups_those_of_others() {
    let stage = Stage::set().await;
    let own = stage.sent_text(BOB).await;
    let body = json!({"chat": BOB, "sender": ""});
    let (_, send) = stage.done(Method::DELETE, &format!("/{own}"), &body).await;
    let Ok(Content::Revoke { target }) = &send.content else {
        panic!("{:?}", send.content);
    };
    assert!(target.is_own());
    stage.received("GROUPS", GROUP, "image", json!({})).await;
    let body = json!({"chat": GROUP, "sender": BOB_LID});
    let (_, send) = stage.done(Method::DELETE, "/GROUPS", &body).await;
    let Ok(Content::Revoke { target }) = &send.content else {
        panic!("{:?}", send.content);
    };
    assert_eq!(target.sender.as_deref(), Some(BOB_LID));
    stage.received("DIRECT", BOB_LID, "text", json!({})).await;
    invalid(
        &stage.ask(Method::DELETE, "/DIRECT", &json!({})).await,
        "mid",
    );
    not_found(&stage.ask(Method::DELETE, "/NONE", &json!({})).await);
}

#[tokio::test]
async fn a_message_that_came_to_nothing_is_not_found() {
    let stage = Stage::set().await;
    let text = json!({"type": "text", "to": BOB, "text": "hello"});
    let asked = stage.ask(Method::POST, "?async=true", &text).await;
    let id = asked.text("waMessageId");
    let claimed = stage.owner.claim_some().await;
    let refused = SendFailure::refused(479);
    stage
        .owner
        .settle(&claimed[0].id, Attempt::Dead(refused))
        .await;
    let body = json!({"emoji": "👍"});
    not_found(
        &stage
            .ask(Method::POST, &format!("/{id}/reaction"), &body)
            .await,
    );
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_was_whatever_has_become_of_the_message() {
    let stage = Stage::set().await;
    let own = stage.sent_text(BOB).await;
    let keyed = |text: &str| {
        let request = stage
            .world
            .request(Method::PATCH, &stage.path(&format!("/{own}")));
        request
            .header("idempotency-key", "k")
            .json(&json!({ "text": text }))
    };
    let asked = tokio::spawn(answer(keyed("better")));
    let claimed = stage.owner.claim_some().await;
    stage.owner.sent(&claimed[0].id).await;
    let first = asked.await.unwrap();
    assert_eq!(first.body["replayed"], false);
    let root = stage.world.store.keys.partition(&stage.world.organization);
    let pages = key(
        PARTITION,
        &root,
        "messages",
        &[stage.session.session.as_str(), "1"],
    );
    let gone: u32 = stage
        .world
        .store
        .connection
        .clone()
        .del(pages)
        .await
        .unwrap();
    assert_eq!(gone, 1, "the index is forgotten");
    let again = answer(keyed("better")).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["replayed"]),
        (200, &json!(true))
    );
    assert_eq!(again.body["waMessageId"], first.body["waMessageId"]);
    let other = answer(keyed("worse")).await;
    assert_eq!(
        (other.status.as_u16(), other.reason()),
        (409, "idempotency_key_reused")
    );
    not_found(
        &stage
            .ask(Method::PATCH, &format!("/{own}"), &json!({"text": "x"}))
            .await,
    );
}

#[tokio::test]
async fn operations_spend_the_same_budget_and_want_the_same_connection() {
    let world = World::start().await;
    let limits = Limits {
        rate_per_min: 2,
        rate_per_hour: 0,
    };
    let session = world.session_of(&world.organization, limits).await;
    let owner = Owner::take(&world, &session).await;
    let mut known = KnownMessage::new(GROUP, "text", now(), "hello");
    known.sender = Some(BOB_LID.into());
    owner.hears(&world, "M", known, json!({})).await;
    let path = format!("/sessions/{}/messages/M/reaction", session.session);
    let react = || {
        answer(
            world
                .request(Method::POST, &path)
                .json(&json!({"emoji": "👍"})),
        )
    };
    let waiting = [tokio::spawn(react()), tokio::spawn(react())];
    let filter = OutboxFilter {
        limit: 10,
        ..OutboxFilter::default()
    };
    eventually("both wait", async || {
        let (entries, _) = world.lanes.list(&session, &filter).await.ok()?;
        (entries.len() == 2).then_some(())
    })
    .await;
    let got = react().await;
    assert_eq!((got.status.as_u16(), got.code()), (429, "rate_limited"));
    for send in owner.claim().await {
        owner.sent(&send.id).await;
    }
    for send in owner.claim().await {
        owner.sent(&send.id).await;
    }
    for asked in waiting {
        assert_eq!(asked.await.unwrap().status, 200);
    }
    owner.report(&world, SessionStatus::Starting, &[]).await;
    let got = react().await;
    assert_eq!(
        (got.status.as_u16(), got.reason()),
        (503, "session_not_connected")
    );
}
