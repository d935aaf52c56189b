//! What one call, one entry and one list may cost at most, and what is left in the end.

use gateway_shared::domain::{InstanceId, OutboxId, SendFailure, SendStatus};
use gateway_shared::lane::{
    Attempt, Claim, EnqueueRequest, LaneError, Lanes, OutboxFilter, ReceiptStatus, Retention,
    Scope, Settlement,
};
use gateway_shared::session::Sessions;
use redis::AsyncCommands;

use crate::messages::hear;
use crate::world::{CRASHES, DAY, RETENTION, START, World, failure, jid, key_of};

async fn ids(world: &World, filter: &OutboxFilter) -> Vec<OutboxId> {
    let (mut found, mut filter) = (Vec::new(), filter.clone());
    loop {
        let (page, next) = world.lanes.list(&world.from, &filter).await.unwrap();
        assert!(page.len() <= filter.limit);
        found.extend(page.into_iter().map(|entry| entry.outbox_id));
        if next.is_empty() {
            return found;
        }
        filter.cursor = next;
    }
}

/// Of one moment, the number taken at acceptance decides: in the schedule, and in the list.
#[tokio::test]
async fn what_was_accepted_first_comes_first_among_equals() {
    let world = World::new().await;
    let scheduled = EnqueueRequest {
        send_at: START + 2_000,
        ..world.send("a")
    };
    let batch: Vec<EnqueueRequest> = (0..40)
        .map(|_| EnqueueRequest {
            id: OutboxId::generate(START),
            wa_message_id: gateway_shared::domain::new_message_id(),
            ..scheduled.clone()
        })
        .collect();
    let organization = &world.from.organization;
    let accepted = world.lanes.accept_all(START, organization, &batch).await;
    assert_eq!(accepted.unwrap().len(), 40);
    let order: Vec<OutboxId> = batch.iter().map(|send| send.id.clone()).collect();
    let filter = OutboxFilter {
        limit: 7,
        ..OutboxFilter::default()
    };
    let mut listed = ids(&world, &filter).await;
    listed.reverse();
    assert_eq!(listed, order);
    let filter = OutboxFilter {
        status: Some(SendStatus::Scheduled),
        ..filter
    };
    let mut listed = ids(&world, &filter).await;
    listed.reverse();
    assert_eq!(listed, order);
    world.advance(2_000);
    for id in &order {
        world.claims(9, &[id]).await;
        world.sent(id).await;
    }
}

