//! The budget of a session.

use anyhow::Result;
use gateway_tests::client::{PeerMessage, SendRequest};
use gateway_tests::world::World;

/// How far two clocks readings on this machine may be apart from what they tell of (ms).
const JITTER: i64 = 250;

/// In any stretch between two arrivals there are at most `limit` plus what the stretch gives back.
fn keeps_limit(messages: &[PeerMessage], per_minute: i64) {
    let times: Vec<i64> = messages.iter().map(|message| message.received_at).collect();
    for (first, start) in times.iter().enumerate() {
        for (last, end) in times.iter().enumerate().skip(first) {
            let count = (last - first + 1) as i64;
            let stretch = end - start + JITTER;
            let allowed = per_minute + stretch * per_minute / 60_000;
            assert!(
                count <= allowed,
                "{count} in {stretch} ms, allowed {allowed}"
            );
        }
    }
}

/// Over the limit a synchronous send is 429 with `Retry-After`; asynchronous ones all arrive
/// later; arrivals keep the limit; a restart of the worker does not refill it.
#[tokio::test]
async fn it_is_kept_by_all_and_survives_a_restart() -> Result<()> {
    const LIMIT: u32 = 12;
    World::builder()
        .run(async |world| {
            let session = world.pair_session_limited(LIMIT, 0).await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            for number in 1..=LIMIT {
                let send = SendRequest::text(&peer.phone, &format!("sync {number}"));
                api.send(&session.id, &send).await?.expect(200)?;
            }
            let over = SendRequest::text(&peer.phone, "over");
            let answer = api.send(&session.id, &over).await?.expect(429)?;
            assert_eq!(answer.error_code(), "rate_limited");
            assert_eq!(answer.at("error/details/window"), "minute");
            let wait_ms = answer
                .at("error/details/retryAfterMs")
                .as_i64()
                .unwrap_or(0);
            assert!((1..=5_000).contains(&wait_ms), "{wait_ms}");
            let seconds: i64 = answer.header("retry-after").unwrap_or_default().parse()?;
            assert_eq!(seconds, (wait_ms + 999) / 1_000);

            world.workers[0].kill9_and_restart().await?;
            api.wait_for_session(&session.id, "working").await?;
            let answer = api.send(&session.id, &over).await?;
            assert_ne!(answer.status, 200, "a restart does not refill the budget");

            for number in 1..=3 {
                let send = SendRequest::text(&peer.phone, &format!("async {number}"));
                api.send(&session.id, &send.asynchronous())
                    .await?
                    .expect(202)?;
            }
            let count = LIMIT as usize + 3;
            let messages = world
                .sandbox()
                .wait_for_messages(&peer.phone, count)
                .await?;
            assert_eq!(messages.len(), count, "the refused ones were not sent");
            keeps_limit(&messages, i64::from(LIMIT));
            Ok(())
        })
        .await
}

/// The hour window is told apart from the minute window, and what one refuses spends nothing of
/// the other.
#[tokio::test]
async fn the_hour_window_refuses_for_itself() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session_limited(60, 2).await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            for _ in 0..2 {
                let send = SendRequest::text(&peer.phone, "within");
                api.send(&session.id, &send).await?.expect(200)?;
            }
            for _ in 0..100 {
                let send = SendRequest::text(&peer.phone, "over");
                let answer = api.send(&session.id, &send).await?.expect(429)?;
                assert_eq!(answer.at("error/details/window"), "hour");
            }
            assert_eq!(world.sandbox().messages(&peer.phone).await?.len(), 2);
            Ok(())
        })
        .await
}

/// One session's limit is not another's.
#[tokio::test]
async fn each_session_has_its_own() -> Result<()> {
    World::builder()
        .run(async |world| {
            let spent = world.pair_session_limited(1, 0).await?;
            let fresh = world.pair_session_limited(1, 0).await?;
            let peer = world.create_peer().await?;
            let api = world.api(0);
            let send = SendRequest::text(&peer.phone, "hello");
            api.send(&spent.id, &send).await?.expect(200)?;
            api.send(&spent.id, &send).await?.expect(429)?;
            api.send(&fresh.id, &send).await?.expect(200)?;
            Ok(())
        })
        .await
}
