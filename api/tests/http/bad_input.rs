//! Bad input: each with its status and code, and all problems listed at once.

use std::fmt::Write;

use gateway_shared::apikey::{Capabilities, Capability};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, answer};

fn tell(story: &mut String, name: &str, got: &Answer) {
    let _ = writeln!(story, "{name}: {} {}", got.status.as_u16(), got.code());
    let details = &got.body["error"]["details"];
    match details["errors"].as_array() {
        Some(errors) => {
            for error in errors {
                let text = |name: &str| error[name].as_str().unwrap().to_owned();
                let _ = writeln!(story, "    {}: {}", text("field"), text("message"));
            }
        }
        None if details.as_object().is_some_and(|map| !map.is_empty()) => {
            let _ = writeln!(story, "    {details}");
        }
        None => {}
    }
    assert!(got.body["error"]["message"].is_string(), "{got:?}");
    assert!(details.is_object(), "{got:?}");
}

#[tokio::test]
async fn bodies_of_sends() {
    let world = World::start().await;
    let session = world.session().await;
    let path = format!("/sessions/{}/messages?async=true", session.session);
    let mut story = String::new();
    let to = "6281234567890";
    let text = |length| "x".repeat(length);
    let cases: Vec<(&str, Value)> = vec![
        ("nothing", json!({})),
        ("unknown type", json!({"type": "fax", "to": to})),
        (
            "unknown fields",
            json!({"type": "text", "to": to, "text": "x", "txet": "x", "a": {}}),
        ),
        ("missing to", json!({"type": "text", "text": "x"})),
        (
            "not a JID",
            json!({"type": "text", "to": "someone", "text": "x"}),
        ),
        ("empty text", json!({"type": "text", "to": to, "text": ""})),
        (
            "65,537 characters",
            json!({"type": "text", "to": to, "text": text(65_537)}),
        ),
        (
            "wrong types",
            json!({"type": 1, "to": [], "text": {}, "mentions": "x", "replyTo": 5}),
        ),
        (
            "several at once",
            json!({"type": "text", "to": "x", "text": "", "mentions": ["y", 1, "123-456@g.us"],
            "replyTo": "a b", "expiresAt": 5, "sendAt": "soon", "extra": 1}),
        ),
        (
            "another type's field",
            json!({"type": "text", "to": to, "text": "x", "options": ["a", "b"]}),
        ),
        (
            "times",
            json!({"type": "text", "to": to, "text": "x", "sendAt": 2_000_000_000_000_i64, "expiresAt": 1_900_000_000_000_i64}),
        ),
        (
            "poll",
            json!({"type": "poll", "to": to, "name": " ", "options": ["a", " ", "a", 4], "selectableCount": 13}),
        ),
        (
            "poll of one",
            json!({"type": "poll", "to": to, "name": "?", "options": ["a"], "text": "ignored"}),
        ),
        (
            "poll too many to select",
            json!({"type": "poll", "to": to, "name": "?", "options": ["a", "b"], "selectableCount": 3}),
        ),
        (
            "location",
            json!({"type": "location", "to": to, "latitude": 91, "name": ""}),
        ),
        (
            "contact",
            json!({"type": "contact", "to": to, "contact": {"name": "A", "fax": 1}}),
        ),
        (
            "contact twice",
            json!({"type": "contact", "to": to, "contact": {"vcard": "x", "phone": "y", "name": "z"}}),
        ),
        (
            "media",
            json!({"type": "image", "to": to, "media": {"data": "!", "url": "ftp://x", "mimetype": "png", "filename": ""}}),
        ),
        (
            "media missing",
            json!({"type": "document", "to": to, "caption": "x"}),
        ),
    ];
    for (name, body) in cases {
        let got = answer(world.request(Method::POST, &path).json(&body)).await;
        tell(&mut story, name, &got);
    }
    let sync = path.replace("?async=true", "");
    let body = json!({"type": "text", "to": to, "text": "x", "sendAt": 2_000_000_000_000_i64});
    let got = answer(world.request(Method::POST, &sync).json(&body)).await;
    tell(&mut story, "scheduled and synchronous", &got);

    let raw = |bytes: &[u8]| {
        let request = world.request(Method::POST, &path);
        request
            .header("content-type", "application/json")
            .body(bytes.to_vec())
    };
    for (name, bytes) in [
        ("empty body", b"".as_slice()),
        ("malformed JSON", br#"{"type": "text", "#),
        ("a list", b"[1]"),
        (
            "invalid UTF-8",
            b"{\"type\": \"text\", \"to\": \"6281234567890\", \"text\": \"\xff\xfe\"}",
        ),
    ] {
        tell(&mut story, name, &answer(raw(bytes)).await);
    }
    let large = format!(
        r#"{{"type":"text","to":"{to}","text":"{}"}}"#,
        text(2 << 20)
    );
    tell(&mut story, "2 MiB", &answer(raw(large.as_bytes())).await);
    let typed = |kind: Option<&str>| {
        let request = world.request(Method::POST, &path).body("{}");
        match kind {
            Some(kind) => request.header("content-type", kind),
            None => request,
        }
    };
    tell(
        &mut story,
        "text/plain",
        &answer(typed(Some("text/plain"))).await,
    );
    tell(&mut story, "no content type", &answer(typed(None)).await);
    insta::assert_snapshot!(story);
}

#[tokio::test]
async fn parameters_headers_and_paths() {
    let world = World::start().await;
    let session = world.session().await;
    let (stranger, strangers_key) = world.stranger("other").await;
    let theirs = world.session_of(&stranger, Default::default()).await;
    let id = session.session.to_string();
    let mut story = String::new();
    let body = json!({"type": "text", "to": "6281234567890", "text": "x"});
    let send = |session: &str, query: &str| {
        let path = format!("/sessions/{session}/messages{query}");
        world.request(Method::POST, &path).json(&body)
    };
    for query in ["?async=maybe", "?async", "?async=1"] {
        let got = answer(send(&id, query)).await;
        tell(&mut story, query, &got);
    }
    for (name, key) in [
        ("key with a space", "a b".to_owned()),
        ("empty key", String::new()),
        ("long key", "k".repeat(256)),
    ] {
        let got = answer(send(&id, "?async=true").header("idempotency-key", key)).await;
        tell(&mut story, name, &got);
    }
    let got = answer(
        send(&id, "?async=x")
            .header("idempotency-key", "a b")
            .json(&json!({"type": "text"})),
    )
    .await;
    tell(&mut story, "everywhere at once", &got);

    let sessions = [
        (
            "unknown session",
            "sess_00000000000000000000000000".to_owned(),
        ),
        ("no session id", "nonsense".to_owned()),
        ("broken path", "%FF".to_owned()),
        ("another organization's", theirs.session.to_string()),
    ];
    for (name, session) in &sessions {
        tell(
            &mut story,
            name,
            &answer(send(session, "?async=true")).await,
        );
        tell(&mut story, name, &answer(send(session, "")).await);
        for (method, rest) in [
            (Method::GET, ""),
            (Method::PATCH, ""),
            (Method::DELETE, ""),
            (Method::POST, ":start"),
            (Method::GET, "/qr"),
            (Method::GET, "/me"),
            (Method::GET, "/outbox"),
            (Method::GET, "/outbox/out_00000000000000000000000000"),
            (Method::DELETE, "/outbox/out_00000000000000000000000000"),
        ] {
            let path = format!("/sessions/{session}{rest}");
            let got = answer(world.request(method.clone(), &path)).await;
            assert_eq!(
                (got.status.as_u16(), got.code()),
                (404, "not_found"),
                "{method} {path}"
            );
        }
    }
    // It is there for its own organization.
    let request = world.api(
        0,
        Method::GET,
        &format!("/api/v1/sessions/{}", theirs.session),
    );
    assert_eq!(
        answer(request.header("x-api-key", &strangers_key))
            .await
            .status,
        200
    );

    for (name, method, path) in [
        ("unknown path", Method::GET, "/nope"),
        (
            "unknown verb",
            Method::POST,
            &*format!("/sessions/{id}:fly"),
        ),
        ("no verb", Method::POST, &*format!("/sessions/{id}")),
        ("unknown method", Method::PUT, "/sessions"),
        (
            "method of a send",
            Method::GET,
            &*format!("/sessions/{id}/messages"),
        ),
    ] {
        tell(&mut story, name, &answer(world.request(method, path)).await);
    }
    insta::assert_snapshot!(story);
}

#[tokio::test]
async fn tokens() {
    let world = World::start().await;
    let session = world.session().await;
    let mut story = String::new();
    let bare = |path: &str| world.api(0, Method::GET, &format!("/api/v1{path}"));
    tell(&mut story, "no token", &answer(bare("/sessions")).await);
    for (name, header, value) in [
        ("unknown key", "x-api-key", format!("wa_{}", "0".repeat(64))),
        ("no key", "x-api-key", "nonsense".to_owned()),
        (
            "another scheme",
            "authorization",
            "Basic Zm9vOmJhcg==".to_owned(),
        ),
        ("empty bearer", "authorization", "Bearer ".to_owned()),
        (
            "unknown bearer",
            "authorization",
            format!("Bearer wa_{}", "0".repeat(64)),
        ),
    ] {
        let request = bare("/sessions").header(header, value);
        let answered = request.send().await.unwrap();
        assert!(
            answered.headers().contains_key("www-authenticate"),
            "{name}"
        );
        let got = answer(bare("/sessions").header(header, "x")).await;
        assert_eq!(got.status, 401);
        let _ = writeln!(story, "{name}: {}", answered.status().as_u16());
    }
    let organization = world.organization.clone();
    let id = &session.session;
    for capability in Capability::ALL {
        let only: Capabilities = std::iter::once(capability).collect();
        let (key, _) = world.key_for(&organization, only, None).await;
        for (method, path) in [
            (Method::GET, "/sessions".to_owned()),
            (Method::POST, "/sessions".to_owned()),
            (Method::POST, format!("/sessions/{id}/messages?async=true")),
            (Method::GET, format!("/sessions/{id}/outbox")),
            (Method::GET, format!("/events?types={}", "x")),
        ] {
            let request = world.api(0, method.clone(), &format!("/api/v1{path}"));
            let got = answer(request.bearer_auth(&key)).await;
            let shown = path.replace(id.as_str(), "{session}");
            tell(
                &mut story,
                &format!("{capability}: {method} {shown}"),
                &got.clone_for_story(),
            );
        }
    }
    insta::assert_snapshot!(story);
}

impl Answer {
    /// The answer without what is told elsewhere: only whether the gate let it through.
    fn clone_for_story(&self) -> Self {
        let mut shown = self.clone();
        if shown.status != 403 {
            shown.body = json!({"error": {"code": "(let through)", "message": "", "details": {}}});
        }
        shown
    }
}
