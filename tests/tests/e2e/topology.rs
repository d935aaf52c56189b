//! The same promises on one Redis, on a Cluster and under Sentinels.

use std::time::Duration;

use anyhow::{Context, Result};
use gateway_tests::client::{ApiClient, Fault, SendRequest, eventually};
use gateway_tests::process::Topology;
use gateway_tests::world::{World, WorldBuilder};
use serde_json::json;

fn world(topology: Topology) -> WorldBuilder {
    World::builder().topology(topology)
}

/// Sends of both kinds, the repeat of a key, a worker that dies with a send in flight, and events
/// that resume.
async fn key_promises(world: &mut World) -> Result<()> {
    let session = world.pair_session().await?;
    let peer = world.create_peer().await?;
    let api = world.api(0);
    let events = api.events().await?;

    let first = SendRequest::text(&peer.phone, "number 0").key("k");
    let sent = api.send(&session.id, &first).await?.expect(200)?;
    let repeat = api.send(&session.id, &first).await?.expect(200)?;
    assert_eq!(repeat.at("replayed"), &json!(true));
    assert_eq!(repeat.text("outboxId")?, sent.text("outboxId")?);
    let other = SendRequest::text(&peer.phone, "another").key("k");
    api.send(&session.id, &other).await?.expect(409)?;

    world.sandbox().fault(Fault::drop_ack(1)).await?;
    let mut ids = Vec::new();
    for number in 1..10 {
        let send = SendRequest::text(&peer.phone, &format!("number {number}")).asynchronous();
        let answer = api.send(&session.id, &send).await?.expect(202)?;
        ids.push(answer.text("outboxId")?);
    }
    world.sandbox().wait_for_ledger(&session.phone, 2).await?;
    world.workers[0].kill9_and_restart().await?;
    for id in &ids {
        events.wait_for_status(id, "sent").await?;
    }
    in_order(world, &peer.phone, 10).await?;

    // From the beginning, as somebody who was away would ask.
    let since = events.seen()[0].id().to_owned();
    let path = format!("/events?since={since}&types=message.status");
    let request = api.request(reqwest::Method::GET, &path);
    let mut response = request
        .header("accept", "application/x-ndjson")
        .send()
        .await?;
    let mut emitted = String::new();
    while !ids.iter().all(|id| emitted.contains(id.as_str())) {
        let chunk = tokio::time::timeout(Duration::from_secs(20), response.chunk()).await??;
        emitted.push_str(&String::from_utf8_lossy(
            &chunk.context("the stream ended")?,
        ));
    }
    Ok(())
}

/// A person has exactly `number 0`, `number 1` and so on, each once.
async fn in_order(world: &World, phone: &str, count: usize) -> Result<()> {
    let messages = world.sandbox().wait_for_messages(phone, count).await?;
    let texts: Vec<_> = messages.iter().map(|message| message.text()).collect();
    let expected: Vec<_> = (0..count)
        .map(|number| format!("number {number}"))
        .collect();
    assert_eq!(texts, expected);
    Ok(())
}

#[tokio::test]
async fn the_key_promises_on_one_redis() -> Result<()> {
    world(Topology::Single).run(key_promises).await
}

#[tokio::test]
async fn the_key_promises_on_a_cluster() -> Result<()> {
    world(Topology::Cluster).run(key_promises).await
}

#[tokio::test]
async fn the_key_promises_under_sentinels() -> Result<()> {
    world(Topology::Sentinel).run(key_promises).await
}

/// Sends one after the other as a real client does: what was not answered is repeated with its key.
async fn client(api: ApiClient, session: String, phone: String, count: usize) -> Result<()> {
    for number in 0..count {
        let send = SendRequest::text(&phone, &format!("number {number}"))
            .key(&format!("key-{number}"))
            .asynchronous();
        eventually("a send is accepted", async || {
            let Ok(answer) = api.send(&session, &send).await else {
                return Ok(None);
            };
            match answer.status {
                // The repeat of one that was taken all the same is told how it ended.
                200 | 202 => return Ok(Some(())),
                503 => assert!(answer.header("retry-after").is_some(), "{}", answer.json),
                _ => anyhow::bail!("{}: {}", answer.status, answer.json),
            }
            Ok(None)
        })
        .await?;
    }
    Ok(())
}

/// The master dies in the middle of traffic. What was acknowledged had reached its replica
/// (`redis.wait_replicas`), so nothing of it is lost; the dead server comes back as a replica.
async fn the_master_dies(world: &mut World) -> Result<()> {
    const COUNT: usize = 60;
    let session = world.pair_session().await?;
    let peer = world.create_peer().await?;
    let key = format!("world:{{{}}}:org", world.organization());
    let traffic = client(world.api(0), session.id.clone(), peer.phone.clone(), COUNT);
    let sandbox = world.sandbox();
    let redis = &mut world.redis;
    let death = async {
        sandbox.wait_for_ledger(&session.phone, 10).await?;
        let master = redis.master_of(&key).await?;
        redis.servers[master].kill9().await?;
        redis.fail_over(&key, master).await?;
        redis.servers[master].restart().await
    };
    tokio::try_join!(traffic, death)?;
    in_order(world, &peer.phone, COUNT).await?;
    let outbox = world.api(0).whole_outbox(&session.id).await?;
    assert_eq!(outbox.len(), COUNT);
    Ok(())
}

#[tokio::test]
async fn a_master_of_a_cluster_dies_in_the_middle_of_traffic() -> Result<()> {
    let world = world(Topology::Cluster).setting("GATEWAY_REDIS__WAIT_REPLICAS", "1");
    world.run(the_master_dies).await
}

#[tokio::test]
async fn the_master_under_sentinels_dies_in_the_middle_of_traffic() -> Result<()> {
    let world = world(Topology::Sentinel).setting("GATEWAY_REDIS__WAIT_REPLICAS", "1");
    world.run(the_master_dies).await
}
