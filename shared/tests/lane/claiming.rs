//! Who is claimed, in which order, and by whom.

use gateway_shared::domain::{Limits, SendStatus};
use gateway_shared::lane::{
    Attempt, Budget, Cancelled, Claim, EnqueueRequest, Epoch, LaneError, RateState, Scope, Settled,
    Settlement, Window,
};

use crate::world::{CRASHES, DAY, START, World, failure};

#[tokio::test]
async fn one_of_a_chat_at_a_time_and_chats_in_order_of_acceptance() {
    let world = World::new().await;
    let a1 = world.queue("a").await;
    let a2 = world.queue("a").await;
    let b1 = world.queue("b").await;
    let turn = world.turn(10).await;
    let ids: Vec<_> = turn.sends.iter().map(|s| s.id.clone()).collect();
    assert_eq!(ids, [a1.clone(), b1.clone()]);
    assert_eq!((turn.more, turn.in_flight), (false, 2));
    assert_eq!(turn.sends[0].attempt, 1);
    assert_eq!(turn.sends[0].to.as_str(), crate::world::jid("a"));
    assert!(world.claim(10).await.is_empty());
    world.sent(&a1).await;
    world.claims(10, &[&a2]).await;
    assert_eq!(world.history(&a1).await, ["queued", "sending", "sent"]);
}

#[tokio::test]
async fn a_retry_keeps_its_place_waits_and_is_counted() {
    let world = World::new().await;
    let first = world.queue("a").await;
    let second = world.queue("a").await;
    for attempt in 1..=3 {
        let sends = world.claim(10).await;
        assert_eq!(sends.len(), 1);
        assert_eq!((&sends[0].id, sends[0].attempt), (&first, attempt));
        let due = world.now() + 500;
        let settled = world.settle(&first, Attempt::Retry(due, failure())).await;
        if attempt == 3 {
            assert_eq!(settled, Settled::Dead);
        } else {
            assert_eq!(settled, Settled::Done);
            let turn = world.turn(10).await;
            assert!(turn.sends.is_empty());
            assert_eq!(turn.next_due, Some(due));
            world.advance(500);
        }
    }
    let entry = world.entry(&first).await;
    assert_eq!((entry.status, entry.attempts), (SendStatus::Failed, 3));
    assert_eq!(entry.error.unwrap().code, "attempts_exhausted");
    world.claims(10, &[&second]).await;
    assert_eq!(world.history(&first).await, ["queued", "sending", "failed"]);
}

#[tokio::test]
async fn a_release_keeps_its_place_and_is_not_counted() {
    let world = World::new().await;
    let first = world.queue("a").await;
    world.queue("a").await;
    for _ in 0..5 {
        let sends = world.claim(10).await;
        assert_eq!((&sends[0].id, sends[0].attempt), (&first, 1));
        assert_eq!(world.settle(&first, Attempt::Release).await, Settled::Done);
        assert_eq!(world.lane("depth").await, 2);
    }
    assert_eq!(world.entry(&first).await.attempts, 0);
    assert_eq!(world.history(&first).await, ["queued", "sending"]);
}

#[tokio::test]
async fn an_urgent_entry_overtakes_other_chats_but_never_its_own() {
    let world = World::new().await;
    let a = world.queue("a").await;
    let b1 = world.queue("b").await;
    let b2 = world.accept(world.sync("b")).await;
    let c = world.accept(world.sync("c")).await;
    assert_eq!(world.lane("urgent").await, 2);
    world.claims(1, &[&b1]).await;
    world.claims(1, &[&c]).await;
    world.sent(&b1).await;
    world.claims(1, &[&b2]).await;
    world.claims(1, &[&a]).await;
    assert_eq!(world.lane("urgent").await, 0);
}

