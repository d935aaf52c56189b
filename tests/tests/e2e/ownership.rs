//! Several workers, and each session on exactly one of them.

use std::collections::HashMap;

use anyhow::Result;
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::world::{PairedSession, Peer, World};

/// How many sessions each worker of the world owns, once every session has one of them.
async fn shares(world: &World, sessions: &[PairedSession]) -> Result<HashMap<usize, usize>> {
    let mut shares = HashMap::new();
    for session in sessions {
        *shares
            .entry(world.owner_of(&session.id).await?)
            .or_default() += 1;
    }
    Ok(shares)
}

async fn send_through_all(world: &World, sessions: &[PairedSession], peer: &Peer) -> Result<()> {
    for session in sessions {
        let api = world.api(0);
        let send = SendRequest::text(&peer.phone, &format!("from {}", session.phone));
        eventually("a send is accepted", async || {
            let answer = api.send(&session.id, &send).await?;
            // 503: on its way to the other worker.
            Ok((answer.status == 200).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Two workers share the sessions, each on exactly one.
#[tokio::test]
async fn two_workers_share_the_sessions() -> Result<()> {
    World::builder()
        .workers(2)
        .run(async |world| {
            let mut sessions = Vec::new();
            for _ in 0..4 {
                sessions.push(world.pair_session().await?);
            }
            let peer = world.create_peer().await?;
            eventually("both workers have two sessions", async || {
                let shares = shares(world, &sessions).await?;
                Ok((shares.values().all(|share| *share == 2) && shares.len() == 2).then_some(()))
            })
            .await?;
            send_through_all(world, &sessions, &peer).await?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 4).await?;
            assert_eq!(messages.len(), 4);
            Ok(())
        })
        .await
}

/// The sessions of a killed worker go on at the other one, without pairing again.
#[tokio::test]
async fn the_sessions_of_a_killed_worker_go_on() -> Result<()> {
    World::builder()
        .workers(2)
        .run(async |world| {
            let mut sessions = Vec::new();
            for _ in 0..4 {
                sessions.push(world.pair_session().await?);
            }
            let peer = world.create_peer().await?;
            send_through_all(world, &sessions, &peer).await?;
            world.workers[0].program.kill9().await?;
            eventually("the other worker has them all", async || {
                let api = world.api(0);
                for session in &sessions {
                    let now = api.session(&session.id).await?;
                    if now["worker"] != world.workers[1].id() || now["status"] != "working" {
                        return Ok(None);
                    }
                }
                Ok(Some(()))
            })
            .await?;
            send_through_all(world, &sessions, &peer).await?;
            let messages = world.sandbox().wait_for_messages(&peer.phone, 8).await?;
            assert_eq!(messages.len(), 8);
            assert!(messages.iter().all(|message| message.copies == 1));
            Ok(())
        })
        .await
}

/// Told to end, a worker hands its sessions over; sends wait for a moment and go on in order.
#[tokio::test]
async fn a_worker_hands_its_sessions_over() -> Result<()> {
    World::builder()
        .workers(2)
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let owner = world.owner_of(&session.id).await?;
            for number in 0..20 {
                let send = SendRequest::text(&peer.phone, &format!("number {number}"));
                api.send(&session.id, &send.asynchronous())
                    .await?
                    .expect(202)?;
            }
            world.workers[owner].program.term().await?;
            for number in 20..40 {
                let send = SendRequest::text(&peer.phone, &format!("number {number}"));
                api.send(&session.id, &send.asynchronous())
                    .await?
                    .expect(202)?;
            }
            let messages = world.sandbox().wait_for_messages(&peer.phone, 40).await?;
            let texts: Vec<_> = messages.iter().map(|message| message.text()).collect();
            let expected: Vec<_> = (0..40).map(|number| format!("number {number}")).collect();
            assert_eq!(texts, expected);
            assert_eq!(world.owner_of(&session.id).await?, 1 - owner);
            Ok(())
        })
        .await
}
