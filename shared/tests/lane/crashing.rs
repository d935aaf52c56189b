//! Messages that kill the workers that attempt them, and failed ones that get another try.

use gateway_shared::domain::SendStatus;
use gateway_shared::lane::{Attempt, CrashPolicy, Retried};

use crate::world::{CRASHES, START, World, failure};

#[tokio::test]
async fn a_message_that_owners_vanish_with_is_a_dead_letter_in_the_end() {
    let mut world = World::new().await;
    let (poison, next) = (world.queue("a").await, world.queue("a").await);
    for owner in 1..CRASHES.most {
        world.claims(1, &[&poison]).await;
        let recovered = world.recover().await;
        assert_eq!(
            (recovered.returned, recovered.dead),
            (1, 0),
            "owner {owner}"
        );
    }
    world.claims(1, &[&poison]).await;
    assert_eq!(world.recover().await.dead, 1);
    let entry = world.entry(&poison).await;
    assert_eq!(entry.status, SendStatus::Failed);
    // Each of those owners may have put it on the wire.
    let error = entry.error.unwrap();
    assert_eq!(error.code, "outcome_unknown");
    assert_eq!(error.cause.as_deref(), Some("worker_crashed"));
    // Its chat goes on.
    world.claims(9, &[&next]).await;
    world.sent(&next).await;
}

#[tokio::test]
async fn a_second_crash_makes_it_rest_so_that_it_is_alone_the_next_time() {
    let mut world = World::new().await;
    let policy = CrashPolicy {
        most: 9,
        first_rest_ms: 1_000,
        longest_rest_ms: 3_000,
    };
    let id = world.queue("a").await;
    for (crash, longest) in [(1, 0), (2, 1_500), (3, 3_000), (4, 4_500), (5, 4_500)] {
        assert_eq!(world.claim(9).await.len(), 1, "crash {crash}");
        world.take_over().await;
        let owner = world.owner();
        let recover = world.lanes.recover(world.now(), owner, policy, &[]);
        assert_eq!(recover.await.unwrap().returned, 1);
        let due = world.turn(0).await.next_due.unwrap() - world.now();
        if crash > 1 {
            assert!((longest / 3..=longest).contains(&due), "{crash}: {due}");
            world.advance(longest);
        }
    }
    assert_eq!(world.entry(&id).await.attempts, 0);
}

#[tokio::test]
async fn only_owners_that_vanish_one_after_the_other_count() {
    let mut world = World::new().await;
    let id = world.queue("a").await;
    let vanish = async |world: &mut World| {
        world.claims(9, &[&id]).await;
        world.recover().await.dead
    };
    for _ in 1..CRASHES.most {
        assert_eq!(vanish(&mut world).await, 0);
    }
    // An owner that lives to tell how it ended.
    world.claims(9, &[&id]).await;
    let later = Attempt::Retry(world.now(), failure());
    world.settle(&id, later).await;
    for _ in 1..CRASHES.most {
        assert_eq!(vanish(&mut world).await, 0);
    }
    // One that hands over, one that lost an answer, and one that was only cut off.
    world.claims(9, &[&id]).await;
    world.set("parted", world.epoch.0).await;
    assert_eq!(world.recover().await.dead, 0);
    world.claims(9, &[&id]).await;
    let (now, lanes) = (world.now(), world.lanes.clone());
    let lost = lanes.recover(now, world.owner(), CRASHES, &[]).await;
    assert_eq!(lost.unwrap().returned, 1);
    let cut_off = world.epoch;
    lanes.survived(&world.from, cut_off).await.unwrap();
    assert_eq!(vanish(&mut world).await, 0, "it said so before");
    assert_eq!(world.entry(&id).await.status, SendStatus::Sending);
    assert_eq!(vanish(&mut world).await, 1);
}

#[tokio::test]
async fn a_late_sign_of_life_takes_the_suspicion_back() {
    let mut world = World::new().await;
    let id = world.queue("a").await;
    for _ in 0..2 * CRASHES.most {
        world.claims(9, &[&id]).await;
        let cut_off = world.epoch;
        assert_eq!(world.recover().await.dead, 0);
        let acquitted = world.lanes.survived(&world.from, cut_off).await.unwrap();
        assert_eq!(acquitted, 1);
    }
}

#[tokio::test]
async fn a_failed_send_can_have_another_try_under_its_id() {
    let world = World::new().await;
    let (failed, other) = (world.queue("a").await, world.queue("a").await);
    world.claims(9, &[&failed]).await;
    world.settle(&failed, Attempt::Dead(failure())).await;
    let retry = async |id| world.retry(id).await;
    assert_eq!(retry(&failed).await, Retried::Queued);
    assert_eq!(retry(&failed).await, Retried::NotFailed(SendStatus::Queued));
    let entry = world.entry(&failed).await;
    assert_eq!((entry.tries, entry.attempts, entry.error), (2, 0, None));
    // At the end of its chat.
    world.claims(9, &[&other]).await;
    world.sent(&other).await;
    let sends = world.claim(9).await;
    assert_eq!(sends[0].id, failed);
    assert_eq!(sends[0].wa_message_id, entry.wa_message_id);
    world.sent(&failed).await;
    assert_eq!(
        world.history(&failed).await,
        ["queued", "sending", "failed", "queued", "sending", "sent"]
    );
    let tries: Vec<_> = world.events().await;
    let tries: Vec<_> = tries
        .iter()
        .filter(|event| event["outboxId"] == failed.as_str())
        .map(|event| event["try"].as_u64().unwrap_or(1))
        .collect();
    assert_eq!(tries, [1, 1, 1, 2, 2, 2]);
    assert_eq!(retry(&failed).await, Retried::NotFailed(SendStatus::Sent));
    let nobody = gateway_shared::domain::OutboxId::generate(START);
    assert_eq!(retry(&nobody).await, Retried::NotFound);
}

/// One that expired behind the head of its chat leaves its old place for good.
#[tokio::test]
async fn a_retried_send_has_one_place() {
    let world = World::new().await;
    let first = world.queue("a").await;
    let brief = gateway_shared::lane::EnqueueRequest {
        expires_at: Some(START + 100),
        ..world.send("a")
    };
    let expired = world.accept(brief).await;
    let third = world.queue("a").await;
    world.claims(9, &[&first]).await;
    world.advance(200);
    world
        .lanes
        .sweep(world.now(), &world.from, 10)
        .await
        .unwrap();
    assert_eq!(world.retry(&expired).await, Retried::Queued);
    world.sent(&first).await;
    for id in [&third, &expired] {
        world.claims(9, &[id]).await;
        world.sent(id).await;
    }
    assert_eq!(world.lane("depth").await, 0);
}
