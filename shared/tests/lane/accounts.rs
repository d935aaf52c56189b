//! Law 11: a send belongs to the number that the session had when it was accepted.

use gateway_shared::domain::{Content, SendStatus, Target};
use gateway_shared::lane::{Attempt, EnqueueOutcome, EnqueueRequest, Retried};
use gateway_shared::messages::{Located, Messages, Wanted};

use crate::messages::hear;
use crate::world::{ACCOUNT, DAY, RETENTION, START, World, failure, jid};

const OTHER: &str = "15550002222@s.whatsapp.net";

async fn log_out(world: &World) {
    world.set("waJid", "").await;
    world.set("status", "logged_out").await;
}

async fn pair(world: &World, jid: &str) {
    world.set("waJid", jid).await;
    world.set("status", "working").await;
}

fn logged_out() -> EnqueueOutcome {
    EnqueueOutcome::LoggedOut {
        status: "logged_out".to_owned(),
    }
}

#[tokio::test]
async fn nothing_is_accepted_for_a_session_without_a_number() {
    let world = World::new().await;
    let failed = world.queue("a").await;
    world.claim(1).await;
    world.settle(&failed, Attempt::Dead(failure())).await;
    log_out(&world).await;
    let before = world.dump().await;

    // All four ways in.
    assert_eq!(world.try_accept(&world.send("a")).await, logged_out());
    let scheduled = EnqueueRequest {
        send_at: START + 9_000,
        ..world.send("a")
    };
    assert_eq!(world.try_accept(&scheduled).await, logged_out());
    let (now, organization) = (world.now(), &world.from.organization);
    let batch = [world.send("a"), world.send("b")];
    let batch = world.lanes.accept_all(now, organization, &batch).await;
    assert_eq!(batch.unwrap(), [logged_out(), logged_out()]);
    let status = "logged_out".to_owned();
    assert_eq!(world.retry(&failed).await, Retried::LoggedOut { status });
    assert_eq!(world.dump().await, before, "nothing was changed");

    // Nor while a logout is wished for.
    pair(&world, ACCOUNT).await;
    world.set("logout", 1).await;
    let status = "working".to_owned();
    let refused = EnqueueOutcome::LoggedOut { status };
    assert_eq!(world.try_accept(&world.send("a")).await, refused);
}

#[tokio::test]
async fn what_was_accepted_for_one_number_never_leaves_from_another() {
    let world = World::new().await;
    let waiting = world.queue("a").await;
    let scheduled = EnqueueRequest {
        send_at: START + 60_000,
        ..world.send("b")
    };
    let scheduled = world.accept(scheduled).await;
    pair(&world, OTHER).await;
    let own = world.queue("a").await;
    // The head is the former number's: it fails, and the chat goes on.
    world.claims(9, &[&own]).await;
    world.sent(&own).await;
    let entry = world.entry(&waiting).await;
    assert_eq!(entry.status, SendStatus::Failed);
    assert_eq!(entry.error.unwrap().code, "account_changed");
    assert_eq!(world.retry(&waiting).await, Retried::AccountChanged);
    world.advance(60_000);
    assert!(world.claim(9).await.is_empty());
    let error = world.entry(&scheduled).await.error.unwrap();
    assert_eq!(error.code, "account_changed");
    let events = world.events().await;
    let failures: Vec<_> = events
        .iter()
        .filter(|event| event["error"]["code"] == "account_changed")
        .map(|event| event["outboxId"].as_str().unwrap())
        .collect();
    assert_eq!(failures, [waiting.as_str(), scheduled.as_str()]);
    assert_eq!(world.lane("depth").await, 0);
}

#[tokio::test]
async fn the_same_number_gets_what_was_accepted_for_it() {
    let world = World::new().await;
    let id = world.queue("a").await;
    log_out(&world).await;
    assert!(world.claim(9).await.is_empty(), "nobody is paired");
    let device = format!("{}:7@s.whatsapp.net", &ACCOUNT[..11]);
    pair(&world, &device).await;
    world.claims(9, &[&id]).await;
}

#[tokio::test]
async fn when_another_number_is_paired_all_that_waits_for_the_former_one_fails_at_once() {
    let world = World::new().await;
    let mut former = Vec::new();
    for n in 0..450 {
        let send = EnqueueRequest {
            send_at: if n % 3 == 0 { START + DAY / 2 } else { 0 },
            ..world.send(["a", "b", "c"][n % 3])
        };
        former.push(world.accept(send).await);
    }
    let lanes = &world.lanes;
    let ended = async || {
        let (now, owner) = (world.now(), world.owner());
        lanes.end_of_other_accounts(now, owner).await.unwrap()
    };
    assert_eq!(ended().await, 0, "they are its own");
    pair(&world, OTHER).await;
    let own = world.queue("a").await;
    assert_eq!(ended().await, 450);
    assert_eq!(ended().await, 0);
    for id in &former {
        let error = world.entry(id).await.error.unwrap();
        assert_eq!(error.code, "account_changed");
    }
    assert_eq!(world.lane("depth").await, 1);
    world.claims(9, &[&own]).await;
}

#[tokio::test]
async fn nobody_operates_on_the_messages_of_the_former_number() {
    let world = World::new().await;
    let sent = world.send("a");
    let id = world.accept(sent.clone()).await;
    world.claim(1).await;
    world.sent(&id).await;
    hear(&world, "THEIRS", &jid("p"), "hi").await;
    pair(&world, OTHER).await;
    let messages = Messages::new(world.store.clone(), &RETENTION);
    let locate = async |id| {
        let wanted = Wanted {
            id,
            chat: None,
            idempotency: None,
            whole: false,
        };
        messages.locate(&world.from, wanted).await.unwrap()
    };
    let wa = sent.wa_message_id.as_str();
    assert_eq!(locate(wa).await, Located::OfFormerAccount);
    assert_eq!(locate("THEIRS").await, Located::OfFormerAccount);
    assert_eq!(locate("UNKNOWN").await, Located::Unknown);

    // An edit that was on its way when the number changed takes nothing from the former's index,
    // and no reply quotes it.
    let mut reply = world.send("a");
    let Content::Text { context, .. } = &mut reply.content else {
        panic!("a text");
    };
    context.reply_to = Some(wa.to_owned());
    let reason = "not_sent_by_this_account".to_owned();
    let refused = EnqueueOutcome::QuoteNotSeen { reason };
    assert_eq!(world.try_accept(&reply).await, refused);
    let revoke = EnqueueRequest {
        content: Content::Revoke {
            target: Target {
                id: wa.to_owned(),
                sender: None,
            },
        },
        ..world.send("a")
    };
    let revoke = world.accept(revoke).await;
    world.claims(1, &[&revoke]).await;
    world.sent(&revoke).await;
    assert_eq!(locate(wa).await, Located::OfFormerAccount);

    // It is the former number's again.
    pair(&world, ACCOUNT).await;
    assert!(matches!(locate(wa).await, Located::Found(_)));
}
