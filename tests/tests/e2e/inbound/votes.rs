//! Votes: what they chose, and how the poll stands with each.

use anyhow::Result;
use gateway_tests::client::Event;
use gateway_tests::world::World;
use serde_json::{Value, json};

use crate::operations::Stage;

/// Two people vote in a poll of a group, one of them twice: the totals run with them, and a vote that
/// is taken back is taken off.
#[tokio::test]
async fn votes_are_told_with_the_poll_as_it_stands() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let other = world.create_peer().await?;
            let group = json!({"subject": "Walks", "creator": stage.peer.phone,
                "members": [stage.session.phone, other.phone]});
            let group = stage.sandbox.create_group(&group).await?;
            let jid = group["jid"].as_str().unwrap_or_default().to_owned();
            let says = async |phone: &str, mut message: Value| -> Result<Event> {
                message["to"] = json!(jid);
                let id = stage.sandbox.send(phone, &message).await?;
                let said = |event: &Event| event.text("waMessageId") == id;
                stage.events.wait_for("what was said", said).await
            };
            let poll = json!({"type": "any_poll", "version": 1, "name": "Where?",
                "options": ["hill", "lake"], "selectableCount": 0});
            let poll = says(&stage.peer.phone, poll)
                .await?
                .text("waMessageId")
                .to_owned();
            let vote = async |phone: &str, options: Value| {
                let vote = json!({"type": "vote", "target": poll, "options": options});
                says(phone, vote).await
            };
            let counts = |results: &Value| {
                let options = results["options"].as_array().cloned().unwrap_or_default();
                let counts = options
                    .iter()
                    .map(|option| option["count"].as_u64().unwrap_or(99));
                counts.collect::<Vec<_>>()
            };
            for (phone, options, before, after) in [
                (&other.phone, json!(["hill", "lake"]), [0, 0], [1, 1]),
                (&stage.peer.phone, json!(["lake"]), [1, 1], [1, 2]),
                (&other.phone, json!(["lake"]), [1, 2], [0, 2]),
                (&other.phone, json!([]), [0, 2], [0, 1]),
            ] {
                let event = vote(phone, options.clone()).await?;
                assert_eq!(event.kind(), "poll.vote");
                let emitted = &event.0["payload"]["poll_vote"];
                assert_eq!(emitted["options"], options);
                assert_eq!(counts(&emitted["before"]), before, "{emitted}");
                assert_eq!(counts(&emitted["results"]), after, "{emitted}");
                assert_eq!(event.0["payload"]["target"]["poll"]["name"], "Where?");
            }
            let last = stage.events.seen();
            let last = last.iter().rfind(|event| event.kind() == "poll.vote");
            let voters = &last.map(|event| event.0["payload"]["poll_vote"]["results"].clone());
            let voters = voters
                .as_ref()
                .map(|results| results["options"][1]["voters"].clone());
            assert_eq!(voters, Some(json!([stage.peer.jid])));
            Ok(())
        })
        .await
}
