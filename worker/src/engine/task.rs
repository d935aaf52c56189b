//! The lanes as a queue of apalis: what it fetches, runs and acknowledges.
//!
//! apalis decides when a send starts and tells how it ended; claiming and settling go on beside it
//! (see [`drive`](super::drive)), so that no call to Redis holds up a fetch or an acknowledgement.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::layers::catch_panic::CatchPanicLayer;
use apalis::layers::tracing::TraceLayer;
use apalis_core::backend::codec::Codec;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::persistence::{
    Persisted, Persistence, State, TaskEvent, TaskPersistLayer,
};
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::error::WorkerError;
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_shared::domain::SendFailure;
use gateway_shared::lane::Attempt;
use tokio::task::JoinHandle;
use tower::Service;
use tracing::Instrument;

use super::dispatch::{Verdict, Wire};
use super::scheduler::Arrival;
use super::{EngineConfig, Shared};

/// apalis' own heartbeat. There is nothing to say in it: a worker's life is the pool's matter.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Messages of the largest send: an album of 30.
const MOST_MESSAGES: u32 = 31;

/// Runs sends until `context` is stopped.
pub(super) async fn work(shared: Arc<Shared>, context: WorkerContext) -> Result<(), WorkerError> {
    let config = shared.config;
    let trace = TraceLayer::new().make_span_with(|task: &Task<Arrival>| {
        let send = &task.args.send;
        tracing::info_span!("send", outbox = %send.id, session = %send.from.session,
            organization = %send.from.organization, request = %send.request_id,
            attempt = send.attempt)
    });
    WorkerBuilder::new(&context)
        .backend(LaneBackend {
            inner: Persisted::new(LanePersistence {
                shared: Arc::clone(&shared),
            }),
            shared: Arc::clone(&shared),
        })
        .concurrency(config.concurrency as usize)
        .timeout(config.attempt_timeout * MOST_MESSAGES + config.upload_timeout)
        .layer(trace)
        .layer(CatchPanicLayer::with_panic_handler(panicked))
        .build(Handler { shared })
        .run()
        .await
}

/// An attempt panicked: a bug, told by the panic hook. The send is attempted again.
#[derive(Debug, thiserror::Error)]
#[error("the attempt panicked")]
struct Panicked;

fn panicked(_: &Box<dyn Any + Send>) -> Panicked {
    Panicked
}

/// What apalis asks of a store. Nothing in here waits or fails.
#[derive(Debug, Clone)]
struct LanePersistence {
    shared: Arc<Shared>,
}

impl Persistence for LanePersistence {
    type Compact = Arrival;
    type Response = Verdict;
    type Error = Infallible;

    async fn register(&mut self, _worker: &WorkerContext) -> Result<(), Infallible> {
        Ok(())
    }

    async fn heartbeat(&mut self, _worker: &WorkerContext) -> Result<(), Infallible> {
        Ok(())
    }

    async fn fetch_next(
        &mut self,
        _worker: &WorkerContext,
    ) -> Result<Vec<Task<Arrival>>, Infallible> {
        let arrivals = self
            .shared
            .scheduler()
            .arrivals(self.shared.config.batch as usize);
        let task = |arrival: Arrival| {
            let id = TaskId::Int(arrival.number);
            TaskBuilder::new(arrival).task_id(id).build()
        };
        Ok(arrivals.into_iter().map(task).collect())
    }

    async fn reenqueue_abandoned(
        &mut self,
        tasks: Vec<Task<Arrival>>,
        _worker: &WorkerContext,
    ) -> Result<u64, Infallible> {
        for task in &tasks {
            self.shared
                .completed(task.args.number, |_| Verdict::released());
        }
        Ok(u64::try_from(tasks.len()).unwrap_or(u64::MAX))
    }

    async fn handle_events(
        &mut self,
        events: Vec<TaskEvent<Verdict>>,
        _worker: &WorkerContext,
    ) -> Result<(), Infallible> {
        for event in events {
            let TaskEvent::Complete(done) = event else {
                continue;
            };
            let TaskId::Int(number) = done.task_id else {
                continue;
            };
            self.shared.completed(number, |attempt| {
                done.result.unwrap_or_else(|error| {
                    tracing::warn!(%error, "an attempt panicked or took too long");
                    unended(&self.shared, attempt)
                })
            });
        }
        Ok(())
    }

    async fn push_tasks(&mut self, tasks: Vec<Task<Arrival>>) -> Result<(), Infallible> {
        // Sends are accepted by a script, never pushed through a worker.
        drop(tasks);
        Ok(())
    }
}

