//! A worker process from start to end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use gateway_shared::clock::{Clock, SystemClock};
use gateway_shared::config::{Config, WorkerConfig};
use gateway_shared::connects::Connects;
use gateway_shared::egress::{Egress, EgressError};
use gateway_shared::events::EventLog;
use gateway_shared::installation::{Foreign, Installation};
use gateway_shared::lane::{Epoch, Lanes, SessionRef};
use gateway_shared::media::{MediaError, MediaLinks, MediaStore};
use gateway_shared::messages::Messages;
use gateway_shared::organization::Organizations;
use gateway_shared::proxy::{Proxy, ProxyProblem};
use gateway_shared::redis::Store;
use gateway_shared::registry::Registry;
use gateway_shared::secrets::{Keyring, KeyringError};
use gateway_shared::session::Sessions;
use gateway_shared::telemetry;
use gateway_shared::webhooks::Webhooks;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::Backoff;
use crate::engine::{Engine, EngineConfig};
use crate::link::certificate::verify_armed;
use crate::link::{LinkConfig, Network, NetworkConfig, NetworkError, SendPolicy};
use crate::pool::{Membership, Pool, PoolEnd, Rhythm};
use crate::retention::EventRetention;
use crate::session::{Ahead, Downloads, Runtime, Uploads, Versions};
use crate::webhooks::{self, Dispatcher};

/// Pause before Redis is tried again at the start.
const AGAIN: Duration = Duration::from_secs(1);
/// How many sessions at a time are told that their former owner lives.
const SURVIVAL_CONCURRENCY: usize = 32;

/// What this build may talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// WhatsApp, with every check armed.
    Production,
    /// The protocol sandbox, whose certificate no production build accepts.
    Sandbox,
}

