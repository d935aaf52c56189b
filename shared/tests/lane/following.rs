//! Operations on what has not left yet: they follow their target, or do not go.

use gateway_shared::domain::{Content, OutboxId, SendStatus, Target};
use gateway_shared::lane::{Attempt, EnqueueOutcome, EnqueueRequest, Mode, ReceiptStatus, Retried};

use crate::world::{DAY, START, World, failure};

/// An edit of an own message in a chat.
fn edit(world: &World, chat: &str, of: &EnqueueRequest) -> EnqueueRequest {
    EnqueueRequest {
        content: Content::Edit {
            target: Target {
                id: of.wa_message_id.clone(),
                sender: None,
            },
            text: "better".to_owned(),
            mentions: Vec::new(),
        },
        ..world.send(chat)
    }
}

async fn code(world: &World, id: &OutboxId) -> String {
    let entry = world.entry(id).await;
    assert_eq!(entry.status, SendStatus::Failed);
    entry.error.unwrap().code
}

#[tokio::test]
async fn an_operation_on_a_scheduled_send_follows_it_or_is_told_to_wait() {
    let world = World::new().await;
    // In a group and with a person alike.
    for chat in ["a", "p"] {
        let at = world.now() + 2_000;
        let target = EnqueueRequest {
            send_at: at,
            ..world.send(chat)
        };
        let first = world.accept(target.clone()).await;
        let now_please = EnqueueRequest {
            mode: Mode::Sync,
            ..edit(&world, chat, &target)
        };
        assert_eq!(
            world.try_accept(&now_please).await,
            EnqueueOutcome::NotSentYet { send_at: at }
        );
        let second = world.accept(edit(&world, chat, &target)).await;
        assert_eq!(world.entry(&second).await.status, SendStatus::Scheduled);
        assert!(world.claim(9).await.is_empty());
        world.advance(2_000);
        world.claims(9, &[&first]).await;
        assert!(world.claim(9).await.is_empty(), "one after the other");
        world.sent(&first).await;
        world.claims(9, &[&second]).await;
        world.sent(&second).await;
    }
}

#[tokio::test]
async fn an_operation_does_not_go_where_its_target_did_not() {
    let world = World::new().await;
    let target = world.send("a");
    let first = world.accept(target.clone()).await;
    let follows = world.accept(edit(&world, "a", &target)).await;
    let sync = EnqueueRequest {
        mode: Mode::Sync,
        ..edit(&world, "a", &target)
    };
    let waits = world.accept(sync).await;
    let next = world.queue("a").await;
    world.claims(9, &[&first]).await;
    // WhatsApp refuses it.
    world.settle(&first, Attempt::Dead(failure())).await;
    world.claims(9, &[&next]).await;
    for id in [&follows, &waits] {
        assert_eq!(code(&world, id).await, "target_not_sent");
    }
    assert_eq!(
        (world.lane("depth").await, world.lane("urgent").await),
        (0, 0)
    );
    let late = edit(&world, "a", &target);
    assert_eq!(world.try_accept(&late).await, EnqueueOutcome::TargetNotSent);
    world.sent(&next).await;

    // Likewise where it was cancelled, or has expired.
    for cancel in [true, false] {
        let target = EnqueueRequest {
            expires_at: Some(world.now() + 1_000),
            ..world.send("b")
        };
        let first = world.accept(target.clone()).await;
        let follows = world.accept(edit(&world, "b", &target)).await;
        if cancel {
            world.cancel(&first).await;
        } else {
            world.advance(1_000);
        }
        assert!(world.claim(9).await.is_empty());
        assert_eq!(code(&world, &follows).await, "target_not_sent");
    }
}

#[tokio::test]
async fn a_target_that_is_retried_goes_before_what_is_about_it() {
    let world = World::new().await;
    let target = world.send("a");
    let first = world.accept(target.clone()).await;
    let follows = world.accept(edit(&world, "a", &target)).await;
    let other = world.queue("a").await;
    world.claims(9, &[&first]).await;
    world.settle(&first, Attempt::Dead(failure())).await;
    // Retried before the operation came to be the head: behind it, and yet before it.
    assert_eq!(world.retry(&first).await, Retried::Queued);
    for id in [&other, &first, &follows] {
        world.claims(9, &[id]).await;
        world.sent(id).await;
    }
    assert_eq!(world.lane("depth").await, 0);
}

#[tokio::test]
async fn an_operation_goes_where_its_target_may_have_arrived() {
    let world = World::new().await;
    let target = EnqueueRequest {
        expires_at: Some(START + 1_000),
        ..world.send("a")
    };
    let first = world.accept(target.clone()).await;
    let follows = world.accept(edit(&world, "a", &target)).await;
    world.claims(9, &[&first]).await;
    let silent = Attempt::Silent(START + DAY, failure());
    world.settle(&first, silent).await;
    world.advance(1_000);
    world.claims(9, &[&follows]).await;
    assert_eq!(code(&world, &first).await, "outcome_unknown");
}

/// An attempt that nobody answered is not "not sent", and a receipt says what became of it.
#[tokio::test]
async fn what_may_have_arrived_fails_as_unknown_and_a_receipt_corrects_it() {
    for attempt in [
        Attempt::Silent(START + 5_000, failure()),
        Attempt::Cut,
        Attempt::Retry(START + 5_000, failure()),
        Attempt::Release,
    ] {
        let unknown = matches!(attempt, Attempt::Silent(..) | Attempt::Cut);
        let world = World::new().await;
        let send = EnqueueRequest {
            expires_at: Some(START + 1_000),
            ..world.send("p")
        };
        let wa = vec![send.wa_message_id.clone()];
        let id = world.accept(send).await;
        world.claims(9, &[&id]).await;
        world.settle(&id, attempt).await;
        world.advance(1_000);
        world.turn(9).await;
        let error = world.entry(&id).await.error.unwrap();
        let receipt = async |status| {
            let (now, owner) = (world.now(), world.owner());
            let receipt = world
                .lanes
                .receipt(now, owner, status, now, ("1@lid", "1@lid"), &wa);
            receipt.await.unwrap()
        };
        if !unknown {
            assert_eq!((error.code.as_str(), error.cause), ("expired", None));
            assert_eq!(receipt(ReceiptStatus::Delivered).await, 0);
            continue;
        }
        assert_eq!(error.code, "outcome_unknown");
        assert_eq!(error.cause.as_deref(), Some("expired"));
        assert_eq!(receipt(ReceiptStatus::Read).await, 1);
        assert_eq!(receipt(ReceiptStatus::Read).await, 0);
        let entry = world.entry(&id).await;
        assert_eq!((entry.status, entry.error), (SendStatus::Read, None));
        assert_eq!(
            world.history(&id).await,
            ["queued", "sending", "failed", "sent", "delivered", "read"]
        );
        assert_eq!(entry.tries, 1);
        let (dead, _) = world.lanes.dead_letters(&world.from, "", 9).await.unwrap();
        assert!(dead.is_empty(), "it is no dead letter");
    }
}
