//! Law 12: a host whose wall clock jumps harms nobody, itself included. The API and one of two workers
//! run on such a host (libfaketime moves their wall clock, and not the monotonic one).

use anyhow::{Context, Result};
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::process::SkewedClock;
use gateway_tests::world::{WorkerProcess, World};

#[tokio::test]
async fn a_host_whose_clock_jumps_harms_nobody() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("gateway-clock-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let clock = SkewedClock::new(&folder.join("offset"))?;
    let mut builder = World::builder();
    for (name, value) in clock.env() {
        builder = builder.api_env(&name, &value);
    }
    builder
        .run(async move |world| {
            let mut skewed = world.installation().clone();
            skewed.worker_env.extend(clock.env());
            let worker = WorkerProcess::start(&skewed, "worker-2").await?;
            world.workers.push(worker);
            let sessions = [world.pair_session().await?, world.pair_session().await?];
            let peer = world.create_peer().await?;
            let api = world.api(0);
            // One on each host.
            eventually("each worker has a session", async || {
                let first = world.owner_of(&sessions[0].id).await?;
                let second = world.owner_of(&sessions[1].id).await?;
                Ok((first != second).then_some(()))
            })
            .await?;
            // What waits meanwhile must neither expire nor leave early.
            let later = SendRequest::text(&peer.phone, "later").in_millis(3_600_000);
            let later = api.send(&sessions[0].id, &later).await?.expect(202)?;
            let later = later.text("outboxId")?;
            let workers: Vec<String> = world.workers.iter().map(WorkerProcess::id).collect();
            let mut expected = Vec::new();
            let stream = format!("XLEN world:{{{}}}:ev", world.organization());
            let mut events: i64 = world.redis.ask(&stream).await?;
            for jump in [10, 90_000, 691_200, -3_600, 0] {
                clock.set(jump)?;
                for (round, session) in sessions.iter().cycle().take(4).enumerate() {
                    let text = format!("{jump} {round}");
                    let send = SendRequest::text(&peer.phone, &text);
                    let sent = api.send(&session.id, &send).await?;
                    sent.expect(200).with_context(|| text.clone())?;
                    expected.push(text);
                }
                let now: Vec<String> = world.workers.iter().map(WorkerProcess::id).collect();
                assert_eq!(now, workers, "a worker was evicted at {jump}");
                let kept: i64 = world.redis.ask(&stream).await?;
                assert!(kept > events, "events were trimmed at {jump}");
                events = kept;
            }
            let entry = api.outbox(&sessions[0].id, &later).await?;
            assert_eq!(entry["status"], "scheduled", "{entry}");
            let shown = world.sandbox().all_messages(&peer.phone).await?;
            let texts: Vec<_> = shown.iter().map(|message| message.text()).collect();
            assert_eq!(texts, expected);
            let cancel = format!("/sessions/{}/outbox/{later}", sessions[0].id);
            api.delete(&cancel).await?.expect(200)?;
            Ok(())
        })
        .await
}
