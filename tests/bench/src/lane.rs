//! (e) The lane engine alone: real lanes on a real Redis, run by the worker's engine with a handler
//! that returns at once. No WhatsApp, no HTTP: what is left is the queue.
//!
//! - The *rate*: the lanes are filled, then opened; from that moment until the last send is
//!   settled, with few and with many waiting, in turns.
//! - *Steady*: sends are accepted at 1,000 a second; how long from the call that accepts one until
//!   its handler runs.
//! - *Sparse*: the same at 4 a second for minutes, so that every send finds the engine asleep; the
//!   longest wait is what a lost wake-up would show in.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt};
use gateway_shared::clock::SystemClock;
use gateway_shared::config::Config;
use gateway_shared::domain::{
    Content, Jid, Limits, MessageContext, OrganizationId, OutboxId, WorkerId, new_message_id,
};
use gateway_shared::lane::{
    Attempt, ClaimedSend, EnqueueOutcome, EnqueueRequest, Lanes, Mode, SessionRef,
};
use gateway_shared::redis::{RedisConfig, Store};
use gateway_shared::session::{Acquired, NewSession, Report, Sessions};
use gateway_tests::process::{Persistence, RedisServer};
use gateway_worker::engine::{Dispatch, Engine, EngineConfig, LaneHandle, LaneSpec, Verdict, Wire};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::figures::{median, millis, percentile};
use crate::plan::Plan;

/// Sessions, and chats of each.
const SESSIONS: usize = 10;
const CHATS: usize = 64;
/// Acceptances under way while the lanes are filled.
const FILLING_AT_ONCE: usize = 64;
/// Sends a second.
const STEADY: u32 = 1_000;
const SPARSE: u32 = 4;
/// How long all handlers may take after the last acceptance.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the engine does.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// The rates, from the least to the most waiting.
    pub(crate) rates: Vec<Rate>,
    /// The median rate at the most waiting over that at the least.
    pub(crate) rate_ratio: f64,
    /// At many sends a second.
    pub(crate) steady: Waits,
    /// At few.
    pub(crate) sparse: Waits,
}

/// Completed sends a second.
#[derive(Debug, Serialize)]
pub(crate) struct Rate {
    /// Sends that waited when the lanes were opened.
    pub(crate) waiting: usize,
    /// Each round.
    pub(crate) rounds: Vec<f64>,
}

/// From acceptance to handler.
#[derive(Debug, Serialize)]
pub(crate) struct Waits {
    /// Sends a second.
    pub(crate) per_second: u32,
    /// For how long.
    pub(crate) seconds: u64,
    /// How many.
    pub(crate) sends: usize,
    /// The middle, in milliseconds.
    pub(crate) p50_ms: f64,
    /// What 99 of 100 do not exceed.
    pub(crate) p99_ms: f64,
    /// The longest.
    pub(crate) longest_ms: f64,
}

/// Measures all of it.
///
/// # Errors
/// When Redis does not start or the engine does not complete what it should.
pub(crate) async fn measure(plan: &Plan) -> Result<Measured> {
    let bench = Bench::start().await?;
    let mut rates: Vec<Rate> = plan
        .waiting
        .iter()
        .map(|&waiting| Rate {
            waiting,
            rounds: Vec::new(),
        })
        .collect();
    // The first round is for warming up.
    for round in 0..=plan.rounds {
        for rate in &mut rates {
            let completed = bench.rate(rate.waiting).await?;
            if round > 0 {
                rate.rounds.push(completed);
            }
        }
    }
    let medians: Vec<f64> = rates.iter().map(|rate| median(&rate.rounds)).collect();
    let rate_ratio = match (medians.first(), medians.last()) {
        (Some(least), Some(most)) => most / least,
        _ => 0.0,
    };
    bench.open();
    let steady = bench.waits(STEADY, plan.steady).await?;
    let sparse = bench.waits(SPARSE, plan.sparse).await?;
    bench.end().await;
    Ok(Measured {
        rates,
        rate_ratio,
        steady,
        sparse,
    })
}

