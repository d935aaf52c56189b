//! Operations on messages: what each asks of the worker, and each error of the contract.

use gateway_shared::clock::Millis;
use gateway_shared::domain::{
    Content, KnownMessage, Limits, Poll, PollKey, SendFailure, SessionStatus,
};
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
const MINUTE: Millis = 60_000;

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
    async fn heard(&self, id: &str, chat: &str, kind: &str, payload: Value) {
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
async fn a_reaction_is_set_and_taken_back() {
    let stage = Stage::set().await;
    stage.heard("THEIRS", GROUP, "text", json!({})).await;
    let body = json!({"chat": GROUP, "sender": BOB, "emoji": "👍🏽"});
    let (_, send) = stage.done(Method::POST, "/THEIRS/reaction", &body).await;
    assert_eq!(send.to.as_str(), GROUP);
    let Ok(Content::Reaction { target, emoji }) = &send.content else {
        panic!("{:?}", send.content);
    };
    assert_eq!((target.id.as_str(), emoji.as_str()), ("THEIRS", "👍🏽"));
    assert_eq!(target.sender.as_deref(), Some(BOB_LID));

    // Whatever emoji is given is ignored, and so may be the whole body.
    for body in [json!({"emoji": 7}), json!({})] {
        let (_, send) = stage.done(Method::DELETE, "/THEIRS/reaction", &body).await;
        let Ok(Content::Reaction { emoji, .. }) = &send.content else {
            panic!("{:?}", send.content);
        };
        assert_eq!(emoji, "");
    }
    let own = stage.sent_text(BOB).await;
    let body = json!({"chat": BOB, "sender": "", "emoji": "❤"});
    let (_, send) = stage
        .done(Method::POST, &format!("/{own}/reaction"), &body)
        .await;
    let Ok(Content::Reaction { target, .. }) = &send.content else {
        panic!("{:?}", send.content);
    };
    assert!(target.is_own());
}

#[tokio::test]
async fn a_reaction_is_exactly_one_emoji() {
    let stage = Stage::set().await;
    stage.heard("M", GROUP, "text", json!({})).await;
    for emoji in [json!(""), json!("a"), json!("👍👍"), json!(1), Value::Null] {
        let got = stage
            .ask(Method::POST, "/M/reaction", &json!({ "emoji": emoji }))
            .await;
        invalid(&got, "emoji");
    }
    let body = json!({"emoji": "👍", "chat": "nowhere", "sender": GROUP, "other": 1});
    let got = stage.ask(Method::POST, "/M/reaction", &body).await;
    for field in ["chat", "sender", "other"] {
        invalid(&got, field);
    }
}

#[tokio::test]
async fn a_message_is_found_by_either_name_and_by_nothing_wrong() {
    let stage = Stage::set().await;
    stage.heard("M", BOB_LID, "text", json!({})).await;
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
async fn a_vote_is_the_complete_set() {
    let stage = Stage::set().await;
    let poll = |count: u32| {
        json!({"type": "poll", "to": GROUP, "name": "?", "options": ["a", "b", "c"],
            "selectableCount": count})
    };
    let single = stage.sent(poll(1)).await;
    let two = stage.sent(poll(2)).await;
    let any = stage.sent(poll(0)).await;
    for (id, options) in [
        (&single, json!(["b"])),
        (&two, json!(["a", "c"])),
        (&any, json!(["a", "b", "c"])),
        (&any, json!([])),
        (&any, Value::Null),
    ] {
        let body = json!({"options": options});
        let (_, send) = stage
            .done(Method::POST, &format!("/{id}/vote"), &body)
            .await;
        let Ok(Content::Vote {
            target,
            key,
            options: chosen,
        }) = &send.content
        else {
            panic!("{:?}", send.content);
        };
        assert!(target.is_own());
        assert_eq!(key.options, ["a", "b", "c"]);
        assert_eq!(
            json!(chosen),
            options.as_array().map_or(json!([]), |all| json!(all))
        );
    }
    for (id, options, field) in [
        (&single, json!(["a", "b"]), "options"),
        (&two, json!(["a", "b", "c"]), "options"),
        (&any, json!(["a", "x"]), "options[1]"),
        (&any, json!(["a", "a"]), "options[1]"),
        (&any, json!("a"), "options"),
    ] {
        let body = json!({ "options": options });
        invalid(
            &stage.ask(Method::POST, &format!("/{id}/vote"), &body).await,
            field,
        );
    }
    let text = stage.sent_text(GROUP).await;
    let body = json!({"options": []});
    invalid(
        &stage
            .ask(Method::POST, &format!("/{text}/vote"), &body)
            .await,
        "mid",
    );
    not_found(&stage.ask(Method::POST, "/NONE/vote", &json!({})).await);
}

#[tokio::test]
async fn a_vote_in_a_poll_of_somebody_else_has_its_secret() {
    let stage = Stage::set().await;
    let content = Content::Poll {
        poll: Poll {
            name: "?".into(),
            options: vec!["x".into(), "y".into()],
            selectable_count: 1,
            secret: None,
        },
        context: Default::default(),
    };
    let Content::Poll { poll, .. } = content.sealed().into_owned() else {
        panic!("a poll stays one");
    };
    let key = PollKey::of(&poll).unwrap();
    let mut known = KnownMessage::new(BOB_LID, "poll", now(), "?");
    known.sender = Some(BOB_LID.into());
    known.poll = Some(key.clone());
    stage
        .owner
        .hears(&stage.world, "POLL", known, json!({}))
        .await;
    let body = json!({"sender": BOB_LID, "options": ["y"]});
    let (_, send) = stage.done(Method::POST, "/POLL/vote", &body).await;
    let Ok(Content::Vote {
        target, key: used, ..
    }) = &send.content
    else {
        panic!("{:?}", send.content);
    };
    assert_eq!(target.sender.as_deref(), Some(BOB_LID));
    assert_eq!(used, &key);
}

#[tokio::test]
async fn only_own_texts_can_be_edited() {
    let stage = Stage::set().await;
    let own = stage.sent_text(BOB).await;
    let body = json!({"chat": BOB, "text": "better"});
    let (_, send) = stage.done(Method::PATCH, &format!("/{own}"), &body).await;
    let Ok(Content::Edit { target, text }) = &send.content else {
        panic!("{:?}", send.content);
    };
    assert_eq!(
        (target.id.as_str(), text.as_str()),
        (own.as_str(), "better")
    );

    for text in [json!(""), Value::Null] {
        let body = json!({ "text": text });
        invalid(
            &stage.ask(Method::PATCH, &format!("/{own}"), &body).await,
            "text",
        );
    }
    let poll = json!({"type": "poll", "to": BOB, "name": "?", "options": ["a", "b"]});
    let poll = stage.sent(poll).await;
    let body = json!({"text": "x"});
    invalid(
        &stage.ask(Method::PATCH, &format!("/{poll}"), &body).await,
        "mid",
    );
    stage.heard("THEIRS", BOB_LID, "text", json!({})).await;
    not_found(&stage.ask(Method::PATCH, "/THEIRS", &body).await);
    let mut phone = KnownMessage::new(BOB, "text", now(), "from the phone");
    phone.elsewhere = true;
    stage
        .owner
        .hears(&stage.world, "PHONE", phone, json!({}))
        .await;
    not_found(&stage.ask(Method::PATCH, "/PHONE", &body).await);
}

/// The window begins when WhatsApp took the message, however long it had waited.
#[tokio::test]
async fn a_text_can_be_edited_for_fifteen_minutes() {
    let stage = Stage::set().await;
    let text = json!({"type": "text", "to": BOB, "text": "hello"});
    let sent_before = async |minutes: Millis| {
        let asked = stage.ask(Method::POST, "?async=true", &text).await;
        let claimed = stage.owner.claim_some().await;
        stage.owner.sent(&claimed[0].id).await;
        // As if it had been sent so long ago, and accepted long before.
        let at = now() - minutes * MINUTE;
        let hist = format!("queued:{},sending:{at},sent:{at}", at - 60 * MINUTE);
        let root = stage.world.store.keys.partition(&stage.world.organization);
        let entry = key(PARTITION, &root, "outbox", &[claimed[0].id.as_str()]);
        let mut connection = stage.world.store.connection.clone();
        let _: () = connection.hset(entry, "hist", hist).await.unwrap();
        asked.text("waMessageId")
    };
    let late = sent_before(16).await;
    let body = json!({"text": "x"});
    invalid(
        &stage.ask(Method::PATCH, &format!("/{late}"), &body).await,
        "mid",
    );
    let early = sent_before(14).await;
    stage.done(Method::PATCH, &format!("/{early}"), &body).await;
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
    stage.heard("GROUPS", GROUP, "image", json!({})).await;
    let body = json!({"chat": GROUP, "sender": BOB_LID});
    let (_, send) = stage.done(Method::DELETE, "/GROUPS", &body).await;
    let Ok(Content::Revoke { target }) = &send.content else {
        panic!("{:?}", send.content);
    };
    assert_eq!(target.sender.as_deref(), Some(BOB_LID));
    stage.heard("DIRECT", BOB_LID, "text", json!({})).await;
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
async fn what_is_forwarded_is_marked_and_whole() {
    let stage = Stage::set().await;
    let forwarded = async |id: &str| {
        let rest = format!("/{id}/forward");
        let (_, send) = stage.done(Method::POST, &rest, &json!({"to": GROUP})).await;
        assert_eq!(send.to.as_str(), GROUP);
        (send.wa_message_id, send.content.unwrap())
    };
    // Our own text, and what was forwarded once more.
    let long = "x".repeat(1_000);
    let own = stage
        .sent(json!({"type": "text", "to": BOB, "text": long, "replyTo": "Q"}))
        .await;
    let (again, content) = forwarded(&own).await;
    let Content::Text { text, context } = content else {
        panic!("no text");
    };
    assert_eq!(
        (text, context.forwarded, context.reply_to),
        (long.clone(), 1, None)
    );
    let (_, content) = forwarded(&again).await;
    assert_eq!(content.context().unwrap().forwarded, 2);

    // What others said, from the event that told it.
    let payload = json!({"type": "text", "text": long, "forwarded": 3});
    stage.heard("TEXT", BOB_LID, "text", payload).await;
    let (_, content) = forwarded("TEXT").await;
    let Content::Text { text, context } = content else {
        panic!("no text");
    };
    assert_eq!((text, context.forwarded), (long, 4));
    let payload = json!({"type": "poll", "poll":
        {"name": "?", "options": ["a", "b"], "selectableCount": 0}});
    stage.heard("POLL", BOB_LID, "poll", payload).await;
    let (_, content) = forwarded("POLL").await;
    let Content::Poll { poll, .. } = content else {
        panic!("no poll");
    };
    assert!(poll.secret.is_some() && poll.selectable_count == 0);
    let payload = json!({"type": "location", "location": {"latitude": 1.5, "longitude": 2.5}});
    stage.heard("PLACE", BOB_LID, "location", payload).await;
    let (_, content) = forwarded("PLACE").await;
    assert_eq!(content.kind(), "location");
    let payload = json!({"type": "contact", "contact": {"name": "A", "vcard": "BEGIN:VCARD"}});
    stage.heard("CARD", BOB_LID, "contact", payload).await;
    let (_, content) = forwarded("CARD").await;
    assert_eq!(content.kind(), "contact");
}

#[tokio::test]
async fn what_can_not_be_forwarded_says_why() {
    let stage = Stage::set().await;
    let to = json!({"to": BOB});
    stage.heard("IMAGE", BOB_LID, "image", json!({})).await;
    let got = stage.ask(Method::POST, "/IMAGE/forward", &to).await;
    assert_eq!((got.status.as_u16(), got.reason()), (501, "type_not_built"));
    stage.heard("OTHER", BOB_LID, "other", json!({})).await;
    invalid(&stage.ask(Method::POST, "/OTHER/forward", &to).await, "mid");
    invalid(
        &stage.ask(Method::POST, "/IMAGE/forward", &json!({})).await,
        "to",
    );
    not_found(&stage.ask(Method::POST, "/NONE/forward", &to).await);
    // The event is gone, and the index has but an excerpt.
    let mut known = KnownMessage::new(BOB_LID, "text", now(), &"x".repeat(1_000));
    known.sender = Some(BOB_LID.into());
    stage
        .owner
        .hears(&stage.world, "GONE", known, json!({}))
        .await;
    let stream = format!(
        "{}:ev",
        stage.world.store.keys.partition(&stage.world.organization)
    );
    let _: () = stage
        .world
        .store
        .connection
        .clone()
        .del(stream)
        .await
        .unwrap();
    let got = stage.ask(Method::POST, "/GONE/forward", &to).await;
    assert_eq!(
        (got.status.as_u16(), got.reason()),
        (409, "content_not_kept")
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
    for send in owner.claim_within(limits).await {
        owner.sent(&send.id).await;
    }
    for send in owner.claim_within(limits).await {
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
