//! Reading and steering the outbox.

use reqwest::Method;
use serde_json::Value;

use crate::owner::Owner;
use crate::world::{World, answer};

#[tokio::test]
async fn pages_follow_on_another_newest_first() {
    let world = World::start().await;
    let session = world.session().await;
    let outbox = format!("/sessions/{}/outbox", session.session);
    let mut accepted = Vec::new();
    for index in 0..5 {
        let got = answer(world.send(&session, "?async=true", &index.to_string())).await;
        accepted.insert(0, got.text("outboxId"));
    }
    let mut listed = Vec::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let path = format!("{outbox}?limit=2&cursor={cursor}");
        let page = answer(world.request(Method::GET, &path)).await;
        let entries = page.body["data"].as_array().unwrap().clone();
        listed.extend(
            entries
                .iter()
                .map(|entry| entry["outboxId"].as_str().unwrap().to_owned()),
        );
        cursor = page.text("nextCursor");
    }
    assert_eq!(listed, accepted);
    assert_eq!(cursor, "");

    let owner = Owner::take(&world, &session).await;
    let claimed = owner.claim_some().await;
    owner.sent(&claimed[0].id).await;
    let ids = |page: &Value| page["data"].as_array().unwrap().len();
    let page = answer(world.request(Method::GET, &format!("{outbox}?status=sent"))).await;
    assert_eq!(ids(&page.body), 1);
    let page = answer(world.request(Method::GET, &format!("{outbox}?chat=%2B6281234567890"))).await;
    assert_eq!(ids(&page.body), 5);
    let page = answer(world.request(Method::GET, &format!("{outbox}?chat=628111111111"))).await;
    assert_eq!(ids(&page.body), 0);

    let bad = format!("{outbox}?status=lost&chat=x&limit=0&cursor=zz");
    let got = answer(world.request(Method::GET, &bad)).await;
    assert_eq!(got.status, 400);
    assert_eq!(
        got.body["error"]["details"]["errors"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn only_what_still_waits_can_be_cancelled() {
    let world = World::start().await;
    let session = world.session().await;
    let outbox = format!("/sessions/{}/outbox", session.session);
    let cancel = |id: String| {
        let request = world.request(Method::DELETE, &format!("{outbox}/{id}"));
        answer(request)
    };
    let scheduled = format!("/sessions/{}/messages?async=true", session.session);
    let at = crate::world::now() + 3_600_000;
    let body =
        serde_json::json!({"type": "text", "to": "6281234567890", "text": "x", "sendAt": at});
    let got = answer(world.request(Method::POST, &scheduled).json(&body)).await;
    assert_eq!(
        (got.status.as_u16(), got.text("status")),
        (202, "scheduled".into())
    );
    let entry = cancel(got.text("outboxId")).await;
    assert_eq!(
        (entry.status.as_u16(), entry.text("status")),
        (200, "cancelled".into())
    );
    let history = entry.body["history"].as_array().unwrap();
    let steps: Vec<_> = history
        .iter()
        .map(|step| step["status"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["scheduled", "cancelled"]);
    let again = cancel(got.text("outboxId")).await;
    assert_eq!(
        (again.status.as_u16(), again.reason()),
        (409, "already_terminal")
    );

    let owner = Owner::take(&world, &session).await;
    let queued = answer(world.send(&session, "?async=true", "x")).await;
    let claimed = owner.claim_some().await;
    let got = cancel(queued.text("outboxId")).await;
    assert_eq!((got.status.as_u16(), got.reason()), (409, "in_flight"));
    owner.sent(&claimed[0].id).await;
    let got = cancel(queued.text("outboxId")).await;
    assert_eq!(
        (got.status.as_u16(), got.reason()),
        (409, "already_terminal")
    );

    for id in ["out_00000000000000000000000000", "nonsense"] {
        assert_eq!(cancel(id.to_owned()).await.status, 404);
        let got = answer(world.request(Method::GET, &format!("{outbox}/{id}"))).await;
        assert_eq!((got.status.as_u16(), got.code()), (404, "not_found"));
    }
}

#[tokio::test]
async fn an_entry_looks_like_this() {
    let world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let queued = world
        .send(&session, "?async=true", "x")
        .header("x-request-id", "req-1");
    let queued = answer(queued).await;
    let claimed = owner.claim_some().await;
    owner.refused(&claimed[0].id, 400).await;
    let path = format!(
        "/sessions/{}/outbox/{}",
        session.session,
        queued.text("outboxId")
    );
    let entry = answer(world.request(Method::GET, &path)).await.body;
    insta::assert_json_snapshot!(entry, {
        ".outboxId" => "out_…", ".session" => "sess_…", ".waMessageId" => "3EB0…",
        ".expiresAt" => 0, ".createdAt" => 0, ".updatedAt" => 0, ".history[].timestamp" => 0,
    });
}
