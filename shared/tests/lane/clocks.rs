//! Law 12: a host whose clock is wrong harms nobody. Here the scripts run at Redis' own time, and the
//! caller says another.

use gateway_shared::clock::{Millis, SystemClock};
use gateway_shared::domain::{Limits, SendStatus, WorkerId};
use gateway_shared::lane::{Attempt, Claim, EnqueueRequest, Lanes, Scope, Settlement};
use gateway_shared::redis::Store;
use gateway_shared::registry::{Heartbeat, Registry, WorkerInfo};

use crate::world::{DAY, RETENTION, World, config, failure};

const HOUR: Millis = 3_600_000;
/// How far the clock of the host is off.
const SKEWS: [Millis; 4] = [10_000, 25 * HOUR, 8 * DAY, -HOUR];

/// The lanes of a world at Redis' own time.
async fn at_redis_time(world: &mut World) {
    let store = Store::open(&config(&world.server)).await.unwrap();
    world.lanes = Lanes::new(store.clone(), RETENTION);
    world.store = store;
}

fn now(skew: Millis) -> Millis {
    SystemClock::local() + skew
}

#[tokio::test]
async fn a_wrong_clock_evicts_no_worker() {
    let mut world = World::new().await;
    at_redis_time(&mut world).await;
    let registry = Registry::new(world.store.clone());
    let info = |heartbeat_at| WorkerInfo {
        id: WorkerId::generate(heartbeat_at),
        version: String::new(),
        host: String::new(),
        sessions: 0,
        capacity: 1,
        memory_bytes: 0,
        cpu_percent: 0,
        draining: false,
        started_at: heartbeat_at,
        heartbeat_at,
    };
    for skew in SKEWS {
        // One with a right clock and one with a wrong one; either looks for the silent.
        let (right, wrong) = (info(now(0)), info(now(skew)));
        for worker in [&right, &wrong] {
            let joined = registry.heartbeat(worker, true).await.unwrap();
            assert!(matches!(joined, Heartbeat::Alive { .. }));
        }
        for at in [now(0), now(skew)] {
            assert_eq!(registry.evict(at, 3_000).await.unwrap(), []);
        }
        for worker in [&right, &wrong] {
            registry.leave(&worker.id).await.unwrap();
        }
    }
    // Silence still counts, whatever anybody's clock says.
    let silent = info(now(DAY));
    registry.heartbeat(&silent, true).await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while registry.evict(now(-DAY), 50).await.unwrap() != [silent.id.clone()] {}
    })
    .await
    .expect("it is evicted");
}

