//! Disappearing messages: what is sent carries the timer of its chat, as people's phones expect.

use anyhow::Result;
use gateway_tests::client::SendRequest;
use gateway_tests::world::World;
use serde_json::{Value, json};

const DAY: u32 = 86_400;
const WEEK: u32 = 604_800;

/// A timer that somebody sets, and one that is only seen on what they write; on every type, after a
/// change of the owner, and until it is taken away.
#[tokio::test]
async fn what_is_sent_to_a_person_carries_the_timer_of_the_chat() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let events = world.api(0).events().await?;
            let hear = async |world: &World, body: Value| -> Result<()> {
                let mut body = body;
                body["to"] = json!(session.phone);
                let id = world.sandbox().send(&peer.phone, &body).await?;
                events
                    .wait_for("it is told", |event| event.text("waMessageId") == id)
                    .await?;
                Ok(())
            };
            let timer = async |world: &World, mut body: Value| -> Result<Value> {
                body["to"] = json!(peer.phone);
                let send = SendRequest::body(body).asynchronous();
                let answer = world.api(0).send(&session.id, &send).await?;
                let id = answer.expect(202)?.text("waMessageId")?;
                let message = world.sandbox().wait_for_message(&peer.phone, &id).await?;
                Ok(message.timer)
            };
            let text = json!({ "type": "text", "text": "hello" });
            assert_eq!(timer(world, text.clone()).await?, Value::Null);

            hear(world, json!({ "type": "ephemeral", "seconds": DAY })).await?;
            let poll = json!({ "type": "poll", "name": "When?", "options": ["now", "later"] });
            let place = json!({ "type": "location", "latitude": 1.0, "longitude": 2.0 });
            let card = json!({ "type": "contact", "contact": { "name": "Ann", "phone": "15551" } });
            for body in [text.clone(), poll, place, card] {
                let shown = timer(world, body.clone()).await?;
                assert_eq!(shown, json!({ "seconds": DAY, "wanted": DAY }), "{body}");
            }
            world.workers[0].kill9_and_restart().await?;
            let shown = timer(world, text.clone()).await?;
            assert_eq!(shown, json!({ "seconds": DAY, "wanted": DAY }));

            hear(world, json!({ "type": "ephemeral", "seconds": 0 })).await?;
            assert_eq!(timer(world, text).await?, Value::Null);
            Ok(())
        })
        .await
}

/// A group says its timer itself, also to whom came later, and tells when it changes.
#[tokio::test]
async fn what_is_sent_to_a_group_carries_its_timer() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            let group = json!({
                "subject": "Walks", "creator": peer.phone, "members": [session.phone],
            });
            let group = sandbox.create_group(&group).await?["jid"].clone();
            let jid = group.as_str().unwrap_or_default();
            let change = json!({ "disappears": DAY });
            sandbox.change_group(jid, &change).await?;
            let timer = async || -> Result<Value> {
                let body = json!({ "type": "text", "text": "hello", "to": jid });
                let answer = api.send(&session.id, &SendRequest::body(body)).await?;
                let id = answer.expect(200)?.text("waMessageId")?;
                Ok(sandbox.wait_for_message(&peer.phone, &id).await?.timer)
            };
            assert_eq!(timer().await?, json!({ "seconds": DAY, "wanted": DAY }));
            sandbox
                .change_group(jid, &json!({ "disappears": WEEK }))
                .await?;
            events
                .wait_for("it is told", |event| {
                    event.kind() == "group.update"
                        && event.0["payload"]["disappearsAfterMs"] == json!(WEEK * 1_000)
                })
                .await?;
            assert_eq!(timer().await?, json!({ "seconds": WEEK, "wanted": WEEK }));
            Ok(())
        })
        .await
}
