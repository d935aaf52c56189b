//! Calls, posts to a status, and channels.

use std::collections::HashSet;

use anyhow::Result;
use gateway_tests::client::{Event, eventually};
use gateway_tests::world::World;
use serde_json::json;

use crate::operations::Stage;

/// A call rings and is given up; another is taken on the phone; a third came while nobody was there.
#[tokio::test]
async fn calls_ring_are_missed_and_end_elsewhere() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let (phone, to) = (stage.peer.phone.clone(), stage.session.phone.clone());
            let ring = async |call: serde_json::Value| stage.sandbox.ring(&phone, &call).await;
            let emitted = async |id: &str, kind: &str| {
                let is = |event: &Event| event.kind() == kind && event.text("callId") == id;
                stage.events.wait_for(kind, is).await
            };
            let missed = ring(json!({"to": to, "action": "offer", "video": true})).await?;
            let event = emitted(&missed, "call.incoming").await?;
            assert_eq!(event.0["payload"]["video"], true);
            assert_eq!(event.0["payload"]["from"]["pn"], json!(stage.peer.jid));
            ring(json!({"to": to, "action": "terminate", "id": missed})).await?;
            let event = emitted(&missed, "call.missed").await?;
            assert_eq!(event.text("end"), "unanswered");

            let taken = ring(json!({"to": to, "action": "offer"})).await?;
            emitted(&taken, "call.incoming").await?;
            let reason = "accepted_elsewhere";
            ring(json!({"to": to, "action": "terminate", "id": taken, "reason": reason})).await?;
            let event = emitted(&taken, "call.ended_elsewhere").await?;
            assert_eq!(event.text("end"), reason);

            world.workers[0].program.kill9().await?;
            let late = ring(json!({"to": to, "action": "offer"})).await?;
            world.workers[0].restart().await?;
            let event = emitted(&late, "call.missed").await?;
            assert_eq!(event.text("end"), "offline");
            Ok(())
        })
        .await
}

/// Posts to a status are events where they are wanted, and of a kind of their own.
#[tokio::test]
async fn posts_to_a_status_are_told_where_they_are_wanted() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__STATUS_POSTS", "true")
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let story = json!({"type": "text", "text": "sunny"});
            let to = [stage.session.phone.as_str()];
            let id = stage
                .sandbox
                .post_status(&stage.peer.phone, &to, story)
                .await?;
            let is = |event: &Event| event.text("waMessageId") == id;
            let event = stage.events.wait_for("the post", is).await?;
            assert_eq!((event.kind(), event.text("text")), ("status.post", "sunny"));
            assert_eq!(event.text("chatJid"), "status@broadcast");
            assert_eq!(event.0["payload"]["sender"]["pn"], json!(stage.peer.jid));
            Ok(())
        })
        .await
}

/// Posts of channels are told in the order of their numbers, each once, also those that came while no
/// worker was there, and while a connection was cut; a change to a post is an event as well.
#[tokio::test]
async fn posts_of_a_channel_are_told_once_also_after_an_absence() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let sandbox = &stage.sandbox;
            let (owner, own) = (stage.peer.phone.clone(), stage.session.phone.clone());
            let channel = sandbox.create_channel(&owner, &[]).await?;
            // What was posted before one follows it is not news.
            sandbox.post(&channel, &owner, "old").await?;
            sandbox.follow_channel(&channel, &own).await?;
            sandbox.disconnect(&own).await?;
            let connected = |event: &Event| {
                event.kind() == "session.status" && event.text("status") == "working"
            };
            let before = stage
                .events
                .seen()
                .iter()
                .filter(|event| connected(event))
                .count();
            eventually("it is connected again", async || {
                let seen = stage.events.seen();
                let times = seen.iter().filter(|event| connected(event)).count();
                Ok((times > before).then_some(()))
            })
            .await?;
            let posted = async |text: &str| -> Result<Event> {
                let number = sandbox.post(&channel, &owner, text).await?;
                let is = |event: &Event| event.0["payload"]["serverId"] == json!(number);
                stage.events.wait_for(text, is).await
            };
            // The place in the channel is known once it was asked for.
            eventually("the channel is followed", async || {
                let keys: Vec<String> = world.redis.ask("KEYS *:s:*:ch").await?;
                Ok((!keys.is_empty()).then_some(()))
            })
            .await?;
            let first = posted("one").await?;
            assert_eq!((first.kind(), first.text("type")), ("message", "text"));
            assert_eq!(first.text("chatJid"), channel);

            world.workers[0].program.kill9().await?;
            let mut numbers = Vec::new();
            for text in ["two", "three", "four"] {
                numbers.push(sandbox.post(&channel, &owner, text).await?);
            }
            world.workers[0].restart().await?;
            let last = numbers[2];
            let is = |event: &Event| event.0["payload"]["serverId"] == json!(last);
            let event = stage.events.wait_for("what was missed", is).await?;
            assert_eq!(event.0["payload"]["offline"], true);
            posted("five").await?;

            let id = first.text("waMessageId").to_owned();
            let change = json!({"by": owner, "type": "text", "text": "uno", "id": id, "edit": "3"});
            sandbox.post_any(&channel, &change).await?;
            let is =
                |event: &Event| event.kind() == "message.edited" && event.text("text") == "uno";
            let edited = stage.events.wait_for("the change", is).await?;
            assert_eq!(edited.text("targetMessageId"), id);

            let seen = stage.events.seen();
            let posts = seen.iter().filter(|event| event.kind() == "message");
            let texts: Vec<&str> = posts.map(|event| event.text("text")).collect();
            assert_eq!(texts, ["one", "two", "three", "four", "five"]);
            let ids: HashSet<&str> = seen.iter().map(Event::id).collect();
            assert_eq!(ids.len(), seen.len(), "no event has the id of another");
            Ok(())
        })
        .await
}
