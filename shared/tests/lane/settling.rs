//! What settling, receipts and an abandoned lane do.

use std::time::Duration;

use futures_util::StreamExt;
use gateway_shared::domain::{InstanceId, OutboxId, SendFailure, SendStatus};
use gateway_shared::lane::{
    Attempt, Claim, EnqueueRequest, Epoch, LaneError, ReceiptStatus, Settled, Settlement,
};
use gateway_shared::redis::Connection;
use redis::AsyncCommands;

use crate::world::{START, World, config, failure};

async fn receipt(world: &World, status: ReceiptStatus, id: &OutboxId) -> u64 {
    let entry = world.entry(id).await;
    let wa = vec![entry.wa_message_id];
    world
        .lanes
        .receipt(
            world.now(),
            world.owner(),
            status,
            world.now(),
            (&entry.chat_jid, "1@lid"),
            &wa,
        )
        .await
        .unwrap()
}

#[tokio::test]
async fn a_turn_settles_a_batch_and_claims_the_next_of_the_same_chats() {
    let world = World::new().await;
    let mut firsts = Vec::new();
    for chat in ["a", "b", "c", "d"] {
        firsts.push(world.queue(chat).await);
    }
    let next = world.queue("a").await;
    world.claim(9).await;
    let attempts = [
        Attempt::Sent(START + 1),
        Attempt::Retry(START + 9, failure()),
        Attempt::Dead(failure()),
        Attempt::Release,
    ];
    let mut settlements: Vec<_> = firsts
        .iter()
        .cloned()
        .zip(attempts)
        .map(|(id, attempt)| Settlement { id, attempt })
        .collect();
    // The same one twice in a batch, and one that nobody knows.
    settlements.push(settlements[0].clone());
    let id = OutboxId::generate(START);
    settlements.push(Settlement {
        id,
        attempt: Attempt::Release,
    });
    let claim = Claim { most: 1 };
    let turn = world
        .lanes
        .turn(world.now(), world.owner(), 9, &settlements, Some(claim))
        .await
        .unwrap();
    use Settled::{Dead, Done, Gone};
    assert_eq!(turn.settled, [Done, Done, Dead, Done, Gone, Gone]);
    assert_eq!(turn.sends.len(), 1);
    // The released one was accepted before the next of chat `a`.
    assert_eq!(turn.sends[0].id, firsts[3]);
    assert!(turn.more);
    assert_eq!(turn.in_flight, 1);
    world.claims(1, &[&next]).await;
    assert_eq!(world.lane("depth").await, 1);
    let dead: Vec<String> = world
        .connection()
        .zrange(world.key("dead", &[]), 0, -1)
        .await
        .unwrap();
    assert_eq!(dead, [firsts[2].as_str()]);
}

#[tokio::test]
async fn settling_again_is_gone_and_changes_nothing() {
    let world = World::new().await;
    let id = world.queue("a").await;
    world.claim(1).await;
    world.sent(&id).await;
    // The lane's record keeps what the latest turn answered, so that a repeat is answered alike.
    let dump = async || {
        let mut dump = world.dump().await;
        dump.retain(|key, _| !key.contains(":l:"));
        dump
    };
    let before = dump().await;
    for attempt in [
        Attempt::Sent(START),
        Attempt::Retry(START, failure()),
        Attempt::Release,
        Attempt::Dead(failure()),
    ] {
        assert_eq!(world.settle(&id, attempt).await, Settled::Gone);
    }
    assert_eq!(dump().await, before);
}

