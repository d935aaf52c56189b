//! A worker receives something, can not write it down because Redis stands still, and is killed: WhatsApp
//! was not told that it has it, and brings it to the next one.

use anyhow::Result;
use gateway_tests::client::{Event, Fault, SandboxAdmin};
use gateway_tests::world::World;
use serde_json::{Value, json};

use crate::operations::Stage;
use crate::received::dies_of_what_it_hears;

/// The worker's log shows stanzas and facts as they come in.
const FILTER: &str = "debug";
/// The id of the message that is to be remembered.
const ID: &str = "3AFEEDFEEDFEEDFEED01";

/// Does something with the sandbox while Redis stands still, until the worker's log says `mark`.
async fn survives(
    world: &mut World,
    happens: impl AsyncFnOnce(&Stage, &SandboxAdmin) -> Result<()>,
    mark: &str,
    is: impl Fn(&Event) -> bool,
) -> Result<()> {
    let stage = Stage::set(world).await?;
    // The first message of a pair makes their session; what is tested is the one after it.
    stage
        .received(json!({"type": "text", "text": "first"}))
        .await?;
    let sandbox = world.sandbox();
    dies_of_what_it_hears(world, async || happens(&stage, &sandbox).await, mark).await?;
    stage.events.wait_for("what was received", &is).await?;
    // Another one comes after it, so nothing of the first can still be on its way.
    stage
        .received(json!({"type": "text", "text": "last"}))
        .await?;
    let times = stage.events.seen().iter().filter(|event| is(event)).count();
    assert_eq!(times, 1, "told once");
    Ok(())
}

fn world() -> gateway_tests::world::WorldBuilder {
    World::builder()
        .worker_env("GATEWAY_LOG__FILTER", FILTER)
        .worker_env("GATEWAY_WORKER__STATUS_POSTS", "true")
}

fn says(text: &'static str) -> impl Fn(&Event) -> bool {
    move |event| event.text("text") == text
}

#[tokio::test]
async fn a_message_received_and_never_written_down_comes_again() -> Result<()> {
    world()
        .run(async |world| {
            let happens = async |stage: &Stage, sandbox: &SandboxAdmin| {
                let message = json!({"to": stage.session.phone, "type": "text", "text": "remember",
                    "id": ID});
                sandbox.send(&stage.peer.phone, &message).await.map(drop)
            };
            survives(world, happens, ID, says("remember")).await
        })
        .await
}

#[tokio::test]
async fn a_post_to_a_status_received_and_never_written_down_comes_again() -> Result<()> {
    world()
        .run(async |world| {
            let happens = async |stage: &Stage, sandbox: &SandboxAdmin| {
                let story: Value = json!({"type": "text", "text": "sunny", "id": ID});
                let to = [stage.session.phone.as_str()];
                sandbox
                    .post_status(&stage.peer.phone, &to, story)
                    .await
                    .map(drop)
            };
            survives(world, happens, ID, says("sunny")).await
        })
        .await
}

#[tokio::test]
async fn a_call_received_and_never_written_down_comes_again() -> Result<()> {
    world()
        .run(async |world| {
            let happens = async |stage: &Stage, sandbox: &SandboxAdmin| {
                let call = json!({"to": stage.session.phone, "action": "offer"});
                sandbox.ring(&stage.peer.phone, &call).await.map(drop)
            };
            // It rings no more when it comes again.
            let is = |event: &Event| event.kind() == "call.missed";
            survives(world, happens, "Call(call.incoming", is).await
        })
        .await
}

/// A message that comes twice, can not be decrypted at first, or whose connection is cut before it is
/// confirmed, is told once; so is one that WhatsApp brings again after a worker was killed.
#[tokio::test]
async fn whatever_befalls_a_message_on_its_way_it_is_told_once() -> Result<()> {
    world()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            stage
                .received(json!({"type": "text", "text": "first"}))
                .await?;
            let faults = [
                ("replay", Fault::replay(1)),
                ("corrupt", Fault::corrupt(1)),
                ("cut_after", Fault::cut_after(1)),
                ("unconfirmed", Fault::unconfirmed(1)),
            ];
            let mut ids = Vec::new();
            for (name, fault) in faults {
                stage.sandbox.fault(fault.of(&stage.peer.phone)).await?;
                let message = json!({"type": "text", "text": name});
                ids.push((name, stage.received_message(message).await?));
            }
            world.workers[0].program.kill9().await?;
            world.workers[0].restart().await?;
            let last = json!({"type": "text", "text": "last"});
            stage.received_message(last).await?;
            let seen = stage.events.seen();
            for (name, id) in ids {
                let is =
                    |event: &&Event| event.kind() == "message" && event.text("waMessageId") == id;
                assert_eq!(seen.iter().filter(is).count(), 1, "{name}");
            }
            Ok(())
        })
        .await
}
