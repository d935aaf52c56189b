//! Sessions on a private Redis, an engine that runs them, and a dispatch that tells what it did.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::domain::{
    Content, Limits, MessageContext, OrganizationId, OutboxId, SendStatus, SessionId, WorkerId,
    new_message_id,
};
use gateway_shared::lane::{
    Attempt, ClaimedSend, CrashPolicy, EnqueueRequest, Epoch, Lanes, Mode, OutboxEntry, Retention,
    SessionRef,
};
use gateway_shared::redis::keys::{PARTITION, key};
use gateway_shared::redis::{RedisConfig, Store};
use gateway_worker::Backoff;
use gateway_worker::engine::{Dispatch, Engine, EngineConfig, LaneHandle, LaneSpec, Verdict, Wire};
use redis::AsyncCommands;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use gateway_tests::process::{Persistence, RedisServer};

pub(crate) const UNLIMITED: Limits = Limits {
    rate_per_min: 0,
    rate_per_hour: 0,
};

pub(crate) const CONFIG: EngineConfig = EngineConfig {
    concurrency: 64,
    batch: 16,
    max_attempts: 4,
    crashes: CrashPolicy {
        most: 3,
        first_rest_ms: 40,
        longest_rest_ms: 200,
    },
    attempt_timeout: Duration::from_secs(20),
    upload_timeout: Duration::from_secs(20),
    retry: Backoff {
        base: Duration::from_millis(40),
        cap: Duration::from_millis(200),
    },
    release_rest: Duration::from_millis(300),
    // Far longer than any test: what is woken is woken by a wake-up.
    sweep: Duration::from_secs(600),
    drain: Duration::from_secs(20),
};

/// What no wait of a test is longer than; that it is reached is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How to reach a server.
fn reach(server: &RedisServer) -> RedisConfig {
    RedisConfig {
        // A busy machine's disk may hold up a write for seconds; that is no finding.
        response_timeout_ms: 20_000,
        ..RedisConfig::at([server.url()], "e")
    }
}

pub(crate) struct World {
    pub(crate) server: RedisServer,
    pub(crate) store: Store,
    pub(crate) lanes: Lanes,
    pub(crate) organization: OrganizationId,
    pub(crate) clock: Arc<SystemClock>,
}

