//! A store that schema 1 wrote: what waits in it goes out once, in its order, and what has ended is
//! still there to be seen.

use gateway_shared::domain::{OutboxId, SendStatus};
use gateway_shared::lane::{Attempt, OutboxFilter};
use redis::AsyncCommands;

use crate::world::{DAY, START, World, failure, jid};

/// An entry as schema 1 kept it. It waits at the end of its chat, or for its moment.
async fn kept_by_schema_1(world: &World, seq: u64, chat: &str, send_at: i64) -> OutboxId {
    let (id, chat) = (OutboxId::generate(START), jid(chat));
    let wa = format!("3EB0{seq}");
    let session = world.from.session.as_str();
    let expires = START + DAY;
    let urgent = u8::from(seq == 1);
    let fix = format!(
        "{seq} {urgent} {session} {chat} {wa} async text {START} {expires} {send_at} req 7"
    );
    let status = if send_at > 0 { "scheduled" } else { "queued" };
    let partition = gateway_shared::redis::keys::PARTITION;
    let key = gateway_shared::redis::keys::key(partition, &world.root(), "outbox", &[id.as_str()]);
    let body = format!(r#"{{"type":"text","text":"number {seq}"}}"#);
    let fields = [
        ("fix", fix),
        ("hist", format!("{status}:{START}")),
        ("body", body),
    ];
    let member = format!("{id}:{wa}");
    let mut commands = redis::pipe();
    commands
        .hset_multiple(key, &fields)
        .hset(world.key("by_wa_id", &[]), &wa, id.as_str())
        .zadd(world.key("outbox_index", &[]), &member, START)
        .zadd(world.key("expiring", &[]), id.as_str(), expires)
        .hincr(world.key("lane", &[]), "depth", 1);
    if send_at > 0 {
        commands.zadd(world.key("scheduled", &[]), id.as_str(), send_at);
    } else {
        let list = world.key("chat", &[&chat]);
        commands
            .hset(world.key("lane", &[]), "seq", seq)
            .rpush(list, format!("{seq}:{id}"));
        if seq == 1 {
            commands
                .hset(world.key("lane", &[]), "urgent", 1)
                .hset(world.key("urgent", &[]), &chat, 1)
                .zadd(
                    world.key("ready", &[]),
                    &chat,
                    1 - 1_000_000_000_000_000_i64,
                );
        }
    }
    commands.hset(world.key("lane", &[]), "due", START);
    let () = commands.query_async(&mut world.connection()).await.unwrap();
    id
}

#[tokio::test]
async fn what_schema_1_kept_goes_out_once_in_its_order() {
    let world = World::new().await;
    let first = kept_by_schema_1(&world, 1, "a", 0).await;
    let second = kept_by_schema_1(&world, 2, "a", 0).await;
    let later = kept_by_schema_1(&world, 0, "a", START + 5_000).await;
    // Seen as it was, before anything has touched it.
    let entry = world.entry(&second).await;
    assert_eq!(entry.status, SendStatus::Queued);
    assert_eq!(
        (entry.request_id.as_str(), entry.expires_at),
        ("req 7", START + DAY)
    );
    let filter = OutboxFilter {
        limit: 10,
        ..OutboxFilter::default()
    };
    let (listed, _) = world.lanes.list(&world.from, &filter).await.unwrap();
    assert_eq!(listed.len(), 3);
    let third = world.queue("a").await;

    let claimed = world.claim(9).await;
    assert_eq!(claimed[0].id, first);
    assert_eq!(claimed[0].wa_message_id, "3EB01");
    let content = serde_json::to_value(claimed[0].content.as_ref().unwrap()).unwrap();
    assert_eq!(content["text"], "number 1");
    world
        .settle(&first, Attempt::Retry(START + 100, failure()))
        .await;
    world.advance(100);
    world.claims(9, &[&first]).await;
    world.sent(&first).await;
    world.claims(9, &[&second]).await;
    world.sent(&second).await;
    world.claims(9, &[&third]).await;
    world.sent(&third).await;
    world.advance(5_000);
    world.claims(9, &[&later]).await;
    world.sent(&later).await;
    assert_eq!(
        (world.lane("depth").await, world.lane("urgent").await),
        (0, 0)
    );
    assert_eq!(world.entry(&first).await.request_id, "req 7");
    let left: usize = world
        .connection()
        .zcard(world.key("scheduled", &[]))
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn what_schema_1_kept_can_be_cancelled() {
    let world = World::new().await;
    let scheduled = kept_by_schema_1(&world, 0, "a", START + 5_000).await;
    world.cancel(&scheduled).await;
    assert_eq!(world.entry(&scheduled).await.status, SendStatus::Cancelled);
    world.advance(9_000);
    assert!(world.claim(9).await.is_empty());
    assert_eq!(world.lane("depth").await, 0);
}
