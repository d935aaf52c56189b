//! What peers write and confirm, when a worker dies before it has told of it.

use anyhow::{Context, Result};
use gateway_tests::client::{Event, Fault, SendRequest, eventually};
use gateway_tests::process::RedisServer;
use gateway_tests::world::World;
use serde_json::json;

/// A worker stored that it has decrypted a message and died before it told of it. The library takes
/// what comes again for a duplicate: the worker must look whether it was told, and ask for it again.
#[tokio::test]
async fn a_message_decrypted_and_never_told_is_asked_for_again() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let events = world.api(0).events().await?;
            let sandbox = world.sandbox();
            let says =
                |event: &Event, text: &str| event.kind() == "message" && event.text("text") == text;
            sandbox.fault(Fault::unconfirmed(2)).await?;
            for text in ["told", "untold"] {
                sandbox.send_text(&peer.phone, &session.phone, text).await?;
                events.wait_for(text, |event| says(event, text)).await?;
            }
            world.workers[0].program.kill9().await?;
            // As if it had died between the two: the ratchet has passed it, and nobody knows it.
            let keys: Vec<String> = world.redis.ask("KEYS *:s:*:in").await?;
            let [memory] = keys.as_slice() else {
                anyhow::bail!("not one memory of what was told: {keys:?}");
            };
            let emitted: Vec<String> = world.redis.ask(&format!("ZRANGE {memory} 0 -1")).await?;
            let unreported = emitted.last().context("it was told")?;
            let _: u8 = world
                .redis
                .ask(&format!("ZREM {memory} {unreported}"))
                .await?;
            world.workers[0].restart().await?;

            eventually("it is told again", async || {
                let seen = events.seen();
                let times = seen.iter().filter(|event| says(event, "untold")).count();
                Ok((times == 2).then_some(()))
            })
            .await?;
            sandbox
                .send_text(&peer.phone, &session.phone, "after")
                .await?;
            events
                .wait_for("after", |event| says(event, "after"))
                .await?;
            let seen = events.seen();
            let emitted = seen.iter().filter(|event| says(event, "told")).count();
            assert_eq!(emitted, 1, "what was told is not asked for");
            Ok(())
        })
        .await
}

/// Redis stands still; the worker hears of something (its log says `mark`), can not record it, and
/// is killed. Then Redis goes on, and there is a worker again.
pub(crate) async fn dies_of_what_it_hears(
    world: &mut World,
    happens: impl AsyncFnOnce() -> Result<()>,
    mark: &str,
) -> Result<()> {
    // The library hears nothing while it waits for Redis itself, as it does after pairing.
    at_rest(&world.redis).await?;
    world.redis.program().freeze()?;
    happens().await?;
    eventually("the worker hears of it", async || {
        let log = std::fs::read_to_string(world.workers[0].program.launch().log_file())?;
        Ok(log.contains(mark).then_some(()))
    })
    .await?;
    world.workers[0].program.kill9().await?;
    world.redis.program().thaw()?;
    world.workers[0].restart().await
}

/// Returns when nobody has asked Redis for anything for some looks in a row.
async fn at_rest(redis: &RedisServer) -> Result<()> {
    const LOOKS: u32 = 20;
    let (mut asked, mut grown, mut same) = (0, 0, 0);
    eventually("Redis is at rest", async || {
        let stats: String = redis.ask("INFO stats").await?;
        let line = stats.lines().find_map(|line| {
            let count = line.strip_prefix("total_commands_processed:")?;
            count.trim().parse::<u64>().ok()
        });
        let now = line.context("no count of commands")?;
        // What a look itself asks is the same each time.
        same = if now - asked == grown { same + 1 } else { 0 };
        (asked, grown) = (now, now - asked);
        Ok((same >= LOOKS).then_some(()))
    })
    .await
}

/// A worker has heard a receipt and dies before it is in Redis: WhatsApp was not told that it has
/// it, and brings it again.
#[tokio::test]
async fn a_receipt_heard_and_never_recorded_comes_again() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_LOG__FILTER", "info,gateway_worker=debug")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let events = world.api(0).events().await?;
            let send = SendRequest::text(&peer.phone, "read me").asynchronous();
            let answer = world.api(0).send(&session.id, &send).await?.expect(202)?;
            let (outbox, message) = (answer.text("outboxId")?, answer.text("waMessageId")?);
            events.wait_for_status(&outbox, "delivered").await?;

            let sandbox = world.sandbox();
            let read = async || sandbox.read(&peer.phone, &message).await;
            dies_of_what_it_hears(world, read, "Receipt(Read").await?;
            events.wait_for_status(&outbox, "read").await?;
            Ok(())
        })
        .await
}

/// The same of a change to a group.
#[tokio::test]
async fn a_change_to_a_group_heard_and_never_recorded_comes_again() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_LOG__FILTER", "info,gateway_worker=debug")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let events = world.api(0).events().await?;
            let sandbox = world.sandbox();
            let group = json!({
                "subject": "Walks", "creator": peer.phone, "members": [session.phone],
            });
            let group = sandbox.create_group(&group).await?;
            let jid = group["jid"].as_str().context("no JID")?;
            let tells = |event: &Event, change: &str| {
                event.kind() == "group.update" && event.text("change") == change
            };
            events
                .wait_for("the group", |event| tells(event, "create"))
                .await?;

            let subject = json!({ "subject": "Runs" });
            let change = async || sandbox.change_group(jid, &subject).await;
            dies_of_what_it_hears(world, change, "Group(subject").await?;
            let emitted = events.wait_for("the subject", |event| tells(event, "subject"));
            assert_eq!(emitted.await?.text("subject"), "Runs");
            let seen = events.seen();
            let times = seen.iter().filter(|event| tells(event, "create")).count();
            assert_eq!(times, 1, "what was told is not told again");
            Ok(())
        })
        .await
}
