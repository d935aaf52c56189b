//! What a request must say, and what it may leave to us.

use reqwest::Method;
use serde_json::{Value, json};

use crate::owner::Owner;
use crate::world::{Answer, World, answer, now};

const TO: &str = "6281234567890";

fn fields(got: &Answer) -> Vec<String> {
    let errors = got.body["error"]["details"]["errors"].as_array();
    let field = |error: &Value| error["field"].as_str().unwrap().to_owned();
    errors.map_or_else(Vec::new, |errors| errors.iter().map(field).collect())
}

#[tokio::test]
async fn what_shows_nothing_is_no_text() {
    let world = World::start().await;
    let session = world.session().await;
    let ask = async |method, rest: &str, body: &Value| {
        let path = format!("/sessions/{}{rest}", session.session);
        answer(world.request(method, &path).json(body)).await
    };
    for blank in [
        "",
        " ",
        "\n\t",
        "\u{200b}",
        "\u{200b}\u{a0}\u{feff}",
        "\u{2800}",
        "\u{3164}",
    ] {
        for (method, rest, body, field) in [
            (
                Method::POST,
                "/messages",
                json!({"type": "text", "to": TO, "text": blank}),
                "text",
            ),
            (
                Method::POST,
                "/messages",
                json!({"type": "poll", "to": TO, "name": blank, "options": ["a", "b"]}),
                "name",
            ),
            (
                Method::POST,
                "/messages",
                json!({"type": "poll", "to": TO, "name": "?", "options": ["a", blank]}),
                "options[1]",
            ),
            (
                Method::POST,
                "/messages",
                json!({"type": "location", "to": TO, "latitude": 1, "longitude": 1, "name": blank}),
                "name",
            ),
            (
                Method::POST,
                "/messages",
                json!({"type": "contact", "to": TO, "contact": {"name": blank, "phone": TO}}),
                "contact.name",
            ),
            (Method::PATCH, "/messages/M", json!({"text": blank}), "text"),
            (
                Method::POST,
                "/groups",
                json!({"subject": blank}),
                "subject",
            ),
            (
                Method::PATCH,
                "/groups/1-2@g.us",
                json!({"subject": blank}),
                "subject",
            ),
        ] {
            let got = ask(method, rest, &body).await;
            assert_eq!(fields(&got), [field], "{body}: {got:?}");
        }
    }
    let got = ask(Method::POST, "/messages/M/vote", &json!({})).await;
    assert_eq!(fields(&got), ["options"], "{got:?}");
}

#[tokio::test]
async fn a_byte_order_mark_before_a_body_is_ignored() {
    let world = World::start().await;
    let session = world.session().await;
    let path = format!("/sessions/{}/messages?async=true", session.session);
    let body = format!("\u{feff}{}", json!({"type": "text", "to": TO, "text": "x"}));
    let request = world.request(Method::POST, &path);
    let got = answer(
        request
            .header("content-type", "application/json")
            .body(body),
    )
    .await;
    assert_eq!(got.status, 202, "{got:?}");
}

