//! What must not be lost when owners change, workers are cut off, and Redis dies.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gateway_shared::clock::Clock;
use gateway_shared::domain::SendStatus;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::world::{CONFIG, UNLIMITED, World, next, sending, sent, telling, with_retry};

/// Tells when it is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_over_session_is_noticed_and_its_handlers_are_dropped() {
    let world = World::new().await;
    let old = world.engine(CONFIG);
    let new = world.engine(CONFIG);
    let session = world.session(&old.worker).await;
    let (drops, mut dropped) = mpsc::unbounded_channel();
    let (dispatch, mut attempts) = telling(move |_| {
        let guard = Dropped(drops.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            sent()
        }
    });
    let lane = old.attach(&session, UNLIMITED, dispatch).await;
    let id = world.accept(&session.0, 1).await;
    let first = next(&mut attempts).await;

    let epoch = world.own(&session.0, &new.worker).await;
    let (dispatch, mut again) = sending();
    let _lane = new
        .attach(&(session.0.clone(), epoch), UNLIMITED, dispatch)
        .await;
    let second = next(&mut again).await;
    assert_eq!(second.id, id);
    assert_eq!(second.wa_message_id, first.wa_message_id);
    world.reaches(&session.0, &id, SendStatus::Sent).await;

    // Whatever makes the old owner ask Redis tells it.
    lane.wake();
    with_retry(lane.stale()).await;
    with_retry(dropped.recv()).await.unwrap();
    assert_eq!(
        world.history(&session.0, &id).await,
        ["queued", "sending", "sent"]
    );
    assert_eq!(lane.in_flight(), 0);
    old.end().await;
    new.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_worker_drops_its_handlers_and_starts_none() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let (drops, mut dropped) = mpsc::unbounded_channel();
    let (dispatch, mut attempts) = telling(move |_| {
        let guard = Dropped(drops.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            sent()
        }
    });
    let lost = CancellationToken::new();
    let lane = running.attach_held((&session.0, session.1), UNLIMITED, dispatch, lost.clone());
    let lane = lane.await;
    lane.open();
    world.accept(&session.0, 1).await;
    next(&mut attempts).await;
    lost.cancel();
    with_retry(dropped.recv()).await.unwrap();
    world.accept(&session.0, 2).await;
    lane.wake();
    lane.detach(Duration::from_secs(5)).await;
    assert!(attempts.try_recv().is_err());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_redis_loses_nothing_and_settles_everything_once() {
    let mut world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let (dispatch, mut attempts) = telling(|_| async {
        tokio::time::sleep(Duration::from_millis(3)).await;
        sent()
    });
    let _lane = running.attach(&session, UNLIMITED, dispatch).await;
    let mut accepted: HashMap<String, Vec<_>> = HashMap::new();
    for round in 0..3 {
        for n in 0..150 {
            let send = world.send(&session.0, n % 11);
            let chat = send.to.as_str().to_owned();
            // A client that repeats what was not answered; the id makes it one send.
            let accept = async {
                while world.lanes.accept(world.clock.now(), &send).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            with_retry(accept).await;
            accepted.entry(chat).or_default().push(send.id);
        }
        // In the middle of it, for some of what was accepted.
        for _ in 0..20 {
            next(&mut attempts).await;
        }
        world.server.kill9().await.unwrap();
        if round > 0 {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        world.revive().await;
    }
    let mut firsts: HashMap<String, Vec<_>> = HashMap::new();
    for (chat, ids) in &accepted {
        for id in ids {
            world.reaches(&session.0, id, SendStatus::Sent).await;
            assert_eq!(
                world.history(&session.0, id).await,
                ["queued", "sending", "sent"],
                "{chat}"
            );
        }
    }
    while let Ok(send) = attempts.try_recv() {
        let seen = firsts.entry(send.to.as_str().to_owned()).or_default();
        if !seen.contains(&send.id) {
            seen.push(send.id);
        }
    }
    for (chat, seen) in firsts {
        // Those heard before are gone from the channel: what is left is a tail, in order.
        let all = &accepted[&chat];
        assert!(all.ends_with(&seen), "{chat}");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_hears_nothing_looks_by_itself() {
    let world = World::new().await;
    let config = gateway_worker::engine::EngineConfig {
        sweep: Duration::from_millis(200),
        ..CONFIG
    };
    let running = world.engine(config);
    let session = world.session(&running.worker).await;
    let (dispatch, mut attempts) = sending();
    let _lane = running.attach(&session, UNLIMITED, dispatch).await;
    world.set(&session.0, "worker", "wkr_of_nobody").await;
    let id = world.accept(&session.0, 1).await;
    assert_eq!(next(&mut attempts).await.id, id);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_sessions_share_one_engine() {
    let world = Arc::new(World::new().await);
    let running = world.engine(CONFIG);
    let (dispatch, mut attempts) = sending();
    let mut lanes = Vec::new();
    let mut sessions = Vec::new();
    for _ in 0..1_000 {
        let session = world.session(&running.worker).await;
        lanes.push(
            running
                .attach(&session, UNLIMITED, Arc::clone(&dispatch))
                .await,
        );
        sessions.push(session.0);
    }
    for session in &sessions {
        world.accept(session, 1).await;
    }
    for _ in 0..1_000 {
        next(&mut attempts).await;
    }
    assert!(attempts.try_recv().is_err());
    running.end().await;
}
