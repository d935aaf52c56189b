//! All lanes, workers and endpoints of the installation at a moment, so that lists can be sorted and
//! filtered, and added up, at a cost that does not grow with each page.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use gateway_shared::clock::Millis;
use gateway_shared::domain::{Session, SessionStatus};
use gateway_shared::lane::{Gauge, SessionRef};
use gateway_shared::organization::Organization;
use gateway_shared::redis::RedisFailure;
use gateway_shared::registry::WorkerInfo;
use gateway_shared::tally::{Minute, Ring};
use gateway_shared::webhooks::{HealthState, Webhook};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::find::organizations;
use crate::error::ApiError;
use crate::state::App;

/// Sessions looked at together.
const TOGETHER: usize = 200;
/// Up to so many sessions each page sees the present; beyond it, what was so up to `STALE` ago.
const FEW: usize = 300;
const FRESH: Duration = Duration::from_millis(500);
const STALE: Duration = Duration::from_secs(10);
/// A census that is older is not shown to anybody.
const TOO_OLD: Duration = Duration::from_secs(60);

/// A session and what is in its lane.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) of: SessionRef,
    pub(crate) session: Session,
    pub(crate) gauge: Gauge,
}

impl Lane {
    /// Whether an operator or WhatsApp holds all of it.
    pub(crate) fn is_held(&self) -> bool {
        self.session.paused || self.gauge.paused_until.is_some()
    }

    /// Whether it can not go on without somebody.
    pub(crate) fn is_troubled(&self) -> bool {
        matches!(
            self.session.status,
            SessionStatus::Failed
                | SessionStatus::LoggedOut
                | SessionStatus::ScanQrCode
                | SessionStatus::PasskeyRequired
        )
    }
}

/// What Redis says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct RedisState {
    pub(crate) used_memory: u64,
    pub(crate) max_memory: u64,
    /// What is wrong with its persistence.
    pub(crate) problem: Option<String>,
    /// `append-only`, `snapshots` or `nothing`.
    pub(crate) persistence: &'static str,
}

/// The installation at a moment.
#[derive(Debug)]
pub(crate) struct Census {
    /// When it was taken.
    pub(crate) at: Millis,
    taken: Instant,
    /// In the order of the sessions' ids.
    pub(crate) lanes: Vec<Lane>,
    pub(crate) workers: Vec<WorkerInfo>,
    pub(crate) webhooks: Vec<Webhook>,
    pub(crate) organizations: Vec<Organization>,
    /// The last hour, the present minute last.
    pub(crate) hour: Vec<Minute>,
    pub(crate) redis: RedisState,
    pub(crate) media_bytes: u64,
    pub(crate) jobs_running: usize,
}

impl Census {
    /// Whether a worker has given a sign of life lately.
    pub(crate) fn lives(&self, app: &App, worker: &WorkerInfo) -> bool {
        let liveness = i64::try_from(app.config.worker.liveness_ms).unwrap_or(i64::MAX);
        worker.heartbeat_at >= self.at.saturating_sub(liveness)
    }

    /// How many things an operator has to look after: of lanes, of sessions, of workers and of endpoints.
    pub(crate) fn attention(&self, app: &App) -> [usize; 4] {
        let count =
            |wanted: &dyn Fn(&Lane) -> bool| self.lanes.iter().filter(|l| wanted(l)).count();
        let silent = self.workers.iter().filter(|one| !self.lives(app, one));
        let down = self.webhooks.iter().filter(|one| is_down(one));
        [
            count(&|lane| lane.is_held() && lane.gauge.depth > 0),
            count(&Lane::is_troubled),
            silent.count() + usize::from(self.workers.is_empty()),
            down.count(),
        ]
    }

    /// Sends a second over the last whole minute and the present one: accepted, sent, failed.
    pub(crate) fn rates(&self) -> [f64; 3] {
        let [.., before, present] = self.hour.as_slice() else {
            return [0.0; 3];
        };
        let passed = self.at.saturating_sub(present.at).clamp(0, 60_000);
        let share = f64::from(u32::try_from(60_000 - passed).unwrap_or(0)) / 60_000.0;
        let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        [
            (before.accepted, present.accepted),
            (before.sent, present.sent),
            (before.failed, present.failed),
        ]
        .map(|(before, present)| (number(before) * share + number(present)) / 60.0)
    }
}

/// Whether an endpoint takes nothing at present.
pub(crate) fn is_down(webhook: &Webhook) -> bool {
    !matches!(webhook.health.state, HealthState::Ok) || webhook.health.dead > 0
}

/// The census that this process took last.
#[derive(Debug, Default)]
pub(crate) struct Censuses {
    last: std::sync::RwLock<Option<Arc<Census>>>,
    taking: Mutex<()>,
}