#[tokio::test]
async fn a_send_that_is_over_before_it_begins_is_refused() {
    let world = World::start().await;
    let session = world.session().await;
    let _owner = Owner::take(&world, &session).await;
    let ends = now() + 1_500;
    let ask = async |query: &str, ends: i64, key: &str| {
        let path = format!("/sessions/{}/messages{query}", session.session);
        let body = json!({"type": "text", "to": TO, "text": "x", "expiresAt": ends});
        let request = world.request(Method::POST, &path).json(&body);
        answer(request.header("idempotency-key", key)).await
    };
    for query in ["", "?async=true"] {
        let got = ask(query, now() - 5_000, "past").await;
        assert_eq!(fields(&got), ["expiresAt"], "{got:?}");
    }
    // The repeat of one that was in time is answered as the first was.
    let first = ask("?async=true", ends, "in-time").await;
    assert_eq!(first.status, 202, "{first:?}");
    let repeat = crate::world::eventually("its time is over", async || {
        let got = ask("?async=true", ends, "in-time").await;
        assert_eq!(got.text("outboxId"), first.text("outboxId"));
        (now() > ends).then_some(got)
    })
    .await;
    assert_eq!(repeat.body["replayed"], true);
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_valid_is_refused() {
    let world = World::start().await;
    let session = world.session().await;
    let path = format!("/sessions/{}/messages:batch", session.session);
    let body = json!({"messages": [{"type": "text", "to": TO}, {"type": "fax", "to": "x"}, 5]});
    let got = answer(world.request(Method::POST, &path).json(&body)).await;
    assert_eq!(
        (got.status.as_u16(), got.code()),
        (400, "validation_error"),
        "{got:?}"
    );
    let emitted = fields(&got);
    assert_eq!(
        emitted,
        [
            "messages[0].text",
            "messages[1].type",
            "messages[1].to",
            "messages[2]"
        ]
    );
}

#[tokio::test]
async fn a_float_arrives_as_it_was_given() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let path = format!("/sessions/{}/messages?async=true", session.session);
    let given = [
        106.816_666_000_000_01,
        -0.1,
        5e-324,
        89.999_999_999_999_99,
        1.0 / 3.0,
    ];
    for latitude in given {
        let latitude: f64 = latitude;
        let latitude = latitude.clamp(-90.0, 90.0);
        let body =
            json!({"type": "location", "to": TO, "latitude": latitude, "longitude": latitude});
        let got = answer(world.request(Method::POST, &path).json(&body)).await;
        assert_eq!(got.status, 202, "{got:?}");
        let claimed = owner.claim_some().await;
        let content = claimed[0].content.clone().unwrap();
        let gateway_shared::domain::Content::Location { longitude, .. } = content else {
            panic!("no place");
        };
        assert_eq!(longitude.to_bits(), latitude.to_bits(), "{latitude:?}");
        owner.sent(&claimed[0].id).await;
    }
}

#[tokio::test]
async fn the_names_of_a_confined_key_are_those_of_its_sessions() {
    let world = World::start().await;
    let (one, other) = (world.session().await, world.session().await);
    let scoped = async |sessions: &[&gateway_shared::lane::SessionRef]| {
        let sessions = sessions.iter().map(|of| of.session.clone()).collect();
        let all = gateway_shared::apikey::Capabilities::all();
        world
            .key_for(&world.organization, all, Some(sessions))
            .await
            .0
    };
    let send = async |key: &str, of: &gateway_shared::lane::SessionRef, text: &str| {
        let path = format!("/api/v1/sessions/{}/messages?async=true", of.session);
        let request = world.api(0, Method::POST, &path).header("x-api-key", key);
        let body = json!({"type": "text", "to": TO, "text": text});
        answer(request.header("idempotency-key", "k").json(&body)).await
    };
    let first = send(&world.key, &one, "of the organization").await;
    assert_eq!(first.status, 202);
    let key = scoped(&[&one]).await;
    let own = send(&key, &one, "of the session").await;
    assert_eq!(
        (own.status.as_u16(), &own.body["replayed"]),
        (202, &json!(false)),
        "{own:?}"
    );
    // Another key for the same session shares its names.
    let same = send(&scoped(&[&one]).await, &one, "of the session").await;
    assert_eq!(same.body["outboxId"], own.body["outboxId"]);
    let foreign = send(&scoped(&[&other]).await, &other, "of another").await;
    assert_eq!(
        (foreign.status.as_u16(), &foreign.body["replayed"]),
        (202, &json!(false))
    );
    // Within its sessions a key has one set of names.
    let both = scoped(&[&one, &other]).await;
    assert_eq!(send(&both, &one, "a").await.status, 202);
    assert_eq!(
        send(&both, &other, "a").await.reason(),
        "idempotency_key_reused"
    );
}

