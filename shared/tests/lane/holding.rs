//! What makes a lane wait: pauses, rests, and a hold on new chats.

use gateway_shared::lane::{Attempt, EnqueueOutcome, Scope};

use crate::world::{DAY, START, World, failure};

#[tokio::test]
async fn a_paused_lane_rests_until_both_pauses_are_over() {
    let world = World::new().await;
    let lanes = &world.lanes;
    let id = world.queue("a").await;
    let rest = |until| lanes.rest(START, world.owner(), Scope::All, until, "overlimit");
    rest(START + 1_000).await.unwrap();
    let turn = world.turn(9).await;
    assert!(turn.sends.is_empty() && turn.more);
    assert_eq!(turn.paused_until, Some(START + 1_000));
    let pause = lanes.pause(START, &world.from, Some(START + 9_000), "operator");
    assert!(pause.await.unwrap());
    // A shorter rest does not end a longer one.
    rest(START + 10).await.unwrap();
    let hold = lanes.standing(START, &world.from).await.unwrap();
    assert_eq!(hold.resting_until, Some(START + 1_000));
    assert_eq!(world.turn(9).await.paused_until, Some(START + 9_000));
    assert!(lanes.resume(START, &world.from).await.unwrap());
    world.claims(9, &[&id]).await;
}

#[tokio::test]
async fn a_pause_is_seen_and_a_synchronous_send_is_told_why() {
    let world = World::new().await;
    let lanes = &world.lanes;
    assert!(
        lanes
            .pause(START, &world.from, None, "audit")
            .await
            .unwrap()
    );
    world.queue("a").await;
    let hold = lanes.standing(START, &world.from).await.unwrap();
    assert!(hold.paused);
    assert_eq!(hold.pause_reason.as_deref(), Some("audit"));
    assert_eq!((hold.resting_until, hold.waiting), (None, 1));
    let emitted = EnqueueOutcome::Paused {
        by_operator: true,
        until: None,
        reason: "audit".to_owned(),
    };
    assert_eq!(world.try_accept(&world.sync("b")).await, emitted);

    assert!(lanes.resume(START, &world.from).await.unwrap());
    let rest = lanes.rest(START, world.owner(), Scope::All, START + 5_000, "overlimit");
    rest.await.unwrap();
    let emitted = EnqueueOutcome::Paused {
        by_operator: false,
        until: Some(START + 5_000),
        reason: "overlimit".to_owned(),
    };
    assert_eq!(world.try_accept(&world.sync("b")).await, emitted);
    world.advance(5_000);
    world.accept(world.sync("b")).await;
    let hold = lanes.standing(world.now(), &world.from).await.unwrap();
    assert!(!hold.paused && hold.resting_until.is_none());

    // Nobody's session can not be paused.
    let mut nobody = world.from.clone();
    nobody.session = gateway_shared::domain::SessionId::generate(START);
    assert!(!lanes.pause(START, &nobody, None, "").await.unwrap());
}

#[tokio::test]
async fn a_hold_on_new_chats_holds_people_never_written_to_and_nobody_else() {
    let world = World::new().await;
    let lanes = &world.lanes;
    let known = world.queue("p1").await;
    world.claims(9, &[&known]).await;
    world.sent(&known).await;

    // The refused one itself waits as a failed attempt does.
    let refused = world.queue("p2").await;
    world.claims(9, &[&refused]).await;
    let until = START + 60_000;
    world
        .settle(&refused, Attempt::Retry(until, failure()))
        .await;
    let hold = lanes.rest(START, world.owner(), Scope::NewChats, until, "reach_out");
    hold.await.unwrap();
    let new = world.queue("p3").await;
    let (friend, group) = (world.queue("p1").await, world.queue("g").await);
    let turn = world.turn(9).await;
    let ids: Vec<_> = turn.sends.iter().map(|send| &send.id).collect();
    assert_eq!(ids, [&friend, &group]);
    assert_eq!(turn.next_due, Some(until));
    assert!(!turn.more, "the owner would spin");
    world.sent(&friend).await;
    world.sent(&group).await;
    assert_eq!(
        world.try_accept(&world.sync("p4")).await,
        EnqueueOutcome::NewChatsHeld { until }
    );
    world.accept(world.sync("p1")).await;
    assert_eq!(world.claim(9).await.len(), 1);
    // What waits has cost no attempt.
    assert_eq!(world.entry(&new).await.attempts, 0);

    world.advance(60_000);
    world.claims(9, &[&refused, &new]).await;
}

#[tokio::test]
async fn an_operator_ends_a_hold_early() {
    let world = World::new().await;
    let lanes = &world.lanes;
    let until = START + DAY / 2;
    let hold = lanes.rest(START, world.owner(), Scope::NewChats, until, "reach_out");
    hold.await.unwrap();
    let id = world.queue("p1").await;
    assert!(world.claim(9).await.is_empty());
    assert!(lanes.resume(START, &world.from).await.unwrap());
    world.claims(9, &[&id]).await;
}
