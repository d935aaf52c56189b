//! What acceptance answers, and what it leaves behind.

use gateway_shared::domain::{InstanceId, Limits, SendStatus};
use gateway_shared::identity::Names;
use gateway_shared::lane::{
    Attempt, Budget, EnqueueOutcome, EnqueueRequest, RateState, Replay, Settled, Window,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::AsyncCommands;

use crate::world::{ACCOUNT, DAY, START, World, failure, key_of};

#[tokio::test]
async fn an_accepted_send_waits_in_its_lane_and_is_told() {
    let world = World::new().await;
    let send = world.send("a");
    let accepted = world.try_accept(&send).await;
    let (status, at) = (SendStatus::Queued, START);
    let names = Names::default();
    assert_eq!(accepted, EnqueueOutcome::New { status, at, names });

    let entry = world.entry(&send.id).await;
    assert_eq!(entry.wa_message_id, send.wa_message_id);
    assert_eq!(entry.status, SendStatus::Queued);
    assert_eq!(entry.attempts, 0);
    assert_eq!(world.lane("depth").await, 1);

    let events = world.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["outboxId"], send.id.as_str());
    assert_eq!(events[0]["waMessageId"], send.wa_message_id);
    assert_eq!(events[0]["status"], "queued");
    assert_eq!(events[0]["requestId"], "req-1");
    assert_eq!(events[0]["timestamp"], START);
}

#[tokio::test]
async fn a_repeated_delivery_of_one_acceptance_changes_nothing() {
    let world = World::new().await;
    for key in [None, key_of("h", "f")] {
        let send = EnqueueRequest {
            idempotency: key,
            ..world.send("a")
        };
        world.accept(send.clone()).await;
        let before = world.dump().await;
        assert!(matches!(
            world.try_accept(&send).await,
            EnqueueOutcome::New {
                status: SendStatus::Queued,
                ..
            }
        ));
        assert_eq!(world.dump().await, before);
    }
}

#[tokio::test]
async fn unknown_and_deleted_sessions_are_not_found() {
    let world = World::new().await;
    world.set("desired", "deleted").await;
    assert_eq!(
        world.try_accept(&world.send("a")).await,
        EnqueueOutcome::SessionNotFound
    );
    let _: () = world
        .connection()
        .del(world.key("session", &[]))
        .await
        .unwrap();
    assert_eq!(
        world.try_accept(&world.send("a")).await,
        EnqueueOutcome::SessionNotFound
    );
    assert!(world.dump().await.is_empty());
}

#[tokio::test]
async fn a_sync_send_wants_a_connected_session_an_async_one_does_not() {
    let world = World::new().await;
    world.set("status", "starting").await;
    let status = "starting".to_owned();
    assert_eq!(
        world.try_accept(&world.sync("a")).await,
        EnqueueOutcome::NotConnected { status }
    );
    world.queue("a").await;
}

#[tokio::test]
async fn a_full_lane_refuses() {
    let world = World::new().await;
    world.queue("a").await;
    let send = EnqueueRequest {
        max_depth: 1,
        ..world.send("b")
    };
    assert_eq!(
        world.try_accept(&send).await,
        EnqueueOutcome::LaneFull { depth: 1 }
    );
}

#[tokio::test]
async fn a_hundred_uses_of_a_key_at_once_are_one_send() {
    let world = World::new().await;
    let sends: Vec<_> = (0..100)
        .map(|n| {
            let mut send = if n % 2 == 0 {
                world.send("a")
            } else {
                world.sync("a")
            };
            send.idempotency = key_of("h", "f");
            send.waiter = Some((InstanceId::generate(START), n.to_string()));
            send
        })
        .collect();
    let all = futures_util::future::join_all(sends.iter().map(|send| world.try_accept(send))).await;
    let new = all
        .iter()
        .filter(|a| matches!(a, EnqueueOutcome::New { .. }))
        .count();
    assert_eq!(new, 1);
    let claimed = world.claim(10).await;
    assert_eq!(claimed.len(), 1);
    for accepted in &all {
        if let EnqueueOutcome::Replayed(Replay {
            id, wa_message_id, ..
        }) = accepted
        {
            assert_eq!(*id, claimed[0].id);
            assert_eq!(*wa_message_id, claimed[0].wa_message_id);
        }
    }
}

#[tokio::test]
async fn a_key_belongs_to_its_request_and_replays_its_fate() {
    let world = World::new().await;
    let keyed = |fingerprint| EnqueueRequest {
        idempotency: key_of("h", fingerprint),
        ..world.send("a")
    };
    let id = world.accept(keyed("f")).await;
    let reused = world.try_accept(&keyed("other")).await;
    assert_eq!(reused, EnqueueOutcome::KeyReused { id: id.clone() });

    world.claim(1).await;
    assert_eq!(
        world.settle(&id, Attempt::Dead(failure())).await,
        Settled::Dead
    );
    let EnqueueOutcome::Replayed(replay) = world.try_accept(&keyed("f")).await else {
        panic!("no replay");
    };
    assert_eq!(replay.id, id);
    assert_eq!(replay.status, SendStatus::Failed);
    assert_eq!(replay.error, Some(failure()));
}

