//! What every answer has in common.

use reqwest::Method;
use serde_json::json;

use crate::world::{World, answer};

#[tokio::test]
async fn the_request_id_is_the_clients_or_a_new_one_and_always_echoed() {
    let world = World::start().await;
    let longest = "x".repeat(128);
    let too_long = "x".repeat(129);
    for (given, echoed) in [
        (Some("mine-1"), true),
        (Some(longest.as_str()), true),
        (Some(too_long.as_str()), false),
        (Some("with space"), false),
        (Some(""), false),
        (None, false),
    ] {
        for path in ["/healthz", "/api/v1/sessions", "/api/v1/nope"] {
            let mut request = world.api(0, Method::GET, path);
            if let Some(given) = given {
                request = request.header("x-request-id", given);
            }
            let got = request.send().await.unwrap();
            assert_eq!(got.headers()["x-content-type-options"], "nosniff", "{path}");
            let id = got.headers()["x-request-id"].to_str().unwrap();
            if echoed {
                assert_eq!(Some(id), given);
            } else {
                assert!(id.starts_with("req_"), "{given:?} became {id}");
            }
        }
    }
}

#[tokio::test]
async fn only_media_may_be_large() {
    let world = World::with(1, |config| config.api.media_body_limit_bytes = 4 << 20).await;
    let session = world.session().await;
    let path = format!("/sessions/{}/messages", session.session);
    let send = |body: &serde_json::Value| answer(world.request(Method::POST, &path).json(body));
    let file = |length: usize| "A".repeat(length);
    let image = |data| json!({"type": "image", "to": "6281234567890", "media": {"data": data}});
    // Read, looked at, and no picture.
    assert_eq!(send(&image(file(2 << 20))).await.status, 400);
    let got = send(&image(file(4 << 20))).await;
    assert_eq!(
        (got.status.as_u16(), got.code()),
        (413, "payload_too_large")
    );
    let text = json!({"type": "text", "to": "6281234567890", "text": file(2 << 20)});
    assert_eq!(send(&text).await.status, 413);
    // Of a length that is not told beforehand.
    let chunks = (0..5).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
    let request = world
        .request(Method::POST, &path)
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(futures_util::stream::iter(
            chunks,
        )));
    assert_eq!(answer(request).await.status, 413);
    let label = json!({"label": file(2 << 20)});
    let request = world.request(Method::POST, "/sessions").json(&label);
    assert_eq!(answer(request).await.status, 413);
}