/// An engine that runs until it is dropped or told to end.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) worker: WorkerId,
    pub(crate) shutdown: CancellationToken,
    pub(crate) run: JoinHandle<()>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let server = RedisServer::temporary(Persistence::Unsynced).await.unwrap();
        let store = Store::open(&reach(&server)).await.unwrap();
        let retention = Retention {
            events_ms: 86_400_000,
            events_bytes: 1 << 30,
            outbox_ms: 86_400_000,
            idempotency_ms: 86_400_000,
            messages_ms: 30 * 86_400_000,
            messages: 3_200,
        };
        Self {
            lanes: Lanes::new(store.clone(), retention),
            store,
            server,
            organization: OrganizationId::generate(SystemClock::local()),
            clock: Arc::new(SystemClock::new()),
        }
    }

    pub(crate) fn engine(&self, config: EngineConfig) -> Running {
        let worker = WorkerId::generate(self.clock.now());
        let redis = reach(&self.server);
        let (engine, run) = Engine::new(
            config,
            &worker,
            self.lanes.clone(),
            redis,
            self.clock.clone(),
        );
        let shutdown = CancellationToken::new();
        let run = tokio::spawn(run.run(shutdown.clone()));
        Running {
            engine,
            worker,
            shutdown,
            run,
        }
    }

    /// A working session owned by `worker`, and its epoch.
    pub(crate) async fn session(&self, worker: &WorkerId) -> (SessionRef, Epoch) {
        let from = SessionRef {
            organization: self.organization.clone(),
            session: SessionId::generate(self.clock.now()),
        };
        self.set(&from, "status", "working").await;
        self.set(&from, "waJid", "15550001111@s.whatsapp.net").await;
        (from.clone(), self.own(&from, worker).await)
    }

    /// Gives a session to a worker.
    pub(crate) async fn own(&self, from: &SessionRef, worker: &WorkerId) -> Epoch {
        self.set(from, "worker", worker.as_str()).await;
        let key = self.key(from, "session");
        let mut connection = self.store.connection.clone();
        Epoch(connection.hincr(key, "epoch", 1).await.unwrap())
    }

    pub(crate) async fn set(&self, from: &SessionRef, field: &str, value: &str) {
        let key = self.key(from, "session");
        let mut connection = self.store.connection.clone();
        let _: () = connection.hset(key, field, value).await.unwrap();
    }

    pub(crate) fn key(&self, from: &SessionRef, name: &str) -> String {
        let root = self.store.keys.partition(&from.organization);
        key(PARTITION, &root, name, &[from.session.as_str()])
    }

    pub(crate) fn send(&self, from: &SessionRef, chat: u32) -> EnqueueRequest {
        let now = self.clock.now();
        EnqueueRequest {
            from: from.clone(),
            id: OutboxId::generate(now),
            wa_message_id: new_message_id(),
            to: format!("{}@g.us", 1_000 + chat).parse().unwrap(),
            content: Content::Text {
                text: "hello".to_owned(),
                context: MessageContext::default(),
            },
            mode: Mode::Async,
            expires_at: None,
            time_to_live_ms: 86_400_000,
            send_at: 0,
            request_id: "req".to_owned(),
            idempotency: None,
            waiter: None,
            max_depth: 1_000_000,
        }
    }

    pub(crate) async fn accept(&self, from: &SessionRef, chat: u32) -> OutboxId {
        let send = self.send(from, chat);
        self.lanes.accept(self.clock.now(), &send).await.unwrap();
        send.id
    }

    pub(crate) async fn entry(&self, from: &SessionRef, id: &OutboxId) -> OutboxEntry {
        self.lanes.entry(from, id).await.unwrap().unwrap()
    }

    /// Starts the killed Redis again, and waits until this world's own connection reaches it: an
    /// attempt to connect that began too early still fails whoever asks first.
    pub(crate) async fn revive(&mut self) {
        self.server.restart().await.unwrap();
        let reached = async {
            while self.store.ping().await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        with_retry(reached).await;
    }

    /// Waits until an entry has this status; its record, which the script has written before
    /// anything else is told, is the fact that is awaited.
    pub(crate) async fn reaches(&self, from: &SessionRef, id: &OutboxId, status: SendStatus) {
        let reached = async {
            while self.entry(from, id).await.status != status {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        with_retry(reached).await;
    }

    pub(crate) async fn history(&self, from: &SessionRef, id: &OutboxId) -> Vec<&'static str> {
        let entry = self.entry(from, id).await;
        entry.history.iter().map(|s| s.status.as_str()).collect()
    }
}

impl Running {
    /// Attaches a session with this dispatch; the lane is open.
    pub(crate) async fn attach(
        &self,
        (from, epoch): &(SessionRef, Epoch),
        limits: Limits,
        dispatch: Arc<dyn Dispatch>,
    ) -> LaneHandle {
        let lane = self.attach_held((from, *epoch), limits, dispatch, CancellationToken::new());
        let lane = lane.await;
        lane.open();
        lane
    }

    pub(crate) async fn attach_held(
        &self,
        (from, epoch): (&SessionRef, Epoch),
        limits: Limits,
        dispatch: Arc<dyn Dispatch>,
        lost: CancellationToken,
    ) -> LaneHandle {
        let spec = LaneSpec {
            from: from.clone(),
            epoch,
            limits,
            lost,
            dispatch,
        };
        self.engine.attach(spec).await.unwrap()
    }

    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        with_retry(self.run).await.unwrap();
    }
}

pub(crate) async fn with_retry<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it did not happen in time")
}

/// A dispatch that tells each attempt and ends it as `verdict` says.
pub(crate) struct Reporting<F> {
    emitted: mpsc::UnboundedSender<ClaimedSend>,
    verdict: F,
}

pub(crate) type Attempts = mpsc::UnboundedReceiver<ClaimedSend>;

/// A dispatch and what it is asked to do.
pub(crate) fn telling<F, V>(verdict: F) -> (Arc<dyn Dispatch>, Attempts)
where
    F: Fn(ClaimedSend) -> V + Send + Sync + 'static,
    V: Future<Output = Verdict> + Send + 'static,
{
    let (emitted, attempts) = mpsc::unbounded_channel();
    (Arc::new(Reporting { emitted, verdict }), attempts)
}

/// Everything is sent at once.
pub(crate) fn sending() -> (Arc<dyn Dispatch>, Attempts) {
    telling(|_| async { sent() })
}

pub(crate) fn sent() -> Verdict {
    Attempt::Sent(SystemClock::local()).into()
}

impl<F, V> Dispatch for Reporting<F>
where
    F: Fn(ClaimedSend) -> V + Send + Sync + 'static,
    V: Future<Output = Verdict> + Send + 'static,
{
    fn dispatch(&self, send: ClaimedSend, _wire: Wire) -> BoxFuture<'static, Verdict> {
        let _ = self.emitted.send(send.clone());
        (self.verdict)(send).boxed()
    }
}

pub(crate) async fn next(attempts: &mut Attempts) -> ClaimedSend {
    with_retry(attempts.recv()).await.unwrap()
}
