//! A Redis that does not answer, and one that comes back as another.

use std::time::{Duration, Instant};

use anyhow::Result;
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::world::World;

/// Redis hangs for longer than a worker may be silent: the API says so and when to try again, the
/// worker stops acting, and all goes on by itself afterwards.
#[tokio::test]
async fn a_redis_that_hangs_is_waited_for() -> Result<()> {
    World::builder()
        .api_env("GATEWAY_REDIS__RESPONSE_TIMEOUT_MS", "1500")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let before = world.workers[0].id();
            let first = SendRequest::text(&peer.phone, "before").asynchronous();
            api.send(&session.id, &first).await?.expect(202)?;
            world.sandbox().wait_for_messages(&peer.phone, 1).await?;

            world.redis.program().freeze()?;
            let asked = Instant::now();
            let answer = api.get("/sessions").await?;
            assert_eq!(answer.status, 503, "{}", answer.json);
            assert!(answer.header("retry-after").is_some());
            assert!(asked.elapsed() < Duration::from_secs(20));
            eventually("the worker is fenced", async || {
                let log = std::fs::read_to_string(world.workers[0].program.launch().log_file())?;
                Ok(log.contains("fenced").then_some(()))
            })
            .await?;
            world.redis.program().thaw()?;

            api.wait_for_session(&session.id, "working").await?;
            eventually("the worker is back under another id", async || {
                Ok((world.workers[0].id() != before).then_some(()))
            })
            .await?;
            let after = SendRequest::text(&peer.phone, "after").key("k");
            eventually("a send goes through", async || {
                let answer = api.send(&session.id, &after).await?;
                Ok((answer.status == 200).then_some(()))
            })
            .await?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 2).await?;
            let texts: Vec<_> = messages.iter().map(|message| message.text()).collect();
            assert_eq!(texts, ["before", "after"]);
            Ok(())
        })
        .await
}

/// A Redis that comes back empty is not served as if nothing had been: everybody says so, until the
/// processes are started anew.
#[tokio::test]
async fn a_redis_that_comes_back_empty_is_reported_and_not_served() -> Result<()> {
    let mut world = World::builder().start().await?;
    let session = world.pair_session().await?;
    let api = world.api(0);
    let _: String = world.redis.ask("FLUSHALL").await?;
    eventually("the API says so", async || {
        let answer = api.get("/sessions").await?;
        Ok((answer.error_reason() == "store_lost").then_some(answer))
    })
    .await?;
    let ready = api.call(api.bare(reqwest::Method::GET, "/readyz")).await?;
    assert_eq!((ready.status, ready.error_reason()), (503, "store_lost"));
    let send = SendRequest::text("15550001111", "anybody?").asynchronous();
    let refused = api.send(&session.id, &send).await?.expect(503)?;
    assert_eq!(refused.error_reason(), "store_lost");
    eventually("the worker says so and stops", async || {
        let log = std::fs::read_to_string(world.workers[0].program.launch().log_file())?;
        Ok(log.contains("has lost installation").then_some(()))
    })
    .await?;
    let mut keys: Vec<String> = world.redis.ask("KEYS *").await?;
    // Readiness tries whether Redis takes writes.
    keys.retain(|key| !key.contains("{probe:"));
    assert!(keys.is_empty(), "nobody began anew: {keys:?}");

    // To start anew is to accept the loss: the old key is unknown, and a new one works.
    world.apis[0].program.kill9().await?;
    world.apis[0].restart().await?;
    assert_eq!(world.api(0).get("/sessions").await?.status, 401);
    world.workers[0].kill9_and_restart().await?;
    let key = world.create_organization("Anew").await?;
    let api = world.api(0).with_key(&key.secret);
    api.get("/sessions").await?.expect(200)?;
    Ok(())
}

/// A store of a newer version is refused.
#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() -> Result<()> {
    let mut world = World::builder().start().await?;
    let _: i64 = world
        .redis
        .ask("HSET world:{global}:installation schema 99")
        .await?;
    let api = world.api(0);
    eventually("the API refuses it", async || {
        let answer = api.get("/sessions").await?;
        Ok((answer.error_reason() == "store_newer").then_some(()))
    })
    .await?;
    let worker = &mut world.workers[0].program;
    let status = worker.wait_for_end(Duration::from_secs(30)).await?;
    assert!(!status.success());
    let error = world.create_organization("Late").await.unwrap_err();
    assert!(format!("{error:#}").contains("schema 99"), "{error:#}");
    Ok(())
}
