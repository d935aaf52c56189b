//! A client library may repeat a script whose answer it missed: the repeat answers what the first run
//! did, and changes nothing, whatever was true in between.

use futures_util::StreamExt;
use gateway_shared::domain::InstanceId;
use gateway_shared::lane::{Attempt, Claim, EnqueueOutcome, EnqueueRequest, Settled, Settlement};
use redis::Value;

use crate::world::{START, World, failure, key_of};

/// The script calls that Redis is sent while `work` is done, as they were sent.
async fn calls(world: &World, work: impl Future<Output = ()>) -> Vec<redis::Cmd> {
    let client = redis::Client::open(world.server.url()).unwrap();
    let monitor = client.get_async_monitor().await.unwrap();
    let mut lines = std::pin::pin!(monitor.into_on_message::<String>());
    work.await;
    let _: () = redis::cmd("ECHO")
        .arg("the end")
        .query_async(&mut world.connection())
        .await
        .unwrap();
    let mut calls = Vec::new();
    while let Some(line) = lines.next().await {
        let words = words(&line);
        match words.first().map(|word| word.to_ascii_lowercase()) {
            Some(name) if name == b"evalsha" => {
                let mut call = redis::Cmd::new();
                for word in words {
                    call.arg(word);
                }
                calls.push(call);
            }
            Some(name) if name == b"echo" => break,
            _ => {}
        }
    }
    calls
}

/// The words of a command as `MONITOR` shows it: quoted, with escapes.
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    // What scripts do themselves is shown as coming from `lua`.
    if line.contains(" lua] ") {
        return words;
    }
    let mut rest = line.bytes();
    while rest.by_ref().any(|byte| byte == b'"') {
        let mut word = Vec::new();
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => break,
                b'\\' => match rest.next().unwrap() {
                    b'x' => {
                        let hex: Vec<u8> = rest.by_ref().take(2).collect();
                        word.extend(hex::decode(hex).unwrap());
                    }
                    b'n' => word.push(b'\n'),
                    b'r' => word.push(b'\r'),
                    b't' => word.push(b'\t'),
                    other => word.push(other),
                },
                other => word.push(other),
            }
        }
        words.push(word);
    }
    words
}

/// Repeats the last call, which must change nothing. What it answers.
async fn repeated(world: &World, calls: &[redis::Cmd]) -> Value {
    let before = world.dump().await;
    let call = calls.last().expect("a script was called");
    let reply = call.query_async(&mut world.connection()).await.unwrap();
    assert_eq!(world.dump().await, before, "the repeat changed something");
    reply
}

fn texts(reply: &Value) -> Vec<String> {
    redis::from_redis_value_ref(reply).unwrap()
}

#[tokio::test]
async fn what_was_accepted_stays_accepted_whatever_is_true_now() {
    for (mode_sync, keyed) in [(false, false), (false, true), (true, false), (true, true)] {
        let world = World::new().await;
        let send = EnqueueRequest {
            idempotency: key_of("h", "f").filter(|_| keyed),
            waiter: Some((InstanceId::generate(START), "1".to_owned())),
            max_depth: 1,
            ..if mode_sync {
                world.sync("a")
            } else {
                world.send("a")
            }
        };
        let calls = calls(&world, async {
            world.accept(send.clone()).await;
        })
        .await;
        let accepted = [
            "accepted",
            send.id.as_str(),
            &send.wa_message_id,
            "queued",
            &START.to_string(),
            "",
            "",
        ];
        world.advance(7);
        // Full; not connected; paused; nobody paired; claimed and sent.
        assert_eq!(texts(&repeated(&world, &calls).await), accepted);
        world.set("status", "starting").await;
        assert_eq!(texts(&repeated(&world, &calls).await), accepted);
        world
            .lanes
            .pause(START, &world.from, None, "x")
            .await
            .unwrap();
        assert_eq!(texts(&repeated(&world, &calls).await), accepted);
        world.set("waJid", "").await;
        assert_eq!(texts(&repeated(&world, &calls).await), accepted);
        world.set("waJid", crate::world::ACCOUNT).await;
        world.lanes.resume(START, &world.from).await.unwrap();
        world.claims(9, &[&send.id]).await;
        assert_eq!(texts(&repeated(&world, &calls).await), accepted);
        world.sent(&send.id).await;
        assert_eq!(texts(&repeated(&world, &calls).await), accepted);
    }
}