#[tokio::test]
async fn a_wrong_clock_expires_nothing_and_keeps_nothing_for_ever() {
    let mut world = World::new().await;
    at_redis_time(&mut world).await;
    for skew in SKEWS {
        let id = world.send("a");
        world.lanes.accept(now(skew), &id).await.unwrap();
        let id = id.id;
        // A day is a day by Redis' clock, whoever accepted it.
        let entry = world.entry(&id).await;
        let left = entry.expires_at - now(0);
        assert!((DAY - 60_000..=DAY).contains(&left), "{skew}: {left}");
        assert!((entry.created_at - now(0)).abs() < 60_000);
        // Whoever sweeps, and whoever claims.
        let swept = world.lanes.sweep(now(skew), &world.from, 100).await;
        swept.unwrap();
        let claim = Claim { most: 9 };
        let turn = world.lanes.claim(now(skew), world.owner(), claim).await;
        let turn = turn.unwrap();
        assert_eq!(turn.sends.len(), 1, "{skew}");
        assert!((turn.now - now(0)).abs() < 60_000);
        // A retry is due when its owner meant it.
        let failed = Attempt::Retry(now(skew) + 30_000, failure());
        let settlement = [Settlement {
            id: id.clone(),
            attempt: failed,
        }];
        let settled = world.lanes.settle(now(skew), world.owner(), 9, &settlement);
        settled.await.unwrap();
        let turn = world.lanes.claim(now(skew), world.owner(), claim).await;
        let wait = turn.unwrap().next_due.unwrap() - now(0);
        assert!((1..=30_000).contains(&wait), "{skew}: {wait}");
        let gone = failure();
        let (at, owner) = (now(skew), world.owner());
        world.lanes.abandon(at, owner, &gone).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_clock_neither_refills_nor_drains_the_budget() {
    for skew in SKEWS {
        let limits = Limits {
            rate_per_min: 2,
            rate_per_hour: 3,
        };
        let mut world = World::limited(limits).await;
        at_redis_time(&mut world).await;
        for chat in ["a", "b", "c", "d"] {
            world.lanes.accept(now(0), &world.send(chat)).await.unwrap();
        }
        let claim = async |at| {
            let claim = Claim { most: 9 };
            world.lanes.claim(at, world.owner(), claim).await.unwrap()
        };
        assert_eq!(claim(now(skew)).await.sends.len(), 2, "the minute's");
        for at in [now(skew), now(0), now(skew)] {
            let turn = claim(at).await;
            assert!(turn.sends.is_empty() && turn.more);
            assert!((1..=30_000).contains(&turn.throttled_ms), "{skew}");
            assert!(turn.rate.hour < u64::try_from(now(2 * HOUR)).unwrap() * 1_000);
        }
    }
}

#[tokio::test]
async fn a_wrong_clock_trims_no_events_and_moves_no_pause() {
    let mut world = World::new().await;
    at_redis_time(&mut world).await;
    for _ in 0..300 {
        world.lanes.accept(now(0), &world.send("a")).await.unwrap();
    }
    for skew in SKEWS {
        world
            .lanes
            .accept(now(skew), &world.send("a"))
            .await
            .unwrap();
        let organization = &world.from.organization;
        let swept = world.lanes.sweep_events(now(skew), organization).await;
        swept.unwrap();
    }
    assert_eq!(world.events().await.len(), 300 + SKEWS.len());

    for skew in SKEWS {
        let (at, owner) = (now(skew), world.owner());
        let rest = world.lanes.rest(at, owner, Scope::All, at + 5_000, "test");
        rest.await.unwrap();
        let hold = world.lanes.standing(now(0), &world.from).await.unwrap();
        let left = hold.resting_until.unwrap() - now(0);
        assert!((1..=5_000).contains(&left), "{skew}: {left}");
        assert!(world.lanes.resume(now(skew), &world.from).await.unwrap());
    }
    // However far off an owner's wish is, it is over after a month.
    let far = now(0) + 10 * 365 * DAY;
    let owner = world.owner();
    let rest = world.lanes.rest(now(0), owner, Scope::All, far, "test");
    rest.await.unwrap();
    let hold = world.lanes.standing(now(0), &world.from).await.unwrap();
    assert!(hold.resting_until.unwrap() < now(0) + 32 * DAY);
}

#[tokio::test]
async fn what_its_sender_dates_is_kept_as_it_was_dated() {
    let mut world = World::new().await;
    at_redis_time(&mut world).await;
    for skew in SKEWS {
        let at = now(0) + HOUR;
        let send = EnqueueRequest {
            send_at: at,
            expires_at: Some(at + HOUR),
            ..world.send("a")
        };
        world.lanes.accept(now(skew), &send).await.unwrap();
        let entry = world.entry(&send.id).await;
        assert_eq!(entry.status, SendStatus::Scheduled);
        assert_eq!((entry.send_at, entry.expires_at), (Some(at), at + HOUR));
    }
}

/// The clock of a process follows Redis and the monotonic clock; who sets the wall clock moves
/// nothing.
#[test]
fn the_clock_of_a_process_is_redis_time_and_what_has_passed_since() {
    use gateway_shared::clock::Clock;
    let clock = SystemClock::new();
    let (at, reference) = (tokio::time::Instant::now(), 1_000_000);
    clock.follow(reference, at);
    let shown = clock.now();
    assert!((reference..reference + 60_000).contains(&shown), "{shown}");
}
