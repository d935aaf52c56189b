//! Deliveries that operators have made again.

use anyhow::Result;
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::json;

use super::Visitor;

/// To a webhook that is switched off nothing is delivered: nobody is told that it was.
#[tokio::test]
async fn nothing_is_replayed_to_a_webhook_that_is_switched_off() -> Result<()> {
    World::builder()
        .workers(0)
        .run(async |world| {
            let api = world.api(0);
            let body = json!({"url": "https://example.com/hook", "events": ["*"]});
            let made = api.post("/webhooks", &body).await?.expect(201)?;
            let webhook = made.text("id")?;
            let visitor = Visitor::enter(world, "admin").await?;
            let organization = world.organization();
            let fields = [
                ("csrf", visitor.csrf.as_str()),
                ("action", "webhook.replay_dead"),
                ("organization", organization),
                ("webhook", &webhook),
            ];
            let same = visitor.base.clone();
            let headers = [("Origin", same.as_str())];
            assert_eq!(visitor.act(&fields, &headers).await?, 303);
            let path = format!("/webhooks/{webhook}");
            let off = api
                .request(Method::PATCH, &path)
                .json(&json!({"active": false}));
            api.call(off).await?.expect(200)?;
            assert_eq!(visitor.act(&fields, &headers).await?, 409);
            Ok(())
        })
        .await
}
