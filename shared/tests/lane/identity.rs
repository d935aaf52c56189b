//! A number and a LID of one person are one chat, whenever that is learnt.

use gateway_shared::domain::{Content, MessageContext, OutboxId, SendStatus, WorkerId};
use gateway_shared::identity::{Mapping, Names};
use gateway_shared::lane::{
    Attempt, EnqueueOutcome, EnqueueRequest, Mode, OutboxFilter, ReceiptStatus, Scope,
};
use gateway_shared::redis::keys::{PARTITION, key};
use gateway_shared::session::Sessions;
use redis::AsyncCommands;

use crate::messages::{found, hear};
use crate::world::{RETENTION, World, failure};

const PHONE: &str = "15550000002";
const NUMBER: &str = "15550000002@s.whatsapp.net";
const LID: &str = "100000012345@lid";
const STRANGER: &str = "15559999999@s.whatsapp.net";

impl World {
    /// The library learns that a number and a LID are one person.
    async fn learn(&self, number: &str, lid: &str) -> u64 {
        let lid = lid.trim_end_matches("@lid");
        let mappings = [Mapping::from_users(number, lid).unwrap()];
        let learnt = self.lanes.learn(self.now(), self.owner(), &mappings);
        learnt.await.unwrap()
    }

    fn to(&self, chat: &str) -> EnqueueRequest {
        EnqueueRequest {
            to: chat.parse().unwrap(),
            ..self.send("a")
        }
    }

    async fn queue_to(&self, chat: &str) -> OutboxId {
        self.accept(self.to(chat)).await
    }

    /// Claims and settles one after the other until nothing is left; the order in which they went.
    async fn drain(&self) -> Vec<OutboxId> {
        let mut order = Vec::new();
        loop {
            let claimed = self.claim(9).await;
            if claimed.is_empty() {
                return order;
            }
            for send in claimed {
                self.sent(&send.id).await;
                order.push(send.id);
            }
        }
    }

    async fn reports(&self, id: &OutboxId, chat: &str) -> u64 {
        let wa = vec![self.entry(id).await.wa_message_id];
        let (now, owner) = (self.now(), self.owner());
        let status = ReceiptStatus::Delivered;
        let moved = self
            .lanes
            .receipt(now, owner, status, now, (chat, chat), &wa);
        moved.await.unwrap()
    }
}

#[tokio::test]
async fn order_is_kept_between_both_names_under_a_fault() {
    let world = World::new().await;
    assert_eq!(world.learn(PHONE, LID).await, 1);
    assert_eq!(world.learn(PHONE, LID).await, 0, "known already");
    for (one, other) in [(NUMBER, LID), (LID, NUMBER)] {
        let (a, b) = (world.queue_to(one).await, world.queue_to(other).await);
        world.claims(9, &[&a]).await;
        let later = world.now() + 1_000;
        world.settle(&a, Attempt::Retry(later, failure())).await;
        world.claims(9, &[]).await;
        world.advance(1_000);
        assert_eq!(world.drain().await, [a, b]);
    }
}