/// What becomes of a send whose attempt took too long before anything of it could leave.
fn unprepared(shared: &Shared, attempt: u32) -> Verdict {
    let due = shared.config.retry.due(shared.clock.now(), attempt);
    let failure = SendFailure::new("attempt_failed", "its files were not uploaded in time");
    Attempt::Retry(due, failure).into()
}

/// What becomes of a send whose attempt panicked or took too long.
fn unended(shared: &Shared, attempt: u32) -> Verdict {
    let due = shared.config.retry.due(shared.clock.now(), attempt);
    let failure = SendFailure::new("attempt_failed", "the attempt did not end");
    Attempt::Silent(due, failure).into()
}

/// The backend: fetches again as soon as something was claimed.
#[derive(Debug)]
struct LaneBackend {
    inner: Persisted<LanePersistence>,
    shared: Arc<Shared>,
}

impl Backend for LaneBackend {
    type Task = Task<Arrival>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx, worker, HEARTBEAT)
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        loop {
            let polled = self.inner.poll_next(cx, worker);
            if polled.is_ready() || !matches!(self.inner.state(), State::Ready) {
                return polled;
            }
            // Registered first and looked at afterwards: no arrival is missed in between.
            self.shared.worker.register(cx.waker());
            if !self.shared.scheduler().has_arrivals() {
                return Poll::Pending;
            }
        }
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        self.inner.poll_close(cx, worker)
    }
}

impl BackendConfig for LaneBackend {
    type Args = Arrival;
    type Id = u64;
    type Kind = Ephemeral;
    type Config = EngineConfig;
    type Layer = TaskPersistLayer<Plain, Verdict>;

    fn config(&self) -> &EngineConfig {
        &self.shared.config
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Self::Layer {
        let batch = self.shared.config.batch as usize;
        self.inner.layer(Plain, batch).persist_results(true)
    }
}

/// Verdicts stay what they are on their way to the store.
#[derive(Debug, Clone, Copy)]
struct Plain;

impl Codec<Verdict> for Plain {
    type Error = Infallible;
    type Compact = Verdict;

    fn encode(&self, verdict: &Verdict) -> Result<Verdict, Infallible> {
        Ok(verdict.clone())
    }

    fn decode(&self, verdict: &Verdict) -> Result<Verdict, Infallible> {
        Ok(verdict.clone())
    }
}

/// Runs the dispatch of a send's lane on a task of its own, so that all cores encrypt.
#[derive(Debug)]
struct Handler {
    shared: Arc<Shared>,
}

impl Service<Task<Arrival>> for Handler {
    type Response = Verdict;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Verdict, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Arrival>) -> Self::Future {
        let Arrival { lane, send, .. } = task.args;
        let now = self.shared.clock.now();
        let start = self.shared.scheduler().lane(lane).and_then(|lane| {
            let may = lane.may_start(now);
            may.then(|| (Arc::clone(&lane.dispatch), lane.halt.clone()))
        });
        let Some((dispatch, halt)) = start else {
            return std::future::ready(Ok(Verdict::released())).boxed();
        };
        let config = &self.shared.config;
        let content = send.content.as_ref().ok();
        let messages = 1 + content.map_or(0, |content| content.parts().len());
        let messages = u32::try_from(messages).unwrap_or(MOST_MESSAGES);
        let limit = if content.is_some_and(|content| !content.files().is_empty()) {
            config.attempt_timeout * messages.min(MOST_MESSAGES) + config.upload_timeout
        } else {
            config.attempt_timeout
        };
        let wire = Wire::default();
        let (shared, number) = (Arc::clone(&self.shared), send.attempt);
        let attempt = async move {
            let attempt = halt.run_until_cancelled(dispatch.dispatch(send, wire.clone()));
            match tokio::time::timeout(limit, attempt).await {
                Ok(Some(verdict)) => verdict,
                Ok(None) if wire.may_have_carried() => Verdict::cut(),
                Ok(None) => Verdict::released(),
                Err(_) => {
                    tracing::warn!("an attempt took too long");
                    if wire.may_have_carried() {
                        unended(&shared, number)
                    } else {
                        unprepared(&shared, number)
                    }
                }
            }
        };
        let mut running = AbortOnDrop(tokio::spawn(attempt.in_current_span()));
        async move {
            match (&mut running.0).await {
                Ok(verdict) => Ok(verdict),
                // For the layer that catches panics.
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Ok(Verdict::cut()),
                },
            }
        }
        .boxed()
    }
}

/// A task that does not outlive whoever waits for it.
struct AbortOnDrop(JoinHandle<Verdict>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