#[tokio::test]
async fn scheduled_entries_enter_when_due_in_order_of_their_time() {
    let world = World::new().await;
    let at = |send_at| EnqueueRequest {
        send_at,
        ..world.send("a")
    };
    let late = world.accept(at(START + 2_000)).await;
    let early = world.accept(at(START + 1_000)).await;
    let now = world.queue("a").await;
    world.claims(9, &[&now]).await;
    assert_eq!(world.turn(9).await.next_due, Some(START + 1_000));
    world.sent(&now).await;
    world.advance(5_000);
    world.claims(9, &[&early]).await;
    world.sent(&early).await;
    world.claims(9, &[&late]).await;
    assert_eq!(
        world.history(&late).await,
        ["scheduled", "queued", "sending"]
    );
}

#[tokio::test]
async fn what_waits_past_its_time_expires_and_what_flies_does_not() {
    let world = World::new().await;
    let until = |chat, expires_at| EnqueueRequest {
        expires_at: Some(expires_at),
        ..world.send(chat)
    };
    let flying = world.accept(until("a", START + 1_000)).await;
    let behind = world.accept(until("a", START + 1_000)).await;
    let other = world.accept(until("b", START + 1_000)).await;
    let later = world
        .accept(EnqueueRequest {
            send_at: START + DAY,
            ..until("c", START + 2_000)
        })
        .await;
    world.claims(1, &[&flying]).await;
    world.advance(1_000);
    let turn = world.turn(9).await;
    assert!(turn.sends.is_empty());
    assert_eq!(turn.next_due, Some(START + 2_000));
    for id in [&behind, &other] {
        let entry = world.entry(id).await;
        assert_eq!(entry.status, SendStatus::Failed);
        assert_eq!(entry.error.unwrap().code, "expired");
    }
    assert_eq!(world.lane("depth").await, 1);
    // Not attempted after all: it waited past its time.
    world.settle(&flying, Attempt::Release).await;
    assert!(world.claim(9).await.is_empty());
    assert_eq!(
        world.history(&flying).await,
        ["queued", "sending", "failed"]
    );
    world.advance(1_000);
    assert_eq!(
        world
            .lanes
            .sweep(world.now(), &world.from, 9)
            .await
            .unwrap(),
        1
    );
    assert_eq!(world.history(&later).await, ["scheduled", "failed"]);
    assert_eq!(world.lane("depth").await, 0);
}

#[tokio::test]
async fn an_entry_is_cancelled_wherever_it_waits() {
    let world = World::new().await;
    let head = world.queue("a").await;
    let middle = world.queue("a").await;
    let last = world.queue("a").await;
    let scheduled = world
        .accept(EnqueueRequest {
            send_at: START + 9,
            ..world.send("b")
        })
        .await;
    let urgent = world.accept(world.sync("c")).await;
    for id in [&middle, &head, &scheduled, &urgent] {
        let cancelled = world.cancel(id).await;
        assert_eq!(cancelled, Cancelled::Done);
        let again = world.cancel(id).await;
        assert_eq!(again, Cancelled::AlreadyTerminal("cancelled".to_owned()));
    }
    assert_eq!(
        (world.lane("depth").await, world.lane("urgent").await),
        (1, 0)
    );
    world.advance(1_000);
    world.claims(9, &[&last]).await;
    let flying = world.cancel(&last).await;
    assert_eq!(flying, Cancelled::InFlight);
    // Between two attempts it may be at the recipient.
    world
        .settle(&last, Attempt::Retry(world.now() + 9_000, failure()))
        .await;
    let delayed = world.cancel(&last).await;
    assert_eq!(delayed, Cancelled::InFlight);
}