#[tokio::test]
async fn receipts_in_any_order_yield_statuses_in_order() {
    use ReceiptStatus::{Delivered, Played, Read};
    let orders = [
        (
            vec![Delivered, Read, Played],
            vec!["delivered", "read", "played"],
        ),
        (vec![Read, Delivered, Read], vec!["delivered", "read"]),
        (vec![Played, Read, Delivered], vec!["delivered", "played"]),
    ];
    let world = World::new().await;
    for (receipts, expected) in orders {
        let id = world.queue("a").await;
        assert_eq!(receipt(&world, Read, &id).await, 0);
        world.claim(1).await;
        world.sent(&id).await;
        for status in receipts {
            receipt(&world, status, &id).await;
        }
        let history = world.history(&id).await;
        assert_eq!(history[..3], ["queued", "sending", "sent"]);
        assert_eq!(history[3..], expected[..]);
        let emitted: Vec<_> = world
            .events()
            .await
            .into_iter()
            .filter(|event| event["outboxId"] == id.as_str())
            .map(|event| event["status"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(emitted, history);
    }
}

#[tokio::test]
async fn a_receipt_settles_what_lost_its_acknowledgement() {
    let world = World::new().await;
    let flying = world.queue("a").await;
    let delayed = world.queue("b").await;
    let next = world.queue("b").await;
    world.claim(9).await;
    world
        .settle(&delayed, Attempt::Retry(START + 9_000, failure()))
        .await;
    for id in [&flying, &delayed] {
        assert_eq!(receipt(&world, ReceiptStatus::Delivered, id).await, 1);
        assert_eq!(
            world.history(id).await,
            ["queued", "sending", "sent", "delivered"]
        );
    }
    assert_eq!(
        world
            .settle(&flying, Attempt::Retry(START, failure()))
            .await,
        Settled::Gone
    );
    world.claims(9, &[&next]).await;
    assert_eq!(world.lane("depth").await, 0);
}

#[tokio::test]
async fn those_who_wait_are_told_once() {
    let world = World::new().await;
    let instance = InstanceId::generate(START);
    let config = config(&world.server);
    let mut answers = Connection::open_subscriber(&config).await.unwrap();
    answers
        .subscribe(world.store.keys.reply_channel(instance.as_str()))
        .await
        .unwrap();
    let waiting = |token: &str| EnqueueRequest {
        waiter: Some((instance.clone(), token.to_owned())),
        idempotency: crate::world::key_of("h", "f"),
        ..world.sync("a")
    };
    let id = world.accept(waiting("one")).await;
    world.try_accept(&waiting("two")).await;
    world.claim(1).await;
    world
        .settle(&id, Attempt::Dead(SendFailure::refused(479)))
        .await;
    let mut answers = answers.on_message();
    for token in ["one", "two"] {
        let message = tokio::time::timeout(Duration::from_secs(5), answers.next()).await;
        let text: String = message.unwrap().unwrap().get_payload().unwrap();
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["token"], token);
        assert_eq!(answer["outboxId"], id.as_str());
        assert_eq!(answer["status"], "failed");
        assert_eq!(answer["error"]["waCode"], 479);
    }
}

#[tokio::test]
async fn the_owner_is_woken_when_it_waits_and_only_then() {
    let world = World::new().await;
    let config = config(&world.server);
    let mut wakes = Connection::open_subscriber(&config).await.unwrap();
    wakes
        .subscribe(world.store.keys.wake_channel("w"))
        .await
        .unwrap();
    let received = async || -> u64 {
        // Commands of one connection are answered in order: after this one all are counted.
        let info: String = redis::cmd("INFO")
            .arg("commandstats")
            .query_async(&mut world.connection())
            .await
            .unwrap();
        let publish = info
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_publish:calls="));
        publish.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    };
    world.queue("a").await;
    assert_eq!(received().await, 0, "nobody owns it");
    world.set("worker", "w").await;
    let all = world.claim(9).await;
    world.sent(&all[0].id).await;
    assert!(!world.turn(9).await.more);
    world.queue("a").await;
    assert_eq!(received().await, 1);
    world.queue("b").await;
    world.queue("c").await;
    assert_eq!(received().await, 1, "it is awake");
    assert!(world.turn(1).await.more);
    world.queue("d").await;
    assert_eq!(received().await, 1, "it knows of more");
    // Something falls due earlier than the owner knows.
    world
        .accept(EnqueueRequest {
            send_at: START + 5,
            ..world.send("e")
        })
        .await;
    assert_eq!(received().await, 2);
    let mut messages = wakes.on_message();
    let text: String = messages.next().await.unwrap().get_payload().unwrap();
    assert_eq!(text, world.from.session.as_str());
}

#[tokio::test]
async fn an_abandoned_lane_ends_everything_in_it() {
    let world = World::new().await;
    let flying = world.queue("a").await;
    let behind = world.queue("a").await;
    let delayed = world.queue("b").await;
    let scheduled = world
        .accept(EnqueueRequest {
            send_at: START + 9,
            ..world.send("c")
        })
        .await;
    world.claim(9).await;
    world
        .settle(&delayed, Attempt::Retry(START + 9_000, failure()))
        .await;
    let gone = SendFailure::new("session_logged_out", "the phone removed the device");
    // A worker that was frozen may wake with an old logout: these sends are not its own any more.
    let before = world.entry(&flying).await;
    let stale = (&world.from, Epoch(world.epoch.0 - 1));
    let refused = world.lanes.abandon(world.now(), stale, &gone).await;
    assert!(matches!(refused, Err(LaneError::Stale(_))));
    assert_eq!(world.entry(&flying).await, before);
    assert_eq!(world.entry(&behind).await.status, SendStatus::Queued);
    let ended = world
        .lanes
        .abandon(world.now(), world.owner(), &gone)
        .await
        .unwrap();
    assert_eq!(ended, 4);
    for id in [&flying, &behind, &delayed, &scheduled] {
        let entry = world.entry(id).await;
        assert_eq!(entry.status, SendStatus::Failed);
        let error = entry.error.unwrap();
        if id == &flying {
            // It was on its way.
            assert_eq!(error.code, "outcome_unknown");
            assert_eq!(error.cause.as_ref(), Some(&gone.code));
        } else {
            assert_eq!(error, gone);
        }
    }
    assert_eq!(
        (world.lane("depth").await, world.turn(9).await.in_flight),
        (0, 0)
    );
    assert_eq!(
        world.settle(&flying, Attempt::Sent(START)).await,
        Settled::Gone
    );
    world.queue("a").await;
    assert_eq!(world.claim(9).await.len(), 1);
}

#[tokio::test]
async fn what_was_accepted_and_claimed_survives_the_death_of_redis() {
    let mut world = World::new().await;
    let flying = world.queue("a").await;
    let waiting = world.queue("b").await;
    world.claim(1).await;
    world.server.kill9().await.unwrap();
    world.server.restart().await.unwrap();
    // The connection notices the death with its first command.
    while world.store.ping().await.is_err() {}
    world.sent(&flying).await;
    world.claims(9, &[&waiting]).await;
    assert_eq!(world.history(&flying).await, ["queued", "sending", "sent"]);
}