#[tokio::test]
async fn a_batch_answers_each_of_its_sends_as_before() {
    let world = World::new().await;
    let full = |chat| EnqueueRequest {
        max_depth: 2,
        ..world.send(chat)
    };
    let batch = [full("a"), full("b"), full("c")];
    let mut outcomes = Vec::new();
    let calls = calls(&world, async {
        let organization = &world.from.organization;
        let accepted = world.lanes.accept_all(START, organization, &batch).await;
        outcomes = accepted.unwrap();
    })
    .await;
    assert!(matches!(outcomes[2], EnqueueOutcome::LaneFull { .. }));
    let reply = repeated(&world, &calls).await;
    let Value::Array(replies) = reply else {
        panic!("a list");
    };
    let names: Vec<String> = replies.iter().map(|one| texts(one)[0].clone()).collect();
    assert_eq!(names, ["accepted", "accepted", "lane_full"]);
}

#[tokio::test]
async fn a_retry_a_cancel_and_a_pause_are_granted_once_and_answered_as_often_as_asked() {
    let world = World::new().await;
    let failed = world.queue("a").await;
    world.claim(1).await;
    world.settle(&failed, Attempt::Dead(failure())).await;
    let retry = calls(&world, async {
        world.retry(&failed).await;
    })
    .await;
    assert_eq!(texts(&repeated(&world, &retry).await), ["queued"]);
    world.claim(1).await;
    assert_eq!(texts(&repeated(&world, &retry).await), ["queued"]);
    world.sent(&failed).await;
    assert_eq!(texts(&repeated(&world, &retry).await), ["queued"]);

    let waiting = world.queue("b").await;
    let cancel = calls(&world, async {
        world.cancel(&waiting).await;
    })
    .await;
    assert_eq!(texts(&repeated(&world, &cancel).await), ["cancelled"]);

    let pause = calls(&world, async {
        let paused = world.lanes.pause(START, &world.from, Some(START + 9), "x");
        paused.await.unwrap();
    })
    .await;
    assert_eq!(texts(&repeated(&world, &pause).await), ["paused"]);
    let rest = calls(&world, async {
        let (owner, scope) = (world.owner(), gateway_shared::lane::Scope::All);
        let rest = world.lanes.rest(START, owner, scope, START + 99, "x");
        rest.await.unwrap();
    })
    .await;
    assert_eq!(texts(&repeated(&world, &rest).await), ["paused"]);
}

/// A repeated turn claims nothing more: it answers what the first run settled and claimed.
#[tokio::test]
async fn a_repeated_turn_settles_and_claims_once() {
    let world = World::new().await;
    let ids = [
        world.queue("a").await,
        world.queue("b").await,
        world.queue("a").await,
        world.queue("c").await,
    ];
    world.claims(2, &[&ids[0], &ids[1]]).await;
    let settlements = [
        (ids[0].clone(), Attempt::Sent(START)),
        (ids[1].clone(), Attempt::Dead(failure())),
    ]
    .map(|(id, attempt)| Settlement { id, attempt });
    let turn = calls(&world, async {
        let claim = Some(Claim { most: 2 });
        let (now, owner) = (world.now(), world.owner());
        let turn = world.lanes.turn(now, owner, 3, &settlements, claim);
        let turn = turn.await.unwrap();
        assert_eq!(turn.settled, [Settled::Done, Settled::Dead]);
        assert_eq!(turn.sends.len(), 2);
    })
    .await;
    let Value::Array(reply) = repeated(&world, &turn).await else {
        panic!("a list");
    };
    assert_eq!(texts(&reply[1]), ["done", "dead"]);
    let Value::Array(claims) = &reply[2] else {
        panic!("a list");
    };
    let claimed: Vec<String> = claims.iter().map(|claim| texts(claim)[0].clone()).collect();
    assert_eq!(claimed, [ids[2].as_str(), ids[3].as_str()]);
    // Its owner goes on as if nothing had happened.
    assert_eq!(world.turn(0).await.in_flight, 2);
    world.sent(&ids[2]).await;
    world.sent(&ids[3]).await;
}