#[tokio::test]
async fn a_refused_send_leaves_its_key_unused() {
    let world = World::limited(Limits {
        rate_per_min: 1,
        rate_per_hour: 0,
    })
    .await;
    let mut budget = Budget::new(
        Limits {
            rate_per_min: 1,
            rate_per_hour: 0,
        },
        RateState::default(),
    );
    world.queue("a").await;
    assert_eq!(world.claim_within(&mut budget, 9).await.len(), 1);
    let send = EnqueueRequest {
        idempotency: key_of("h", "f"),
        ..world.sync("b")
    };
    let (window, retry_after_ms) = (Window::Minute, 60_000);
    let refused = EnqueueOutcome::RateLimited {
        window,
        retry_after_ms,
    };
    assert_eq!(world.try_accept(&send).await, refused);
    let other = EnqueueRequest {
        idempotency: key_of("h", "g"),
        ..world.send("b")
    };
    world.accept(other).await;
}

#[tokio::test]
async fn the_index_forgets_what_retention_took_and_skips_what_outlives_it() {
    let world = World::new().await;
    // It waits for longer than the outbox keeps what ended.
    let kept = EnqueueRequest {
        send_at: START + 30 * DAY,
        expires_at: Some(START + 60 * DAY),
        ..world.send("z")
    };
    let kept = world.accept(kept).await;
    for _ in 0..20 {
        let id = world.queue("a").await;
        world.claim(1).await;
        world.sent(&id).await;
        let _: () = world
            .connection()
            .del(gateway_shared::redis::keys::key(
                gateway_shared::redis::keys::PARTITION,
                &world.root(),
                "outbox",
                &[id.as_str()],
            ))
            .await
            .unwrap();
    }
    world.advance(3 * DAY);
    for _ in 0..12 {
        world.queue("b").await;
    }
    let left: usize = world
        .connection()
        .zcard(world.key("outbox_index", &[]))
        .await
        .unwrap();
    assert_eq!(left, 13);
    let known: usize = world
        .connection()
        .hlen(world.key("by_wa_id", &[]))
        .await
        .unwrap();
    assert_eq!(known, 13);
    assert_eq!(world.entry(&kept).await.status, SendStatus::Scheduled);
}

/// What the script answers a synchronous send is what governor would say to it and to all that
/// goes before it.
#[test]
fn the_rate_check_is_governors_own_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::new());
    let cases = (
        0_u32..6,
        0_u32..9,
        0_u64..90_000_000,
        0_u64..90_000_000,
        0_u32..4,
        0_u32..4,
    );
    let config = Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, crate::world::rng())
        .run(
            &cases,
            |(per_min, per_hour, minute, hour, urgent, in_chat)| {
                runtime.block_on(async {
                    let _: () = redis::cmd("FLUSHDB")
                        .query_async(&mut world.connection())
                        .await
                        .unwrap();
                    world.set("status", "working").await;
                    world.set("waJid", ACCOUNT).await;
                    world.set("epoch", 1).await;
                    let now = world.now();
                    for _ in 0..urgent {
                        world.accept(world.sync("u")).await;
                    }
                    for _ in 0..in_chat {
                        world.accept(world.send("a")).await;
                    }
                    world.set("ratePerMin", per_min).await;
                    world.set("ratePerHour", per_hour).await;
                    let base = u64::try_from(START - 60_000).unwrap() * 1_000;
                    let state = RateState {
                        minute: base + minute,
                        hour: base + hour,
                    };
                    let tat = [("tatMinute", state.minute), ("tatHour", state.hour)];
                    let _: () = world
                        .connection()
                        .hset_multiple(world.key("lane", &[]), &tat)
                        .await
                        .unwrap();

                    let limits = Limits {
                        rate_per_min: per_min,
                        rate_per_hour: per_hour,
                    };
                    let budget = Budget::new(limits, state);
                    let cells = urgent + in_chat + 1;
                    let fits = |at| budget.available(at, cells) == Ok(cells);
                    match world.try_accept(&world.sync("a")).await {
                        EnqueueOutcome::New { .. } => prop_assert!(fits(now)),
                        EnqueueOutcome::RateLimited { retry_after_ms, .. } => {
                            prop_assert!(!fits(now));
                            // More than a burst never fits at one moment.
                            let most = [per_min, per_hour].into_iter().filter(|l| *l > 0).min();
                            if most.is_some_and(|most| cells <= most) {
                                let later = now + i64::try_from(retry_after_ms).unwrap();
                                prop_assert!(fits(later));
                                prop_assert!(!fits(later - 1));
                            }
                        }
                        other => prop_assert!(false, "{other:?}"),
                    }
                    Ok(())
                })
            },
        )
        .unwrap();
}