impl Censuses {
    fn known(&self) -> Option<Arc<Census>> {
        let last = self.last.read();
        last.unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Something was changed: what was known of a small installation is past.
    pub(crate) fn forget(&self) {
        let mut last = self
            .last
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.as_ref().is_some_and(|known| known.lanes.len() <= FEW) {
            *last = None;
        }
    }

    async fn take(&self, app: &App, asked: Instant) -> Result<Arc<Census>, ApiError> {
        let _turn = self.taking.lock().await;
        // Somebody before us may have taken it meanwhile.
        if let Some(known) = self.known()
            && known.taken >= asked
        {
            return Ok(known);
        }
        let census = Arc::new(take(app).await?);
        let mut last = self
            .last
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *last = Some(census.clone());
        Ok(census)
    }
}

/// The installation as it is, or in a large one as it was some seconds ago.
///
/// # Errors
/// When Redis does not answer.
pub(crate) async fn census(app: &Arc<App>) -> Result<Arc<Census>, ApiError> {
    let asked = Instant::now();
    if let Some(known) = app.censuses.known() {
        let age = known.taken.elapsed();
        let few = known.lanes.len() <= FEW;
        if age < if few { FRESH } else { STALE } {
            return Ok(known);
        }
        if !few && age < TOO_OLD {
            let app = app.clone();
            if app.censuses.taking.try_lock().is_ok() {
                tokio::spawn(async move {
                    if let Err(error) = app.censuses.take(&app, asked).await {
                        tracing::debug!(?error, "no census");
                    }
                });
            }
            return Ok(known);
        }
    }
    app.censuses.take(app, asked).await
}

/// These lanes at present; sessions that were deleted meanwhile are left out.
///
/// # Errors
/// When Redis does not answer.
pub(crate) async fn lanes(app: &App, of: &[SessionRef]) -> Result<Vec<Lane>, RedisFailure> {
    let now = app.now();
    let mut found = Vec::with_capacity(of.len());
    for some in of.chunks(TOGETHER) {
        let looks = some.iter().map(async |of| {
            let Some(session) = app.sessions.get(of).await? else {
                return Ok::<_, RedisFailure>(None);
            };
            let gauge = app.lanes.gauge(now, of, session.limits).await?;
            let of = of.clone();
            Ok(Some(Lane { of, session, gauge }))
        });
        found.extend(try_join_all(looks).await?.into_iter().flatten());
    }
    Ok(found)
}

async fn take(app: &App) -> Result<Census, ApiError> {
    let taken = Instant::now();
    let at = app.now();
    let mut sessions = app.registry.directory().await?;
    sessions.sort_unstable_by(|a, b| a.session.cmp(&b.session));
    let organizations = organizations(app).await?;
    let webhooks = try_join_all(organizations.iter().map(async |organization| {
        app.webhooks
            .list(&organization.id)
            .await
            .map_err(ApiError::from)
    }));
    let media = try_join_all(organizations.iter().map(async |organization| {
        app.media
            .used(&organization.id)
            .await
            .map_err(ApiError::from)
    }));
    let jobs = app.operators.jobs(50).await?;
    Ok(Census {
        at,
        taken,
        lanes: lanes(app, &sessions).await?,
        workers: app.registry.workers().await?,
        webhooks: webhooks.await?.into_iter().flatten().collect(),
        media_bytes: media.await?.into_iter().sum(),
        organizations,
        hour: Ring::new(app.store.clone()).hour(at).await?,
        redis: redis_state(app).await,
        jobs_running: jobs
            .iter()
            .filter(|job| job.state == gateway_shared::operator::JobState::Running)
            .count(),
    })
}

/// What Redis says of itself; what it does not say is left out.
async fn redis_state(app: &App) -> RedisState {
    let mut info = redis::cmd("INFO");
    info.arg("everything");
    let text: String = info
        .query_async(&mut app.store.connection.clone())
        .await
        .unwrap_or_default();
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let append_only = field("aof_enabled") == Some("1");
    let failed = |name: &str| field(name).is_some_and(|state| state != "ok");
    let problem = if append_only && failed("aof_last_write_status") {
        Some("it can not write its append-only file")
    } else if append_only && failed("aof_last_bgrewrite_status") {
        Some("it could not rewrite its append-only file")
    } else if failed("rdb_last_bgsave_status") {
        Some("its last snapshot failed")
    } else {
        None
    };
    RedisState {
        used_memory: number("used_memory"),
        max_memory: number("maxmemory"),
        problem: problem.map(str::to_owned),
        persistence: if append_only {
            "append-only file"
        } else if number("rdb_last_save_time") > 0 {
            "snapshots only"
        } else {
            "unknown"
        },
    }
}