/// The handler: notes the time, and has sent.
#[derive(Debug, Default)]
struct AtOnce {
    handled: Mutex<Handled>,
    complete: Notify,
}

#[derive(Debug, Default)]
struct Handled {
    times: HashMap<OutboxId, Instant>,
    count: usize,
    wanted: usize,
    /// Whether times are kept.
    noting: bool,
}

impl AtOnce {
    fn lock(&self) -> std::sync::MutexGuard<'_, Handled> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, wanted: usize, noting: bool) {
        *self.lock() = Handled {
            wanted,
            noting,
            ..Handled::default()
        };
    }

    fn is_complete(&self) -> bool {
        let handled = self.lock();
        handled.count >= handled.wanted
    }

    async fn all(&self) -> Result<()> {
        let done = async {
            loop {
                let complete = self.complete.notified();
                if self.is_complete() {
                    return;
                }
                complete.await;
            }
        };
        if timeout(PATIENCE, done).await.is_err() {
            let handled = self.lock();
            bail!("{} of {} sends were handled", handled.count, handled.wanted);
        }
        Ok(())
    }
}

impl Dispatch for AtOnce {
    fn dispatch(&self, send: ClaimedSend, _wire: Wire) -> BoxFuture<'static, Verdict> {
        let mut handled = self.lock();
        handled.count += 1;
        if handled.noting {
            handled.times.insert(send.id, Instant::now());
        }
        if handled.count == handled.wanted {
            self.complete.notify_one();
        }
        drop(handled);
        let verdict = Verdict::from(Attempt::Sent(SystemClock::local()));
        Box::pin(std::future::ready(verdict))
    }
}

