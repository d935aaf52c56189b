//! Lanes and workers that end, in order.

use std::sync::Arc;
use std::time::Duration;

use gateway_shared::domain::SendStatus;
use gateway_shared::lane::{Epoch, LaneError};
use gateway_worker::engine::{Detached, LaneSpec};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::world::{CONFIG, UNLIMITED, World, next, sending, sent, telling};

#[tokio::test(flavor = "multi_thread")]
async fn draining_lets_what_runs_end_and_starts_nothing() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let gate = Arc::new(Semaphore::new(0));
    let passes = Arc::clone(&gate);
    let (dispatch, mut attempts) = telling(move |_| {
        let passes = Arc::clone(&passes);
        async move {
            let _permit = passes.acquire().await.unwrap();
            sent()
        }
    });
    let _lane = running.attach(&session, UNLIMITED, dispatch).await;
    let runs = world.accept(&session.0, 1).await;
    let waits = world.accept(&session.0, 1).await;
    next(&mut attempts).await;
    running.shutdown.cancel();
    let later = world.accept(&session.0, 2).await;
    tokio::task::yield_now().await;
    assert!(!running.run.is_finished());
    gate.add_permits(1);
    running.end().await;
    assert!(attempts.try_recv().is_err());
    assert_eq!(
        world.entry(&session.0, &runs).await.status,
        SendStatus::Sent
    );
    for id in [&waits, &later] {
        assert_eq!(world.entry(&session.0, id).await.status, SendStatus::Queued);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn detaching_ends_what_takes_too_long_and_returns_it() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let (dispatch, mut attempts) = telling(|send| async move {
        if send.to.as_str().starts_with("1001@") {
            std::future::pending::<()>().await;
        }
        sent()
    });
    let lane = running.attach(&session, UNLIMITED, dispatch).await;
    let hangs = world.accept(&session.0, 1).await;
    let ends = world.accept(&session.0, 2).await;
    next(&mut attempts).await;
    next(&mut attempts).await;
    let left = lane.detach(Duration::from_millis(100)).await;
    assert_eq!(left, Detached::Settled);
    assert_eq!(
        world.entry(&session.0, &ends).await.status,
        SendStatus::Sent
    );
    let entry = world.entry(&session.0, &hangs).await;
    assert_eq!((entry.status, entry.attempts), (SendStatus::Sending, 0));
    // The next owner goes on where this one stopped.
    let next_owner = world.own(&session.0, &running.worker).await;
    let (dispatch, mut attempts) = sending();
    let _lane = running
        .attach(&(session.0.clone(), next_owner), UNLIMITED, dispatch)
        .await;
    let again = next(&mut attempts).await;
    assert_eq!(
        (again.id, again.wa_message_id),
        (hangs, entry.wa_message_id)
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_attaches_with_a_stale_token() {
    let world = World::new().await;
    let running = world.engine(CONFIG);
    let session = world.session(&running.worker).await;
    let spec = LaneSpec {
        from: session.0,
        epoch: Epoch(session.1.0 - 1),
        limits: UNLIMITED,
        lost: CancellationToken::new(),
        dispatch: sending().0,
    };
    let refused = running.engine.attach(spec).await;
    assert!(matches!(refused, Err(LaneError::Stale(_))));
    running.end().await;
}
