//! Nothing is lost and no order broken when workers and APIs are killed.

use anyhow::Result;
use gateway_tests::receiver::{Receiver, Reply};

use super::{assert_in_order, assert_signed, send, subscribe, world};

/// Workers are killed one after the other, and the API too, while events arrive, some of which are
/// refused at first: each event is delivered, those of a chat in order.
#[tokio::test]
async fn killed_workers_and_apis_lose_nothing() -> Result<()> {
    world()
        .workers(2)
        .run(async |world| {
            let api = world.api(0);
            let session = world.pair_session().await?;
            let receiver = Receiver::start().await?;
            // Some events are refused once; what is tried again is accepted.
            let seen = std::sync::Mutex::new(std::collections::HashMap::<String, u32>::new());
            receiver.answer(move |posted| {
                let mut seen = seen.lock().expect("no panic");
                let times = seen.entry(posted.id().to_owned()).or_default();
                *times += 1;
                let picked = posted.body.iter().map(|byte| u32::from(*byte)).sum::<u32>() % 7 == 0;
                Reply::Status(if picked && *times == 1 { 500 } else { 200 })
            });
            let events = api.events().await?;
            let (_, secret) = subscribe(&api, &receiver.url("/"), &["message.status"]).await?;
            let mut peers = Vec::new();
            for _ in 0..5 {
                peers.push(world.create_peer().await?);
            }
            for round in 0..4 {
                for peer in &peers {
                    send(&world.api(0), &session, peer, round * 4..round * 4 + 4).await?;
                }
                let enough = round * 40 + 10;
                receiver.wait_for_delivered(enough).await?;
                world.workers[round % 2].kill9_and_restart().await?;
                if round == 1 {
                    world.apis[0].program.kill9().await?;
                    world.apis[0].restart().await?;
                }
            }
            // queued, sending, sent, delivered of each of 80; an attempt that was cut off is repeated.
            let all = receiver
                .wait_for("every text is delivered", |posted| {
                    let delivered = posted.iter().filter(|one| (200..300).contains(&one.status));
                    let last: std::collections::HashSet<_> = delivered
                        .map(|one| one.json()["payload"].clone())
                        .filter(|payload| payload["status"] == "delivered")
                        .map(|payload| payload["outboxId"].to_string())
                        .collect();
                    last.len() == 80
                })
                .await?;
            assert_signed(&all, &secret);
            let delivered = receiver.delivered();
            assert_in_order(&delivered);
            // What the stream holds is what was delivered.
            let log = world.api(0).event_log(events.began()).await?;
            let statuses: Vec<&str> = log
                .iter()
                .filter(|event| event.kind() == "message.status")
                .map(gateway_tests::client::Event::id)
                .collect();
            let posted: std::collections::HashSet<&str> =
                delivered.iter().map(|one| one.id()).collect();
            let missing = statuses.iter().filter(|id| !posted.contains(**id)).count();
            assert_eq!((missing, posted.len()), (0, statuses.len()));
            Ok(())
        })
        .await
}