/// Why a worker does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A production worker whose certificate check is disarmed.
    #[error(
        "this build does not check WhatsApp's certificate: it was built together with the \
         protocol sandbox (`cargo build --workspace`). Build the production worker on its own: \
         cargo build --release -p gateway-worker"
    )]
    Disarmed,
    /// Redis was written by a newer version of this program, or with other keys.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// There is no usable key for secrets at rest.
    #[error(transparent)]
    Secrets(#[from] KeyringError),
    /// Files can not be fetched: TLS can not be set up.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// Requests to addresses that tenants name can not be made: TLS can not be set up.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The configured proxy is none.
    #[error("worker.whatsapp.proxy {0}")]
    Proxy(#[from] ProxyProblem),
    /// The configured address is none that this flavour may dial.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// Runs a worker until `shutdown`; then it hands its sessions over and returns.
///
/// # Errors
/// When the build or the configuration does not allow it to run. That Redis is away is no error:
/// the worker waits for it.
pub async fn run(
    flavour: Flavour,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    if flavour == Flavour::Production && !verify_armed() {
        return Err(RunError::Disarmed);
    }
    let keyring = Keyring::load(&config.secrets)?;
    let worker = config.worker.clone();
    let network = Network::new(&NetworkConfig {
        url: Some(worker.whatsapp.url.clone()).filter(|url| !url.is_empty()),
        concurrent_dials: worker.connect_concurrency,
    })?;
    let network = match worker.whatsapp.proxy.reveal() {
        "" => network,
        // It was validated; one that can not be read must not become none.
        proxy => network.through(Proxy::parse(proxy)?, None),
    };
    let link = link_config(&worker);
    let clock = Arc::new(SystemClock::new());
    let Some(store) = open_store(&config, &shutdown).await else {
        return Ok(());
    };
    let connects = Connects::new(store.clone(), worker.whatsapp.connects_per_minute);
    let network = network.at_rate(connects, clock.clone());
    let versions = Versions::new(&worker.whatsapp, store.clone(), &network, &clock);
    let versions = Arc::new(versions);
    let sessions = Sessions::new(store.clone(), &config.retention);
    let registry = Registry::new(store.clone());
    // Heartbeats wait behind nobody's batches: a connection answers in order.
    let Some(heartbeats) = open_store(&config, &shutdown).await else {
        return Ok(());
    };
    let lanes = Lanes::new(store.clone(), config.retention);
    let webhooks = Webhooks::new(store.clone(), keyring.clone(), &config.retention);
    let egress = Egress::new(&config.egress)?;
    let media = MediaStore::new(&config.media, store.clone(), keyring.clone());
    let uploads = Uploads::new(media.clone(), Arc::clone(&clock), Backoff::from(&worker));
    let links = MediaLinks::new(
        &config.api.public_url,
        config.media.link_lifetime_ms,
        keyring.clone(),
    );
    let messages = Messages::new(store.clone(), &config.retention);
    let downloads = Downloads::new(media, links, messages)?;
    let installation =
        Installation::new(store.clone(), config.redis.expected()).sealed_by(keyring.clone());

    // Sessions that this process owned when it was fenced.
    let mut outlived = Vec::new();
    loop {
        if !enter(&installation, &clock, &shutdown).await? {
            return Ok(());
        }
        let rhythm = rhythm(&worker);
        let joined = Membership::join(
            Registry::new(heartbeats.clone()),
            Arc::clone(&clock),
            rhythm,
            worker.capacity,
            &shutdown,
        );
        let Some(member) = joined.await else {
            return Ok(());
        };
        outlived = report_survival(&lanes, &sessions, outlived).await;
        telemetry::announce(&serde_json::json!({"worker": member.id}));
        let (engine, engine_run) = Engine::new(
            EngineConfig::from(&worker),
            &member.id,
            lanes.clone(),
            config.redis.clone(),
            clock.clone(),
        );
        let ahead = Arc::new(Ahead::default());
        let runtime = Runtime {
            config: worker.clone(),
            store: store.clone(),
            keyring: keyring.clone(),
            sessions: sessions.clone(),
            messages: Messages::new(store.clone(), &config.retention),
            uploads: uploads.clone(),
            ahead: Arc::clone(&ahead),
            downloads: downloads.clone(),
            lanes: lanes.clone(),
            engine: engine.clone(),
            link: link.clone(),
            versions: Arc::clone(&versions),
            network: Arc::clone(&network),
            egress: Arc::new(config.egress.clone()),
            policy: policy(&worker),
            clock: Arc::clone(&clock),
            connecting: Arc::new(Semaphore::new(worker.connect_concurrency)),
            recording: Semaphore::new(store.connection.worth_at_once().div_ceil(2)),
        };
        let pool = Pool {
            member: member.clone(),
            registry: registry.clone(),
            sessions: sessions.clone(),
            runtime: Arc::new(runtime),
            clock: Arc::clone(&clock),
            redis: config.redis.clone(),
        };
        // The engine outlives the sessions, which settle through it while they drain.
        let stop = CancellationToken::new();
        let running = tokio::spawn(engine_run.run(stop.clone()));
        let guard = guard(installation.clone(), Arc::clone(&clock), member.clone());
        let guard = tokio::spawn(stop.clone().run_until_cancelled_owned(guard));
        // Webhooks are given up first: from the moment at which the worker leaves, others may deliver.
        let delivered = CancellationToken::new();
        let dispatcher = Dispatcher::new(webhooks::Parts {
            webhooks: webhooks.clone(),
            log: EventLog::new(store.clone()),
            egress: egress.clone(),
            downloads: downloads.clone(),
            config: config.webhooks.clone(),
            clock: Arc::clone(&clock),
            member: member.clone(),
            registry: registry.clone(),
            store: store.clone(),
            redis: config.redis.clone(),
        });
        let delivering = {
            let (shutdown, delivered) = (shutdown.clone(), delivered.clone());
            let liveness = member.liveness.clone();
            tokio::spawn(async move {
                if let Err(error) = tokio::spawn(dispatcher.run(shutdown)).await {
                    tracing::error!(%error, "the delivery of webhooks panicked; starting anew");
                    liveness.fence();
                }
                delivered.cancel();
            })
        };
        let retention = EventRetention {
            log: EventLog::new(store.clone()),
            organizations: Organizations::new(store.clone()),
            registry: registry.clone(),
            member: member.clone(),
            bytes: config.retention.events_bytes,
        };
        let retention = tokio::spawn(stop.clone().run_until_cancelled_owned(retention.run()));
        let ahead = ahead.run(lanes.clone(), uploads.clone());
        let ahead = tokio::spawn(stop.clone().run_until_cancelled_owned(ahead));
        let fresh = Arc::clone(&versions);
        let fresh = async move { fresh.keep_fresh().await };
        let fresh = tokio::spawn(stop.clone().run_until_cancelled_owned(fresh));
        let (tallied, tally_store, tally_clock) =
            (lanes.clone(), store.clone(), Arc::clone(&clock));
        let tally = async move { tallied.tally().keep(&tally_store, &tally_clock).await };
        let tally = tokio::spawn(stop.clone().run_until_cancelled_owned(tally));
        let end = pool.run(delivered).await;
        stop.cancel();
        let _ = delivering.await;
        let _ = guard.await;
        let _ = retention.await;
        let _ = ahead.await;
        let _ = fresh.await;
        let _ = tally.await;
        if let Err(error) = running.await {
            tracing::error!(%error, "the lane engine panicked");
        }
        match end {
            PoolEnd::Shutdown => return Ok(()),
            PoolEnd::Fenced(owned) => {
                tracing::warn!(worker = %member.id, "starting anew");
                outlived.extend(owned);
            }
        }
    }
}

/// Waits until Redis holds the right installation; false when told to end before.
async fn enter(
    installation: &Installation,
    clock: &SystemClock,
    shutdown: &CancellationToken,
) -> Result<bool, RunError> {
    loop {
        match installation.look(clock.now()).await {
            Ok(None) => return Ok(true),
            Ok(Some(foreign)) if foreign.is_final() => return Err(foreign.into()),
            // It was logged, and is until it changes.
            Ok(Some(_)) => {}
            Err(error) => tracing::warn!(%error, "waiting for Redis"),
        }
        tokio::select! {
            () = sleep(AGAIN) => {}
            () = shutdown.cancelled() => return Ok(false),
        }
    }
}

/// Fences the worker when Redis turns out to hold another installation.
async fn guard(installation: Installation, clock: Arc<SystemClock>, member: Membership) {
    loop {
        sleep(AGAIN).await;
        // A Redis that does not answer is the heartbeat's matter.
        if let Ok(Some(_)) = installation.look(clock.now()).await {
            member.liveness.fence();
            return;
        }
    }
}

/// Says that this process lives, so that what it had in flight when it was cut off from Redis is not
/// taken for what killed it. Gives back those of which Redis did not take it.
async fn report_survival(
    lanes: &Lanes,
    sessions: &Sessions,
    outlived: Vec<(SessionRef, Epoch)>,
) -> Vec<(SessionRef, Epoch)> {
    futures_util::stream::iter(outlived)
        .map(async |(of, epoch)| {
            let reported = lanes.survived(&of, epoch).await;
            // It may have been acquired by a worker that was buried a moment before.
            let offered = sessions.renew_offer(&of).await;
            (reported.is_err() || offered.is_err()).then_some((of, epoch))
        })
        .buffer_unordered(SURVIVAL_CONCURRENCY)
        .filter_map(std::future::ready)
        .collect()
        .await
}

async fn open_store(config: &Config, shutdown: &CancellationToken) -> Option<Store> {
    loop {
        match Store::open(&config.redis).await {
            Ok(store) => return Some(store),
            Err(error) => tracing::warn!(%error, "waiting for Redis"),
        }
        tokio::select! {
            () = sleep(AGAIN) => {}
            () = shutdown.cancelled() => return None,
        }
    }
}

fn rhythm(worker: &WorkerConfig) -> Rhythm {
    Rhythm {
        heartbeat: Duration::from_millis(worker.heartbeat_ms),
        liveness: Duration::from_millis(worker.liveness_ms),
        margin: Duration::from_millis(worker.fence_margin_ms),
    }
}

fn link_config(worker: &WorkerConfig) -> LinkConfig {
    let ack_timeout = Duration::from_millis(worker.ack_timeout_ms);
    LinkConfig {
        check_recipients: worker.whatsapp.check_recipients,
        device_name: worker.whatsapp.device_name.clone(),
        platform: worker.whatsapp.platform.clone(),
        ack_timeout,
        ..LinkConfig::default()
    }
}

fn policy(worker: &WorkerConfig) -> SendPolicy {
    SendPolicy {
        backoff: Backoff::from(worker),
        overlimit_ms: worker.overlimit_rest_ms,
        reach_out_ms: worker.reach_out_rest_ms,
    }
}