#[tokio::test]
async fn a_new_owner_finds_the_claims_of_the_old_one_and_the_spent_budget() {
    let limits = Limits {
        rate_per_min: 3,
        rate_per_hour: 100,
    };
    let mut world = World::limited(limits).await;
    let mut budget = Budget::new(limits, RateState::default());
    let first = world.queue("a").await;
    let second = world.queue("a").await;
    world.queue("b").await;
    world.queue("c").await;
    assert_eq!(world.claim_within(&mut budget, 9).await.len(), 3);
    let recovered = world.recover().await;
    assert_eq!(recovered.returned, 3);
    assert_eq!(recovered.rate, budget.state());
    let mut resumed = Budget::new(limits, recovered.rate);
    assert!(world.claim_within(&mut resumed, 9).await.is_empty());
    assert_eq!(
        resumed.available(world.now(), 1).unwrap_err().window,
        Window::Minute
    );
    world.advance(20_000);
    let sends = world.claim_within(&mut resumed, 9).await;
    assert_eq!(sends.len(), 1);
    assert_eq!((&sends[0].id, sends[0].attempt), (&first, 1));
    world.sent(&first).await;
    world.advance(60_000);
    let ids: Vec<_> = world
        .claim_within(&mut resumed, 9)
        .await
        .into_iter()
        .map(|s| s.id)
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.contains(&second));
}

#[tokio::test]
async fn recovering_leaves_alone_what_the_caller_works_on() {
    let world = World::new().await;
    let kept = world.queue("a").await;
    let lost = world.queue("b").await;
    assert_eq!(world.turn(9).await.in_flight, 2);
    let recovered = world
        .lanes
        .recover(
            world.now(),
            world.owner(),
            CRASHES,
            std::slice::from_ref(&kept),
        )
        .await
        .unwrap();
    assert_eq!(recovered.returned, 1);
    world.claims(9, &[&lost]).await;
    world.sent(&kept).await;
}

#[tokio::test]
async fn a_stale_owner_changes_nothing() {
    let mut world = World::new().await;
    let flying = world.queue("a").await;
    world.queue("b").await;
    world.claim(1).await;
    let wa = vec![world.entry(&flying).await.wa_message_id];
    let old = world.epoch;
    world.take_over().await;
    let before = world.dump().await;
    let owner = (&world.from, old);
    let stale = |result: Result<(), LaneError>| assert!(matches!(result, Err(LaneError::Stale(_))));
    let (now, lanes) = (world.now(), &world.lanes);
    let claim = Claim { most: 5 };
    stale(lanes.claim(now, owner, claim).await.map(|_| ()));
    for attempt in [
        Attempt::Sent(now),
        Attempt::Retry(now, failure()),
        Attempt::Silent(now, failure()),
        Attempt::Release,
        Attempt::Cut,
        Attempt::Dead(failure()),
    ] {
        let settlement = Settlement {
            id: flying.clone(),
            attempt,
        };
        stale(lanes.settle(now, owner, 3, &[settlement]).await.map(|_| ()));
    }
    stale(lanes.recover(now, owner, CRASHES, &[]).await.map(|_| ()));
    let read = gateway_shared::lane::ReceiptStatus::Read;
    stale(
        lanes
            .receipt(now, owner, read, now, ("", ""), &wa)
            .await
            .map(|_| ()),
    );
    for scope in [Scope::All, Scope::NewChats] {
        stale(lanes.rest(now, owner, scope, now + 9, "ban").await);
    }
    let never = (&world.from, Epoch(77));
    stale(lanes.claim(now, never, claim).await.map(|_| ()));
    let mut after = world.dump().await;
    let refused = after.remove(&world.key("refused", &[]));
    assert!(refused.is_some(), "refusals are counted");
    assert_eq!(after, before);
}

/// What the end-to-end tests look for when they say that nothing was left in flight.
#[tokio::test]
async fn the_tests_know_where_to_find_what_is_in_flight() {
    let world = World::new().await;
    let key = gateway_tests::world::in_flight_key(&world.root(), world.from.session.as_str());
    let claimed = async || {
        let mut ask = redis::cmd("HLEN");
        ask.arg(&key);
        let count: u64 = ask.query_async(&mut world.connection()).await.unwrap();
        count
    };
    assert_eq!(claimed().await, 0);
    world.queue("ada").await;
    world.claim(1).await;
    assert_eq!(claimed().await, 1);
}