/// Lanes on a Redis of their own, and the engine that runs them.
struct Bench {
    folder: PathBuf,
    _redis: RedisServer,
    lanes: Lanes,
    sessions: Vec<SessionRef>,
    handles: Vec<LaneHandle>,
    handler: Arc<AtOnce>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn start() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("gateway-bench-{}", std::process::id()));
        let redis = RedisServer::start(&folder, Persistence::EverySecond).await?;
        let defaults = Config::defaults()?;
        let place = RedisConfig {
            urls: vec![redis.url()],
            ..defaults.redis
        };
        let store = Store::open(&place).await?;
        let lanes = Lanes::new(store.clone(), defaults.retention);
        let records = Sessions::new(store, &defaults.retention);
        let now = SystemClock::local();
        let worker = WorkerId::generate(now);
        let handler = Arc::new(AtOnce::default());
        let (engine, run) = Engine::new(
            EngineConfig::from(&defaults.worker),
            &worker,
            lanes.clone(),
            place,
            Arc::new(SystemClock::new()),
        );
        let stop = CancellationToken::new();
        let running = tokio::spawn(run.run(stop.clone()));
        let organization = OrganizationId::generate(now);
        let unlimited = Limits {
            rate_per_min: 0,
            rate_per_hour: 0,
        };
        let new = NewSession {
            label: "bench".to_owned(),
            start: true,
            limits: unlimited,
            auto_read: false,
            auto_download: false,
            presence_typing: false,
            proxy: None,
            device_name: String::new(),
            platform: String::new(),
        };
        let (mut sessions, mut handles) = (Vec::new(), Vec::new());
        for _ in 0..SESSIONS {
            let session = records.create(now, &organization, &new).await?;
            let from = SessionRef {
                organization: organization.clone(),
                session: session.id,
            };
            let Acquired::Owned(epoch) = records.acquire(now, &from, &worker, None).await? else {
                bail!("a session of our own could not be acquired");
            };
            let paired = Report {
                fields: vec![("waJid", "15550001111@s.whatsapp.net".to_owned())],
                ..Report::default()
            };
            records.report(now, (&from, epoch), &paired).await?;
            let spec = LaneSpec {
                from: from.clone(),
                epoch,
                limits: unlimited,
                lost: stop.child_token(),
                dispatch: Arc::clone(&handler) as Arc<dyn Dispatch>,
            };
            handles.push(engine.attach(spec).await?);
            sessions.push(from);
        }
        Ok(Self {
            folder,
            _redis: redis,
            lanes,
            sessions,
            handles,
            handler,
            stop,
            running,
        })
    }

    fn open(&self) {
        self.handles.iter().for_each(LaneHandle::open);
    }

    /// Fills the lanes, opens them, and waits until all is settled; completed sends a second.
    async fn rate(&self, waiting: usize) -> Result<f64> {
        self.handles.iter().for_each(LaneHandle::hold);
        self.handler.expect(waiting, false);
        futures_util::stream::iter(0..waiting)
            .map(|number| self.accept(number))
            .buffer_unordered(FILLING_AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        let begin = Instant::now();
        self.open();
        self.handler.all().await?;
        self.settled().await?;
        Ok(waiting as f64 / begin.elapsed().as_secs_f64())
    }

    async fn settled(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.handles.iter().any(|handle| handle.in_flight() > 0) {
            ensure!(Instant::now() < deadline, "not everything was settled");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Accepts evenly for a while; how long each waited for its handler.
    async fn waits(&self, per_second: u32, during: Duration) -> Result<Waits> {
        let sends = (during.as_secs_f64() * f64::from(per_second)) as usize;
        self.handler.expect(sends, true);
        let mut tick = interval(Duration::from_secs(1) / per_second);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let accepted: Vec<(OutboxId, Instant)> =
            futures_util::stream::unfold((tick, 0), |state| async move {
                let (mut tick, number) = state;
                tick.tick().await;
                (number < sends).then_some((number, (tick, number + 1)))
            })
            .map(|number| self.accept(number))
            .buffer_unordered(FILLING_AT_ONCE)
            .try_collect()
            .await?;
        self.handler.all().await?;
        self.settled().await?;
        let handled = self.handler.lock();
        let waits: Vec<f64> = accepted
            .iter()
            .filter_map(|(id, begin)| {
                let handled = handled.times.get(id)?;
                Some(millis(handled.saturating_duration_since(*begin)))
            })
            .collect();
        ensure!(
            waits.len() == sends,
            "{} of {sends} sends were handled",
            waits.len()
        );
        Ok(Waits {
            per_second,
            seconds: during.as_secs(),
            sends,
            p50_ms: percentile(&waits, 0.50),
            p99_ms: percentile(&waits, 0.99),
            longest_ms: percentile(&waits, 1.0),
        })
    }

    /// Accepts one send; its id, and when that was begun.
    async fn accept(&self, number: usize) -> Result<(OutboxId, Instant)> {
        let begin = Instant::now();
        let now = SystemClock::local();
        let chat = (number / SESSIONS) % CHATS;
        let to: Jid = format!("1555{:07}", 3_000_000 + chat).parse()?;
        let acceptance = EnqueueRequest {
            from: self.sessions[number % SESSIONS].clone(),
            id: OutboxId::generate(now),
            wa_message_id: new_message_id(),
            to,
            content: Content::Text {
                text: "A message of an ordinary length.".to_owned(),
                context: MessageContext::default(),
            },
            mode: Mode::Async,
            expires_at: None,
            time_to_live_ms: 3_600_000,
            send_at: 0,
            request_id: "bench".to_owned(),
            idempotency: None,
            waiter: None,
            max_depth: u32::MAX,
        };
        let accepted = self.lanes.accept(now, &acceptance).await?;
        ensure!(
            matches!(accepted, EnqueueOutcome::New { .. }),
            "not accepted: {accepted:?}"
        );
        Ok((acceptance.id, begin))
    }

    async fn end(self) {
        self.stop.cancel();
        // That it has ended badly was logged by itself.
        let _ = self.running.await;
        drop(self._redis);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