#[tokio::test]
async fn what_is_made_under_a_key_is_made_once() {
    let world = World::with(2, |_| {}).await;
    let ask = async |api: usize, key: &str, body: &Value| {
        let request = world.request_to(api, Method::POST, "/sessions").json(body);
        answer(request.header("idempotency-key", key)).await
    };
    let body = json!({"label": "Front desk", "start": false});
    let first = ask(0, "desk", &body).await;
    assert_eq!(first.status, 201);
    let spelt = json!({"start": false, "label": "Front desk", "ratePerMin": null});
    let again = ask(1, "desk", &spelt).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &first.body));
    let other = ask(0, "desk", &json!({"label": "Another"})).await;
    assert_eq!(other.reason(), "idempotency_key_reused");
    // Many at once are one; whoever comes while it is made is told so, or gets its answer.
    let many = (0..20).map(|index| ask(index % 2, "rush", &body));
    let many = futures_util::future::join_all(many).await;
    let made: std::collections::HashSet<String> = many
        .iter()
        .filter(|got| got.status == 201)
        .map(|got| got.text("id"))
        .collect();
    assert_eq!(made.len(), 1, "{many:?}");
    let rest = many.iter().filter(|got| got.status != 201);
    assert!(
        rest.map(Answer::reason)
            .all(|reason| reason == "idempotency_key_in_use")
    );
    // What was refused leaves the key unused.
    let refused = ask(0, "late", &json!({"label": 5})).await;
    assert_eq!(refused.status, 400);
    assert_eq!(ask(0, "late", &body).await.status, 201);
    let listed = answer(world.request(Method::GET, "/sessions")).await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 3);

    // One set of names for sends and everything else.
    let session = world.session().await;
    let sent = world
        .send(&session, "?async=true", "x")
        .header("idempotency-key", "desk");
    assert_eq!(answer(sent).await.reason(), "idempotency_key_reused");
    let sent = world
        .send(&session, "?async=true", "x")
        .header("idempotency-key", "sent");
    assert_eq!(answer(sent).await.status, 202);
    assert_eq!(
        ask(0, "sent", &body).await.reason(),
        "idempotency_key_reused"
    );
}

#[tokio::test]
async fn an_organization_has_its_quota_and_leaves_the_rest_to_others() {
    let world = World::with(1, |config| {
        config.quota.requests_per_min = 20;
        config.quota.bytes_per_min = 64 << 20;
        config.quota.waiting = 3;
    })
    .await;
    let session = world.session().await;
    for _ in 0..3 {
        assert_eq!(
            answer(world.send(&session, "?async=true", "x"))
                .await
                .status,
            202
        );
    }
    let keyed = || {
        let send = world.send(&session, "?async=true", "one more");
        send.header("idempotency-key", "k")
    };
    let full = answer(keyed()).await;
    assert_eq!(
        (full.status.as_u16(), full.code()),
        (429, "rate_limited"),
        "{full:?}"
    );
    let details = &full.body["error"]["details"];
    assert_eq!(
        (&details["window"], &details["limit"]),
        (&json!("waiting"), &json!(3))
    );
    assert_eq!(full.retry_after, Some(5));
    let over = crate::world::eventually("too many requests", async || {
        let got = answer(world.request(Method::GET, "/sessions")).await;
        (got.status == 429).then_some(got)
    })
    .await;
    assert_eq!(over.body["error"]["details"]["window"], "requests");
    assert!(
        over.body["error"]["details"]["retryAfterMs"]
            .as_i64()
            .unwrap()
            > 0
    );
    let (_, stranger) = world.stranger("other").await;
    let request = world
        .api(0, Method::GET, "/api/v1/sessions")
        .bearer_auth(stranger);
    assert_eq!(
        answer(request).await.status,
        200,
        "their quota is their own"
    );
}

#[tokio::test]
async fn a_quota_of_bytes_counts_bodies() {
    let world = World::with(1, |config| config.quota.bytes_per_min = 100 << 10).await;
    let session = world.session().await;
    let text = "x".repeat(30 << 10);
    for _ in 0..3 {
        assert_eq!(
            answer(world.send(&session, "?async=true", &text))
                .await
                .status,
            202
        );
    }
    let over = answer(world.send(&session, "?async=true", &text)).await;
    assert_eq!(over.status, 429, "{over:?}");
    assert_eq!(over.body["error"]["details"]["window"], "bytes");
    let small = answer(world.send(&session, "?async=true", "x")).await;
    assert_eq!(small.status, 202);
}