/// How many commands Redis has carried out.
async fn commands(world: &World) -> u64 {
    let info: String = redis::cmd("INFO")
        .arg("stats")
        .query_async(&mut world.connection())
        .await
        .unwrap();
    let count = info
        .lines()
        .find_map(|line| line.strip_prefix("total_commands_processed:"));
    count.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_list_costs_no_more_than_it_may_look_at() {
    let world = World::new().await;
    let mut failed = Vec::new();
    let organization = &world.from.organization;
    for round in 0..6 {
        let batch: Vec<EnqueueRequest> = (0..500).map(|_| world.send("a")).collect();
        let accepted = world.lanes.accept_all(world.now(), organization, &batch);
        accepted.await.unwrap();
        if round == 0 {
            for send in &batch[..3] {
                world.claims(1, &[&send.id]).await;
                world.settle(&send.id, Attempt::Dead(failure())).await;
                failed.push(send.id.clone());
                world.advance(1);
            }
        }
        world.advance(1);
    }
    for (status, chat) in [
        (Some(SendStatus::Failed), None),
        (Some(SendStatus::Sent), None),
        (None, Some(jid("b"))),
    ] {
        let filter = OutboxFilter {
            status,
            chat,
            limit: 1,
            ..OutboxFilter::default()
        };
        let before = commands(&world).await;
        let (page, next) = world.lanes.list(&world.from, &filter).await.unwrap();
        let cost = commands(&world).await - before;
        assert!(cost < 300, "{status:?}: {cost} commands");
        assert!(!next.is_empty());
        // Dead letters have an index of their own: the latest is there at once.
        let found = page.first().map(|entry| &entry.outbox_id);
        assert_eq!(
            found,
            failed.last().filter(|_| status == Some(SendStatus::Failed))
        );
    }
    let filter = OutboxFilter {
        status: Some(SendStatus::Failed),
        limit: 2,
        ..OutboxFilter::default()
    };
    let (page, next) = world.lanes.list(&world.from, &filter).await.unwrap();
    assert_eq!(page.len(), 2);
    // What the cursor names may go: others follow it all the same.
    world.retry(&page[1].outbox_id).await;
    let filter = OutboxFilter {
        cursor: next,
        ..filter
    };
    let (page, _) = world.lanes.list(&world.from, &filter).await.unwrap();
    assert_eq!(page[0].outbox_id, failed[0]);
}

#[tokio::test]
async fn an_entry_remembers_a_bounded_number_of_waiters() {
    let world = World::new().await;
    let send = |n: u32| EnqueueRequest {
        idempotency: key_of("h", "f"),
        waiter: Some((InstanceId::generate(START), n.to_string())),
        ..world.sync("a")
    };
    let first = send(0);
    world.accept(first.clone()).await;
    for n in 1..200 {
        world.try_accept(&send(n)).await;
    }
    let key = gateway_shared::redis::keys::key(
        gateway_shared::redis::keys::PARTITION,
        &world.root(),
        "outbox",
        &[first.id.as_str()],
    );
    let waiters: String = world.connection().hget(key, "waiters").await.unwrap();
    let tokens: Vec<&str> = waiters
        .split_whitespace()
        .map(|waiter| waiter.split('/').next_back().unwrap())
        .collect();
    assert_eq!(tokens.len(), 16);
    assert_eq!(tokens.last(), Some(&"199"), "the latest are told");
}

/// A script that is handed more than its bound refuses before it changes anything.
#[tokio::test]
async fn too_much_at_once_is_refused_whole() {
    let world = World::new().await;
    world.queue("a").await;
    let before = world.dump().await;
    let (now, owner, lanes) = (world.now(), world.owner(), &world.lanes);
    let most = 4_100;
    let claim = lanes.claim(now, owner, Claim { most }).await;
    assert!(matches!(claim, Err(LaneError::Redis(_))));
    let settlement = || Settlement {
        id: OutboxId::generate(START),
        attempt: Attempt::Release,
    };
    let settlements: Vec<_> = (0..most).map(|_| settlement()).collect();
    let settled = lanes.settle(now, owner, 3, &settlements).await;
    assert!(matches!(settled, Err(LaneError::Redis(_))));
    let names = vec!["3EB0".to_owned(); most as usize];
    let receipt = lanes.receipt(
        now,
        owner,
        ReceiptStatus::Read,
        now,
        ("1@lid", "1@lid"),
        &names,
    );
    assert!(matches!(receipt.await, Err(LaneError::Redis(_))));
    let sends: Vec<_> = (0..most).map(|_| world.send("a")).collect();
    let organization = &world.from.organization;
    assert!(lanes.accept_all(now, organization, &sends).await.is_err());
    assert_eq!(world.dump().await, before);
}

/// A former owner is told that it is one, before anything else can be wrong.
#[tokio::test]
async fn a_stale_owner_is_told_so_though_redis_has_no_memory() {
    let mut world = World::new().await;
    let id = world.queue("a").await;
    world.claim(1).await;
    let old = world.epoch;
    world.take_over().await;
    let _: () = redis::cmd("CONFIG")
        .arg(&["SET", "maxmemory", "1"])
        .query_async(&mut world.connection())
        .await
        .unwrap();
    let (now, owner, lanes) = (world.now(), (&world.from, old), &world.lanes);
    let stale = |what: &str, outcome: Result<(), LaneError>| {
        assert!(
            matches!(outcome, Err(LaneError::Stale(_))),
            "{what}: {outcome:?}"
        );
    };
    let attempt = Attempt::Sent(now);
    let settlements = [Settlement { id, attempt }];
    let settled = lanes.settle(now, owner, 3, &settlements);
    stale("settle", settled.await.map(drop));
    let claim = lanes.claim(now, owner, Claim { most: 1 });
    stale("claim", claim.await.map(drop));
    let recovered = lanes.recover(now, owner, CRASHES, &[]);
    stale("recover", recovered.await.map(drop));
    let names = ["3EB0".to_owned()];
    let receipt = lanes.receipt(
        now,
        owner,
        ReceiptStatus::Read,
        now,
        ("1@lid", "1@lid"),
        &names,
    );
    stale("receipt", receipt.await.map(drop));
    stale(
        "rest",
        lanes.rest(now, owner, Scope::All, now + 1, "x").await,
    );
    let gone = failure();
    let ended = lanes.abandon(now, owner, &gone);
    stale("abandon", ended.await.map(drop));
    let ended = lanes.end_of_other_accounts(now, owner);
    stale("end_of_other_accounts", ended.await.map(drop));
}

/// Brief retentions, so that what is kept for a while is gone in a moment.
const BRIEF: Retention = Retention {
    events_ms: 1_000,
    outbox_ms: 200,
    idempotency_ms: 100,
    messages_ms: 5_000,
    ..RETENTION
};

/// After everything has ended and its retention is over, nobody needs to come by for it to go.
#[tokio::test]
async fn nothing_is_left_of_a_session_that_everybody_forgot() {
    let mut world = World::new().await;
    world.lanes = Lanes::new(world.store.clone(), BRIEF);
    for n in 0..50 {
        let chat = ["a", "b", "p"][n % 3];
        let send = EnqueueRequest {
            idempotency: key_of(&format!("h{n}"), "f"),
            ..world.send(chat)
        };
        let id = world.accept(send).await;
        match n % 4 {
            0 => {
                world.cancel(&id).await;
                let body: Option<String> = world
                    .connection()
                    .hget(outbox(&world, &id), "body")
                    .await
                    .unwrap();
                assert_eq!(body, None, "nobody needs the content of what was cancelled");
            }
            1 => {
                for send in world.claim(9).await {
                    world.settle(&send.id, Attempt::Dead(failure())).await;
                }
            }
            _ => {
                for send in world.claim(9).await {
                    world.sent(&send.id).await;
                }
            }
        }
    }
    for send in world.claim(99).await {
        world.sent(&send.id).await;
    }
    hear(&world, "IN", &jid("p"), "hi").await;
    let gone = SendFailure::new("session_deleted", "gone");
    let waiting = world.queue("a").await;
    world.queue("b").await;
    let owner = world.owner();
    world.lanes.abandon(START, owner, &gone).await.unwrap();
    let body: Option<String> = world
        .connection()
        .hget(outbox(&world, &waiting), "body")
        .await
        .unwrap();
    assert_eq!(body, None, "nor of what its session's end took along");
    // Far ahead; the entries go by themselves.
    world.advance(30 * DAY);
    let left = async || {
        let swept = world.lanes.sweep(world.now(), &world.from, 100).await;
        swept.unwrap();
        let mut keys: Vec<String> = world.connection().keys("*").await.unwrap();
        // The look-up by request is the organization's, and ends by itself a day after the others.
        keys.retain(|key| !key.contains(":br:"));
        keys
    };
    let mut keys = left().await;
    let began = std::time::Instant::now();
    let stay = ["session", "lane", "known"].map(|name| world.key(name, &[]));
    let mut stay: Vec<String> = stay.into_iter().collect();
    stay.push(format!("{}:ev", world.root()));
    stay.sort();
    while began.elapsed().as_secs() < 20 {
        keys = left().await;
        keys.sort();
        if keys == stay {
            break;
        }
    }
    assert_eq!(keys, stay);
    let organization = &world.from.organization;
    let swept = world
        .lanes
        .sweep_events(world.now() + 1_000 * DAY, organization);
    swept.await.unwrap();
    // A sweep of the session itself, and nothing is left at all.
    let sessions = Sessions::new(world.store.clone(), &BRIEF);
    let worker = gateway_shared::domain::WorkerId::generate(START);
    sessions
        .remove(world.now(), &world.from, &worker, world.epoch)
        .await
        .unwrap();
    let mut keys: Vec<String> = world.connection().keys("*").await.unwrap();
    keys.retain(|key| !key.ends_with(":ev") && !key.contains(":br:"));
    assert_eq!(keys, Vec::<String>::new());
}

fn outbox(world: &World, id: &OutboxId) -> String {
    let partition = gateway_shared::redis::keys::PARTITION;
    gateway_shared::redis::keys::key(partition, &world.root(), "outbox", &[id.as_str()])
}
