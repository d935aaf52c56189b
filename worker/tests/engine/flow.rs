//! Sends that flow: order, rate, holding, waking, ending.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_shared::clock::Clock;
use gateway_shared::domain::{Limits, SendFailure, SendStatus};
use gateway_shared::lane::{Attempt, ClaimedSend, Scope};
use gateway_worker::engine::{Dispatch, EngineConfig, LanePause, Verdict, Wire};
use tokio_util::sync::CancellationToken;

use crate::world::{CONFIG, UNLIMITED, World, next, sending, sent, telling, with_retry};

#[tokio::test(flavor = "multi_thread")]
async fn each_chat_in_its_order_and_never_two_of_one() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let at_once = Arc::new(Mutex::new(HashSet::new()));
    let (dispatch, mut attempts) = telling(move |send| {
        let at_once = Arc::clone(&at_once);
        async move {
            assert!(
                at_once.lock().unwrap().insert(send.to.clone()),
                "two of a chat"
            );
            tokio::task::yield_now().await;
            at_once.lock().unwrap().remove(&send.to);
            sent()
        }
    });
    let _lane = running.attach(&session, UNLIMITED, dispatch).await;
    let mut accepted: HashMap<String, Vec<_>> = HashMap::new();
    let mut last = None;
    for n in 0..300 {
        let chat = n % 7;
        let id = world.accept(&session.0, chat).await;
        let chat = format!("{}@g.us", 1_000 + chat);
        accepted.entry(chat).or_default().push(id.clone());
        last = Some(id);
    }
    let mut sent: HashMap<String, Vec<_>> = HashMap::new();
    for _ in 0..300 {
        let send = next(&mut attempts).await;
        assert_eq!(send.attempt, 1);
        sent.entry(send.to.as_str().to_owned())
            .or_default()
            .push(send.id);
    }
    assert_eq!(sent, accepted);
    let last = last.unwrap();
    world.reaches(&session.0, &last, SendStatus::Sent).await;
    assert_eq!(
        world.history(&session.0, &last).await,
        ["queued", "sending", "sent"]
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_lane_is_woken_by_an_acceptance() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let (dispatch, mut attempts) = sending();
    let _lane = running.attach(&session, UNLIMITED, dispatch).await;
    // The sweep of these tests comes after ten minutes: only a wake-up can be the reason.
    for _ in 0..50 {
        let id = world.accept(&session.0, 1).await;
        assert_eq!(next(&mut attempts).await.id, id);
        world.reaches(&session.0, &id, SendStatus::Sent).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_the_rate_waits_in_its_place() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let (dispatch, mut attempts) = sending();
    let limits = Limits {
        rate_per_min: 40,
        rate_per_hour: 0,
    };
    let mut ids = Vec::new();
    for _ in 0..42 {
        ids.push(world.accept(&session.0, 1).await);
    }
    world.set(&session.0, "ratePerMin", "40").await;
    let began = world.clock.now();
    let lane = running.attach(&session, limits, dispatch).await;
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(next(&mut attempts).await.id, *id);
        let elapsed = world.clock.now() - began;
        // The whole minute's limit at once, then one every 1.5 s.
        let earliest = i64::try_from(n.saturating_sub(39)).unwrap() * 1_500;
        assert!(elapsed >= earliest, "number {n} after {elapsed} ms");
    }
    // A new owner gets no new budget.
    lane.detach(Duration::from_secs(5)).await;
    let next_owner = world.own(&session.0, &running.worker).await;
    world.accept(&session.0, 1).await;
    let (dispatch, mut attempts) = sending();
    let _lane = running
        .attach(&(session.0.clone(), next_owner), limits, dispatch)
        .await;
    next(&mut attempts).await;
    assert!(world.clock.now() - began >= 4_500);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_lane_claims_nothing_and_expires_what_must() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let (dispatch, mut attempts) = sending();
    let lost = CancellationToken::new();
    let lane = running
        .attach_held((&session.0, session.1), UNLIMITED, dispatch, lost)
        .await;
    let waits = world.accept(&session.0, 1).await;
    let mut brief = world.send(&session.0, 2);
    brief.expires_at = Some(world.clock.now() + 200);
    world.lanes.accept(world.clock.now(), &brief).await.unwrap();
    world
        .reaches(&session.0, &brief.id, SendStatus::Failed)
        .await;
    assert!(attempts.try_recv().is_err());
    assert_eq!(lane.in_flight(), 0);
    lane.open();
    assert_eq!(next(&mut attempts).await.id, waits);
    world.reaches(&session.0, &waits, SendStatus::Sent).await;
    lane.hold();
    let held = world.accept(&session.0, 1).await;
    lane.wake();
    // A later turn of the lane than the one that could have claimed it.
    let mut brief = world.send(&session.0, 2);
    brief.expires_at = Some(world.clock.now() + 50);
    world.lanes.accept(world.clock.now(), &brief).await.unwrap();
    world
        .reaches(&session.0, &brief.id, SendStatus::Failed)
        .await;
    assert!(attempts.try_recv().is_err());
    assert_eq!(
        world.entry(&session.0, &held).await.status,
        SendStatus::Queued
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_send_leaves_at_its_time() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let (dispatch, mut attempts) = sending();
    let _lane = running.attach(&session, UNLIMITED, dispatch).await;
    let mut send = world.send(&session.0, 1);
    send.send_at = world.clock.now() + 300;
    world.lanes.accept(world.clock.now(), &send).await.unwrap();
    assert_eq!(next(&mut attempts).await.id, send.id);
    assert!(world.clock.now() >= send.send_at);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_made_again_and_given_up_in_the_end() {
    let world = World::new().await;
    let config = EngineConfig {
        attempt_timeout: Duration::from_millis(100),
        ..CONFIG
    };
    let running = world.engine(config);
    let session = world.session(&running.worker).await;
    let (dispatch, mut attempts) = telling(|send| async move {
        match send.attempt {
            1 => panic!("for the test"),
            2 => std::future::pending().await,
            n => {
                let at = gateway_shared::clock::SystemClock::local() + i64::from(n);
                Attempt::Retry(at, SendFailure::new("busy", "try again")).into()
            }
        }
    });
    let _lane = running.attach(&session, UNLIMITED, dispatch).await;
    let id = world.accept(&session.0, 1).await;
    let behind = world.accept(&session.0, 1).await;
    for attempt in 1..=4 {
        let send = next(&mut attempts).await;
        assert_eq!((send.id, send.attempt), (id.clone(), attempt));
    }
    world.reaches(&session.0, &id, SendStatus::Failed).await;
    let entry = world.entry(&session.0, &id).await;
    // One that panicked or took too long may have arrived.
    let error = entry.error.unwrap();
    assert_eq!(error.code, "outcome_unknown");
    assert_eq!(error.cause.as_deref(), Some("attempts_exhausted"));
    assert_eq!(next(&mut attempts).await.id, behind);
    running.end().await;
}

/// A dispatch whose attempts prepare, and never come to an end.
struct Preparing(tokio::sync::mpsc::UnboundedSender<u32>);

impl Dispatch for Preparing {
    fn dispatch(&self, send: ClaimedSend, wire: Wire) -> BoxFuture<'static, Verdict> {
        let _ = self.0.send(send.attempt);
        async move {
            wire.prepares();
            std::future::pending().await
        }
        .boxed()
    }
}

/// A file whose upload takes too long: what was not written certainly did not arrive.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_only_prepared_did_not_leave() {
    let world = World::new().await;
    let running = world.engine(EngineConfig {
        attempt_timeout: Duration::from_millis(50),
        upload_timeout: Duration::from_millis(50),
        ..CONFIG
    });
    let session = world.session(&running.worker).await;
    let (attempted, mut attempts) = tokio::sync::mpsc::unbounded_channel();
    let dispatch = Arc::new(Preparing(attempted));
    let lane = running.attach(&session, UNLIMITED, dispatch).await;
    let id = world.accept(&session.0, 1).await;
    assert_eq!(with_retry(attempts.recv()).await, Some(1));
    world.reaches(&session.0, &id, SendStatus::Failed).await;
    let error = world.entry(&session.0, &id).await.error.unwrap();
    assert_eq!(error.code, "attempts_exhausted");
    drop(lane);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_send_rests_until_the_lane_is_opened() {
    let world = World::new().await;
    let config = EngineConfig {
        release_rest: Duration::from_secs(600),
        ..CONFIG
    };
    let running = world.engine(config);
    let session = world.session(&running.worker).await;
    let (dispatch, mut attempts) = telling(|_| async { Verdict::released() });
    let lane = running.attach(&session, UNLIMITED, dispatch).await;
    let id = world.accept(&session.0, 1).await;
    for round in 0..5 {
        let send = next(&mut attempts).await;
        assert_eq!((send.id, send.attempt), (id.clone(), 1), "round {round}");
        let released = async {
            while lane.in_flight() > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        with_retry(released).await;
        lane.open();
    }
    next(&mut attempts).await;
    // The engine was told to look by the acceptance, and once more when it began to listen: both
    // may have come late. It is told of this one after them.
    let (dispatch, mut marks) = sending();
    let marker = world.session(&running.worker).await;
    let _marker = running.attach(&marker, UNLIMITED, dispatch).await;
    world.accept(&marker.0, 1).await;
    next(&mut marks).await;
    let mut more = 0;
    while attempts.try_recv().is_ok() {
        more += 1;
    }
    assert!(more <= 2, "it spins: {more} attempts that nobody asked for");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_can_rest_the_whole_lane() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let until = world.clock.now() + 700;
    let first = Arc::new(AtomicUsize::new(0));
    let (dispatch, mut attempts) = telling(move |_| {
        let number = first.fetch_add(1, Ordering::SeqCst);
        async move {
            let pause = (number == 0).then(|| LanePause {
                scope: Scope::All,
                until,
                reason: "over limit".into(),
            });
            let attempt = if number == 0 {
                Attempt::Release
            } else {
                sent().attempt
            };
            Verdict { attempt, pause }
        }
    });
    let _lane = running.attach(&session, UNLIMITED, dispatch).await;
    let id = world.accept(&session.0, 1).await;
    next(&mut attempts).await;
    let other = world.accept(&session.0, 2).await;
    next(&mut attempts).await;
    assert!(world.clock.now() >= until - 100);
    for id in [&id, &other] {
        world.reaches(&session.0, id, SendStatus::Sent).await;
    }
    let mut connection = world.store.connection.clone();
    let kept: i64 = redis::AsyncCommands::hget(
        &mut connection,
        world.key(&session.0, "lane"),
        "pausedUntil",
    )
    .await
    .unwrap();
    // By Redis' clock, which is not quite ours.
    assert!((kept - until).abs() < 100, "{kept} {until}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_does_not_keep_another_lane_waiting() {
    let world = World::new().await;
    let config = EngineConfig {
        concurrency: 8,
        batch: 8,
        ..CONFIG
    };
    let running = world.engine(config);
    let long = world.session(&running.worker).await;
    let short = world.session(&running.worker).await;
    for n in 0..400 {
        world.accept(&long.0, n).await;
    }
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let (dispatch, _attempts) = telling(move |_| {
        let count = Arc::clone(&count);
        async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            count.fetch_add(1, Ordering::SeqCst);
            sent()
        }
    });
    let _busy = running.attach(&long, UNLIMITED, dispatch).await;
    let (dispatch, mut attempts) = sending();
    let _quick = running.attach(&short, UNLIMITED, dispatch).await;
    for _ in 0..5 {
        world.accept(&short.0, 1).await;
        next(&mut attempts).await;
    }
    assert!(
        done.load(Ordering::SeqCst) < 300,
        "the short lane had to wait for the long one"
    );
    running.end().await;
}
