//! The rate limit as callers see it.

use gateway_shared::domain::Limits;

use crate::owner::Owner;
use crate::world::{World, answer};

#[tokio::test]
async fn over_the_limit_sync_is_429_and_async_waits() {
    let world = World::with(1, |config| config.send.sync_deadline_ms = 200).await;
    let limits = Limits {
        rate_per_min: 2,
        rate_per_hour: 100,
    };
    let session = world.session_of(&world.organization, limits).await;
    let owner = Owner::take(&world, &session).await;
    // Two fit and wait to be claimed; a third does not.
    for text in ["one", "two"] {
        assert_eq!(answer(world.send(&session, "", text)).await.status, 202);
    }
    let third = || {
        world
            .send(&session, "", "three")
            .header("idempotency-key", "k3")
    };
    let got = answer(third()).await;
    assert_eq!((got.status.as_u16(), got.code()), (429, "rate_limited"));
    let details = &got.body["error"]["details"];
    assert_eq!(details["window"], "minute");
    let millis = details["retryAfterMs"].as_u64().unwrap();
    assert!((1..=60_000).contains(&millis), "{millis}");
    assert_eq!(got.retry_after, Some(millis.div_ceil(1_000)));

    // Spending by claiming counts as waiting did.
    let claimed = owner.claim().await;
    assert!(!claimed.is_empty());
    assert_eq!(answer(third()).await.status, 429);

    // The 429 left the key unused: the same request, asynchronously, is a new send.
    let queued = answer(
        world
            .send(&session, "?async=true", "three")
            .header("idempotency-key", "k3"),
    )
    .await;
    assert_eq!(
        (queued.status.as_u16(), &queued.body["replayed"]),
        (202, &false.into())
    );
}

#[tokio::test]
async fn a_lane_holds_so_many_and_no_more() {
    let world = World::with(1, |config| config.send.max_lane_depth = 2).await;
    let session = world.session().await;
    for _ in 0..2 {
        assert_eq!(
            answer(world.send(&session, "?async=true", "x"))
                .await
                .status,
            202
        );
    }
    let got = answer(world.send(&session, "?async=true", "x")).await;
    assert_eq!((got.status.as_u16(), got.reason()), (503, "lane_full"));
    assert!(got.retry_after.is_some());
}
