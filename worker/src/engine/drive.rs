//! Carries out the calls of the agenda, and listens for wake-ups.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use gateway_shared::clock::Millis;
use gateway_shared::domain::SessionId;
use gateway_shared::lane::LaneError;
use gateway_shared::redis::subscription::{self, Received};
use rand::RngExt;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::lane::Call;
use super::scheduler::{Answer, Job};

/// The longest sleep of the driver, so that a wall clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Makes the calls that the agenda wants, until the future is dropped. From `shutdown` on it claims
/// nothing more.
pub(super) async fn drive(shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut calls = FuturesUnordered::new();
    // Lanes that wait for their turn settle and claim more with it.
    let most = shared.lanes.store().connection.worth_at_once();
    let timer = sleep(LONGEST_SLEEP);
    tokio::pin!(timer);
    loop {
        let now = shared.clock.now();
        let next = {
            let mut scheduler = shared.scheduler();
            // From the signal on nothing is claimed, whoever hears of it first.
            scheduler.draining |= shutdown.is_cancelled();
            while calls.len() < most
                && let Some(job) = scheduler.next_job(now)
            {
                calls.push(make(Arc::clone(&shared), job));
            }
            // With all under way that may be, only their answers matter.
            (calls.len() < most)
                .then(|| scheduler.next_timer())
                .flatten()
        };
        set(timer.as_mut(), now, next);
        tokio::select! {
            biased;
            Some((job, answer)) = calls.next() => {
                answered(&shared, job, answer);
                // All that came with the same packet.
                while let Some(Some((job, answer))) = futures_util::FutureExt::now_or_never(calls.next()) {
                    answered(&shared, job, answer);
                }
            }
            () = shared.driver.notified() => {}
            () = timer.as_mut() => {}
        }
    }
}

fn set(timer: std::pin::Pin<&mut Sleep>, now: Millis, next: Option<Millis>) {
    let wait = next.map_or(LONGEST_SLEEP, |at| {
        Duration::from_millis(u64::try_from(at - now).unwrap_or(0)).min(LONGEST_SLEEP)
    });
    let deadline = Instant::now() + wait;
    let set = timer.deadline();
    // A timer that fires a little early only looks once more; moving it costs a lock.
    let near = next.is_none() && set > Instant::now() && set < deadline;
    if !near {
        timer.reset(deadline);
    }
}

fn answered(shared: &Shared, job: Job, answer: Result<Answer, LaneError>) {
    let sweep = shared.config.sweep;
    // Lanes that were attached together do not all look at once.
    let sweep = sweep.mul_f64(rand::rng().random_range(0.75..1.25));
    let sweep = Millis::try_from(sweep.as_millis()).unwrap_or(Millis::MAX);
    let now = shared.clock.now();
    let arrived = shared.scheduler().answered(job, answer, now, sweep);
    if arrived {
        shared.worker.wake();
    }
    shared.settled.notify_waiters();
}

async fn make(shared: Arc<Shared>, job: Job) -> (Job, Result<Answer, LaneError>) {
    let (lanes, owner) = (&shared.lanes, (&job.from, job.epoch));
    let answer = match &job.call {
        Call::Recover(busy) => lanes
            .recover(shared.clock.now(), owner, shared.config.crashes, busy)
            .await
            .map(Answer::Recovered),
        Call::Pause(pause) => lanes
            .rest(
                shared.clock.now(),
                owner,
                pause.scope,
                pause.until,
                &pause.reason,
            )
            .await
            .map(|()| Answer::Paused(pause.clone())),
        Call::Turn { settlements, claim } => {
            let (now, most) = (shared.clock.now(), shared.config.max_attempts);
            let turn = lanes.turn(now, owner, most, settlements, *claim);
            turn.await.map(Answer::Turn)
        }
    };
    (job, answer)
}

/// Hears which lanes are woken, until the future is dropped. Meanwhile, and while nothing can be
/// heard, lanes also look by themselves.
pub(super) async fn listen(shared: Arc<Shared>) {
    let channel = shared.lanes.store().keys.wake_channel(&shared.name);
    let mut received = subscription::listen(shared.redis.clone(), [channel]);
    while let Some(received) = received.recv().await {
        match received {
            // What was published before is not heard again: ask every lane.
            Received::Subscribed => shared.wake_all(),
            Received::Message { text, .. } => {
                if let Ok(session) = text.parse::<SessionId>() {
                    shared.wake(&session);
                }
            }
            Received::Lost => {}
        }
    }
    std::future::pending().await
}
