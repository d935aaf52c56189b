//! What is not accepted, and how that is told.

use anyhow::{Context, Result};
use gateway_tests::client::{Answer, ApiClient, SendRequest};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};

/// A body that is refused, and the fields that the refusal must name.
fn bad_bodies() -> Vec<(&'static str, Value, &'static [&'static str])> {
    let to = "15551000001";
    let good = "hello";
    let long = "x".repeat(65_537);
    vec![
        ("no object", json!([]), &[]),
        ("empty", json!({}), &["type", "to"]),
        (
            "unknown type",
            json!({ "type": "telegram", "to": to, "text": good }),
            &["type"],
        ),
        (
            "type is no text",
            json!({ "type": 7, "to": to, "text": good }),
            &["type"],
        ),
        (
            "unknown field",
            json!({ "type": "text", "to": to, "text": good, "txet": "" }),
            &["txet"],
        ),
        ("no to", json!({ "type": "text", "text": good }), &["to"]),
        (
            "to is no address",
            json!({ "type": "text", "to": "somebody", "text": good }),
            &["to"],
        ),
        (
            "to is of another network",
            json!({ "type": "text", "to": "1555@example.com", "text": good }),
            &["to"],
        ),
        ("no text", json!({ "type": "text", "to": to }), &["text"]),
        (
            "empty text",
            json!({ "type": "text", "to": to, "text": "" }),
            &["text"],
        ),
        (
            "65,537 characters",
            json!({ "type": "text", "to": to, "text": long }),
            &["text"],
        ),
        (
            "text is no text",
            json!({ "type": "text", "to": to, "text": 5 }),
            &["text"],
        ),
        (
            "mentions of nobody",
            json!({ "type": "text", "to": to, "text": good, "mentions": ["nobody"] }),
            &["mentions/0"],
        ),
        (
            "all at once",
            json!({ "type": "text", "to": "nobody", "text": "", "colour": "red" }),
            &["to", "text", "colour"],
        ),
    ]
}

fn assert_invalid(what: &str, answer: &Answer, fields: &[&str]) {
    assert_eq!(answer.status, 400, "{what}: {}", answer.json);
    assert_eq!(answer.error_code(), "validation_error", "{what}");
    let named = answer.error_fields();
    assert!(!named.is_empty(), "{what}: no field is named");
    for field in fields {
        // How an element of a list is written is the API's choice: mentions/0, mentions[0].
        let plain = |name: &str| name.replace(['[', '/', '.'], "/").replace(']', "");
        assert!(
            named.iter().any(|name| plain(name) == plain(field)),
            "{what}: {field} is not named in {}",
            answer.json
        );
    }
}

/// A raw body to the messages of a session.
async fn post_raw(
    api: &ApiClient,
    session: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> Result<Answer> {
    let path = format!("/sessions/{session}/messages");
    let request = api
        .request(Method::POST, &path)
        .header("Content-Type", content_type)
        .body(body);
    api.call(request).await
}

#[tokio::test]
async fn every_problem_of_a_send_is_told_and_nothing_is_kept() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?.id;
            let api = world.api(0);
            for (what, body, fields) in bad_bodies() {
                for asynchronous in [false, true] {
                    let mut send = SendRequest::body(body.clone()).key("never-used");
                    if asynchronous {
                        send = send.asynchronous();
                    }
                    let answer = api.send(&session, &send).await?;
                    assert_invalid(what, &answer, fields);
                }
            }
            let json = "application/json";
            let answer = post_raw(&api, &session, json, "{\"type\": \"text\",").await?;
            assert_eq!(
                (answer.status, answer.error_code()),
                (400, "validation_error")
            );
            let invalid_utf8 =
                b"{\"type\":\"text\",\"to\":\"15551000001\",\"text\":\"\xff\"}".to_vec();
            let answer = post_raw(&api, &session, json, invalid_utf8).await?;
            assert_eq!(
                (answer.status, answer.error_code()),
                (400, "validation_error")
            );
            let answer = post_raw(&api, &session, "text/plain", "{}").await?;
            assert_eq!(
                (answer.status, answer.error_code()),
                (415, "unsupported_media_type")
            );
            let big = json!({ "type": "text", "to": "15551000001", "text": "x".repeat(2 << 20) });
            let answer = post_raw(&api, &session, json, big.to_string()).await?;
            assert_eq!(
                (answer.status, answer.error_code()),
                (413, "payload_too_large")
            );
            assert_eq!(api.whole_outbox(&session).await?.len(), 0);
            assert_eq!(world.sandbox().ledger("15550000001").await?.len(), 0);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn bad_parameters_and_headers_are_told() -> Result<()> {
    World::builder()
        .workers(0)
        .run(async |world| {
            let api = world.api(0);
            let session = api.create_session("quiet", 0, 0).await?;
            let body = json!({ "type": "text", "to": "15551000001", "text": "hello" });
            let path = format!("/sessions/{session}/messages");
            for value in ["yes", "", "TRUE", "2"] {
                let request = api.request(Method::POST, &path).query(&[("async", value)]);
                let answer = api.call(request.json(&body)).await?;
                assert_invalid(&format!("async={value}"), &answer, &["async"]);
            }
            let too_long = "k".repeat(256);
            for key in ["", "two words", "schlüssel", &too_long] {
                let request = api
                    .request(Method::POST, &path)
                    .header("Idempotency-Key", key.as_bytes());
                let answer = api.call(request.json(&body)).await?;
                assert_invalid(&format!("key {key:?}"), &answer, &["Idempotency-Key"]);
            }
            for query in [
                "limit=0",
                "limit=201",
                "limit=many",
                "status=lost",
                "cursor=%21",
            ] {
                let path = format!("/sessions/{session}/outbox?{query}");
                let answer = api.get(&path).await?;
                let field = query.split('=').next().unwrap_or_default();
                assert_invalid(query, &answer, &[field]);
            }
            assert_eq!(api.whole_outbox(&session).await?.len(), 0);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn unknown_paths_methods_and_sessions_have_the_envelope() -> Result<()> {
    World::builder()
        .workers(0)
        .run(async |world| {
            let api = world.api(0);
            let answer = api.get("/nowhere").await?;
            assert_eq!((answer.status, answer.error_code()), (404, "not_found"));
            let answer = api.call(api.bare(Method::GET, "/nowhere")).await?;
            assert_eq!((answer.status, answer.error_code()), (404, "not_found"));
            let answer = api.call(api.request(Method::PUT, "/sessions")).await?;
            assert_eq!(
                (answer.status, answer.error_code()),
                (405, "method_not_allowed")
            );
            assert!(answer.header("x-request-id").is_some());

            let send = SendRequest::text("15551000001", "hello");
            for session in ["sess_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense"] {
                let answer = api.send(session, &send).await?;
                assert_eq!((answer.status, answer.error_code()), (404, "not_found"));
            }
            let session = api.create_session("quiet", 0, 0).await?;
            let path = format!("/sessions/{session}/outbox/out_01ARZ3NDEKTSV4RRFFQ69G5FAV");
            let answer = api.get(&path).await?;
            assert_eq!((answer.status, answer.error_code()), (404, "not_found"));

            let request = api.request(Method::GET, "/sessions");
            let answer = api.call(request.header("X-Request-Id", "mine")).await?;
            assert_eq!(answer.header("x-request-id"), Some("mine"));
            let answer = api.get("/sessions").await?;
            let minted = answer.header("x-request-id").context("a request id")?;
            assert!(!minted.is_empty());
            Ok(())
        })
        .await
}