#[tokio::test]
async fn what_waits_under_both_names_is_joined_in_order_of_acceptance() {
    let world = World::new().await;
    let mut accepted = Vec::new();
    for chat in [LID, NUMBER, NUMBER, LID, NUMBER, LID] {
        accepted.push(world.queue_to(chat).await);
    }
    let other = world.queue("q").await;
    world.learn(PHONE, LID).await;
    world.claims(9, &[&accepted[0], &other]).await;
    world.sent(&accepted[0]).await;
    world.sent(&other).await;
    assert_eq!(world.drain().await, accepted[1..]);
    let lists: Vec<String> = world.connection().keys("*:c:*").await.unwrap();
    assert_eq!(lists, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_in_flight_of_both_is_claimed_once() {
    let world = World::new().await;
    let (a, b) = (world.queue_to(NUMBER).await, world.queue_to(LID).await);
    let (c, d) = (world.queue_to(NUMBER).await, world.queue_to(LID).await);
    world.claims(9, &[&a, &b]).await;
    world.learn(PHONE, LID).await;
    world.claims(9, &[]).await;
    // Whichever ends first: the other one is still in flight, and what waits waits for both.
    let later = world.now() + 1_000;
    world.settle(&b, Attempt::Retry(later, failure())).await;
    world.sent(&a).await;
    let next = world.claim(9).await;
    assert!(next.iter().all(|send| send.id == b), "{next:?}");
    world.advance(1_000);
    if next.is_empty() {
        world.claims(9, &[&b]).await;
    }
    world.sent(&b).await;
    assert_eq!(world.drain().await, [c, d]);
}

#[tokio::test]
async fn a_back_off_and_an_urgent_send_survive_the_joining() {
    let world = World::new().await;
    let a = world.queue_to(NUMBER).await;
    world.claims(9, &[&a]).await;
    let later = world.now() + 5_000;
    world.settle(&a, Attempt::Retry(later, failure())).await;
    let b = world.queue_to(LID).await;
    let urgent = EnqueueRequest {
        mode: Mode::Sync,
        ..world.to(LID)
    };
    let urgent = world.accept(urgent).await;
    world.learn(PHONE, LID).await;
    world.claims(9, &[]).await;
    world.advance(5_000);
    let busy = world.queue("q").await;
    assert_eq!(world.lane("urgent").await, 1);
    // The person's chat is hurried on before the other.
    world.claims(1, &[&a]).await;
    world.sent(&a).await;
    assert_eq!(world.drain().await.len(), 3);
    assert_eq!(world.lane("urgent").await, 0);
    for id in [&b, &urgent, &busy] {
        assert_eq!(world.entry(id).await.status, SendStatus::Sent);
    }
    let left: bool = world
        .connection()
        .exists(world.key("urgent", &[]))
        .await
        .unwrap();
    assert!(!left);
}

#[tokio::test]
async fn a_number_that_goes_to_somebody_else_takes_its_sends_along() {
    let world = World::new().await;
    world.learn(PHONE, LID).await;
    let (a, b) = (world.queue_to(NUMBER).await, world.queue_to(LID).await);
    let c = world.queue_to(NUMBER).await;
    assert_eq!(world.learn(PHONE, "7@lid").await, 1);
    world.claims(9, &[&a, &b]).await;
    let d = world.queue_to("7@lid").await;
    world.sent(&a).await;
    world.sent(&b).await;
    assert_eq!(world.drain().await, [c, d]);
    let names = world.lanes.names(&world.from, &[LID, NUMBER]).await;
    let names = names.unwrap();
    assert_eq!(names[0], Names::of(LID, None));
    assert_eq!(names[1], Names::of(NUMBER, Some("7@lid".to_owned())));
}

#[tokio::test]
async fn answers_events_and_lists_have_both_names() {
    let world = World::new().await;
    let before = world.queue_to(NUMBER).await;
    assert_eq!(world.events().await[0]["pn"], NUMBER);
    assert!(world.events().await[0]["lid"].is_null());
    world.learn(PHONE, LID).await;
    let both = Names {
        pn: Some(NUMBER.to_owned()),
        lid: Some(LID.to_owned()),
    };
    let send = world.to(LID);
    for _ in 0..2 {
        let EnqueueOutcome::New { names, .. } = world.try_accept(&send).await else {
            panic!("not accepted");
        };
        assert_eq!(names, both);
    }
    world.queue("a").await;
    let events = world.events().await;
    assert_eq!(
        (&events[1]["pn"], &events[1]["lid"]),
        (&NUMBER.into(), &LID.into())
    );
    assert_eq!(events[1]["chatJid"], LID);
    assert!(events[2]["pn"].is_null() && events[2]["lid"].is_null());
    for chat in [NUMBER, LID] {
        let filter = OutboxFilter {
            chat: Some(chat.to_owned()),
            limit: 10,
            ..OutboxFilter::default()
        };
        let (page, _) = world.lanes.list(&world.from, &filter).await.unwrap();
        let ids: Vec<_> = page.iter().map(|entry| &entry.outbox_id).collect();
        assert_eq!(ids, [&send.id, &before], "{chat}");
        assert!(page.iter().all(|entry| entry.names == both));
    }
}

#[tokio::test]
async fn a_chat_written_to_is_known_by_either_name() {
    let world = World::new().await;
    let first = world.queue_to(NUMBER).await;
    world.claims(9, &[&first]).await;
    world.sent(&first).await;
    world.learn(PHONE, LID).await;
    let hold = world.lanes.rest(
        world.now(),
        world.owner(),
        Scope::NewChats,
        world.now() + 60_000,
        "test",
    );
    hold.await.unwrap();
    let stranger = world.queue_to(STRANGER).await;
    let (a, b) = (world.queue_to(LID).await, world.queue_to(NUMBER).await);
    assert_eq!(world.drain().await, [a, b]);
    assert_eq!(world.entry(&stranger).await.status, SendStatus::Queued);
}

#[tokio::test]
async fn a_receipt_counts_by_either_name_and_a_strangers_settles_nothing() {
    let world = World::new().await;
    let sent = async |chat: &str| {
        let id = world.queue_to(chat).await;
        world.claims(1, &[&id]).await;
        world.sent(&id).await;
        id
    };
    // Nobody knows yet whose the LID is.
    let early = sent(NUMBER).await;
    assert_eq!(world.reports(&early, STRANGER).await, 0);
    assert_eq!(world.reports(&early, LID).await, 1);
    world.learn(PHONE, LID).await;
    for (chat, by) in [(NUMBER, LID), (LID, NUMBER), (LID, LID), (NUMBER, NUMBER)] {
        let id = sent(chat).await;
        for stranger in [STRANGER, "7@lid", "120363021234567890@g.us"] {
            assert_eq!(world.reports(&id, stranger).await, 0, "{stranger}");
        }
        assert_eq!(world.reports(&id, by).await, 1);
    }
    // Nor does it settle what is still in flight.
    let flying = world.queue_to(NUMBER).await;
    world.claims(1, &[&flying]).await;
    assert_eq!(world.reports(&flying, STRANGER).await, 0);
    assert_eq!(world.entry(&flying).await.status, SendStatus::Sending);
}

#[tokio::test]
async fn a_message_is_found_and_quoted_by_either_name() {
    let world = World::new().await;
    hear(&world, "THEIRS", LID, "the question").await;
    world.learn(PHONE, LID).await;
    for chat in [NUMBER, LID] {
        let found = found(&world, "THEIRS", Some(chat)).await.unwrap();
        assert!(found.message.is_by(NUMBER) && found.message.is_by(LID));
        assert!(found.message.is_in(NUMBER) && found.message.is_in(LID));
        let reply = EnqueueRequest {
            content: Content::Text {
                text: "so".to_owned(),
                context: MessageContext {
                    reply_to: Some("THEIRS".to_owned()),
                    ..MessageContext::default()
                },
            },
            ..world.to(chat)
        };
        let id = world.accept(reply).await;
        let claimed = world.claim(1).await.remove(0);
        assert_eq!(claimed.id, id);
        let content = claimed.content.unwrap();
        let quoted = content.context().unwrap().quoted.clone().unwrap();
        assert!(quoted.is_in(chat), "it is a quote of the same chat");
        world.sent(&id).await;
    }
    assert_eq!(found(&world, "THEIRS", Some(STRANGER)).await, None);
}

#[tokio::test]
async fn names_end_with_the_session() {
    let world = World::new().await;
    world.learn(PHONE, LID).await;
    let names = key(
        PARTITION,
        &world.root(),
        "names",
        &[world.from.session.as_str()],
    );
    let kept: u64 = world.connection().hlen(&names).await.unwrap();
    assert_eq!(kept, 2);
    assert_eq!(world.lanes.people(&world.from).await.unwrap(), 1);
    let sessions = Sessions::new(world.store.clone(), &RETENTION);
    let worker = WorkerId::generate(0);
    let removed = sessions.remove(world.now(), &world.from, &worker, world.epoch);
    removed.await.unwrap();
    let left: bool = world.connection().exists(&names).await.unwrap();
    assert!(!left);
}
