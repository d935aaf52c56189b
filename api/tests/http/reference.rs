//! The OpenAPI document and the page that shows it.

use reqwest::Method;

use crate::world::{World, answer};

#[tokio::test]
async fn the_document_is_served_without_a_token() {
    let world = World::start().await;
    let document = answer(world.api(0, Method::GET, "/api/v1/openapi.json")).await;
    assert_eq!(document.status, 200);
    assert_eq!(document.body["openapi"], "3.1.0");
    let snapshot = include_str!("../../../docs/openapi.json");
    let snapshot: serde_json::Value = serde_json::from_str(snapshot).unwrap();
    assert_eq!(document.body, snapshot);
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_may_not() {
    let world = World::start().await;
    let page = world.api(0, Method::GET, "/docs").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(policy.contains("script-src 'sha256-") && policy.contains("connect-src 'self'"));
    let text = page.text().await.unwrap();
    for elsewhere in ["http://", "https://", "//cdn", "@import", "<link", "src="] {
        assert!(!text.contains(elsewhere), "the page has {elsewhere}");
    }
    // A policy by hash allows a script in the page, and no handlers in its tags.
    assert_eq!(text.matches("<script").count(), 1);
    assert!(!text.contains(" onclick=\""));
}
