//! Carries a plan out: one task for each target, so that what befalls it comes in order.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use gateway_tests::client::{ApiClient, Fault as SandboxFault, SandboxAdmin};
use gateway_tests::process::{Mood, RedisGroup, SkewedClock};
use tokio::time::{Instant, sleep, sleep_until};

use crate::plan::{Fault, Misdeed, PlannedFault, Target};
use crate::stage::{Api, PREFIX, Stage, Worker};

/// How often the owners of the sessions are looked at.
const LOOK: Duration = Duration::from_millis(300);

/// A worker was lost to its sessions.
#[derive(Debug, Clone)]
pub struct Loss {
    /// When, epoch milliseconds.
    pub at: i64,
    /// The sessions it had.
    pub sessions: Vec<String>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    /// How many faults there were.
    pub faults: u64,
    /// The workers that were lost without notice.
    pub losses: Vec<Loss>,
}

/// Who owns which session, as last seen.
#[derive(Debug, Clone, Default)]
struct Owners(Arc<Mutex<HashMap<String, String>>>);

impl Owners {
    fn of(&self, worker: &str) -> Vec<String> {
        let owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        owners
            .iter()
            .filter(|(_, owner)| *owner == worker)
            .map(|(session, _)| session.clone())
            .collect()
    }

    /// Of the sessions that stay; others come and go.
    async fn follow(self, sessions: HashSet<String>, callers: Vec<Vec<ApiClient>>) {
        for turn in 0.. {
            sleep(LOOK).await;
            for apis in &callers {
                let Some(api) = apis.get(turn % apis.len().max(1)) else {
                    continue;
                };
                let Ok(answer) = api.get("/sessions").await else {
                    continue;
                };
                let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                for session in answer.at("data").as_array().into_iter().flatten() {
                    if let (Some(id), Some(worker)) =
                        (session["id"].as_str(), session["worker"].as_str())
                        && sessions.contains(id)
                    {
                        owners.insert(id.to_owned(), worker.to_owned());
                    }
                }
            }
        }
    }
}

/// Epoch milliseconds.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the harness stands outside of the product and has no clock of its own"
)]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// What the tasks share.
#[derive(Clone)]
struct Field {
    began: Instant,
    owners: Owners,
    faults: Arc<AtomicU64>,
    losses: Arc<Mutex<Vec<Loss>>>,
}

impl Field {
    /// Waits for the moment of a planned.
    async fn wait(&self, planned: &PlannedFault) {
        sleep_until(self.began + planned.at).await;
        self.faults.fetch_add(1, Ordering::Relaxed);
        let late = self.began.elapsed().saturating_sub(planned.at);
        let at = now();
        eprintln!("  {planned} ({} ms late, at {at})", late.as_millis());
    }

    fn lost(&self, worker: &str) {
        let sessions = self.owners.of(worker);
        let loss = Loss {
            at: now(),
            sessions,
        };
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.push(loss);
    }
}

/// Does what the plan says, and in the end has everything at work again.
///
/// # Errors
/// When a process does not end when told to, or does not start again.
pub async fn inject(stage: &mut Stage, plan: &[PlannedFault]) -> Result<Done> {
    let mut faults: HashMap<Target, Vec<PlannedFault>> = HashMap::new();
    for planned in plan {
        faults.entry(planned.on).or_default().push(*planned);
    }
    let callers = stage.tenants.iter().map(|tenant| stage.callers(tenant));
    let impatient = |apis: Vec<ApiClient>| -> Result<Vec<ApiClient>> {
        let within = |api: &ApiClient| api.within(Duration::from_secs(1));
        apis.iter().map(within).collect()
    };
    let callers = callers.map(impatient).collect::<Result<Vec<_>>>()?;
    let sessions = stage.tenants.iter().flat_map(|tenant| &tenant.sessions);
    let sessions = sessions.map(|session| session.paired.id.clone()).collect();
    let owners = Owners::default();
    let following = tokio::spawn(owners.clone().follow(sessions, callers));
    let field = Field {
        began: Instant::now(),
        owners,
        faults: Arc::default(),
        losses: Arc::default(),
    };
    let phones: Vec<String> = phones(stage);
    let mut take = |target: Target| faults.remove(&target).unwrap_or_default();

    let result = {
        let misdeeds = misbehave(
            &field,
            take(Target::WhatsApp),
            stage.sandbox.admin(),
            phones,
        );
        let keys: Vec<String> = stage
            .tenants
            .iter()
            .map(|tenant| format!("{PREFIX}:{{{}}}:sessions", tenant.key.organization))
            .collect();
        let redis = break_redis(&field, take(Target::Redis), &mut stage.redis, &keys);
        let mut apis = Vec::new();
        for (i, api) in stage.apis.iter_mut().enumerate() {
            let (own, wire) = (take(Target::Api(i)), take(Target::ApiToRedis(i)));
            let clock = move_clock(&field, take(Target::ApiClock(i)), api.clock.clone());
            let broken = break_api(&field, own, wire, api);
            apis.push(async { tokio::try_join!(broken, clock).map(drop) });
        }
        let mut workers = Vec::new();
        for (i, worker) in stage.workers.iter_mut().enumerate() {
            let own = take(Target::Worker(i));
            let redis = take(Target::WorkerToRedis(i));
            let whatsapp = take(Target::WorkerToWhatsApp(i));
            let clock = take(Target::WorkerClock(i));
            let clock = move_clock(&field, clock, worker.clock.clone());
            let broken = break_worker(&field, own, redis, whatsapp, worker);
            workers.push(async { tokio::try_join!(broken, clock).map(drop) });
        }
        tokio::try_join!(
            misdeeds,
            redis,
            futures_util::future::try_join_all(apis),
            futures_util::future::try_join_all(workers),
        )
    };
    following.abort();
    result?;
    stage.admin().clear_faults().await?;
    let losses = std::mem::take(&mut *field.losses.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Done {
        faults: field.faults.load(Ordering::Relaxed),
        losses,
    })
}

/// The phones of all sessions, in the order in which they were made.
fn phones(stage: &Stage) -> Vec<String> {
    let mut phones: Vec<String> = stage
        .tenants
        .iter()
        .flat_map(|tenant| tenant.sessions.iter().map(|s| s.paired.phone.clone()))
        .collect();
    phones.sort();
    phones
}

/// Breaks Redis: the one server, or those of a Cluster in turn, where each third fault moves the slot
/// of an organization to another master instead.
async fn break_redis(
    field: &Field,
    faults: Vec<PlannedFault>,
    redis: &mut RedisGroup,
    keys: &[String],
) -> Result<()> {
    for (number, planned) in faults.into_iter().enumerate() {
        field.wait(&planned).await;
        if redis.servers.len() > 1 && number % 3 == 2 {
            if let Some(key) = keys.get(number % keys.len().max(1)) {
                redis.move_slot(key).await.context("move a slot")?;
            }
            continue;
        }
        let place = number % redis.servers.len();
        let server = &mut redis.servers[place];
        match planned.fault {
            Fault::Kill(down) => {
                server.kill9().await?;
                sleep(down).await;
                server.restart().await?;
            }
            Fault::Stop(down) => {
                server.program_mut().term().await?;
                sleep(down).await;
                server.restart().await?;
            }
            Fault::Freeze(time) => {
                server.program().freeze()?;
                sleep(time).await;
                server.program().thaw()?;
            }
            _ => {}
        }
    }
    Ok(())
}

async fn break_api(
    field: &Field,
    own: Vec<PlannedFault>,
    wire: Vec<PlannedFault>,
    api: &mut Api,
) -> Result<()> {
    let Api { process, redis, .. } = api;
    let own = async {
        for planned in own {
            field.wait(&planned).await;
            match planned.fault {
                Fault::Kill(down) => {
                    process.program.kill9().await?;
                    sleep(down).await;
                    process.restart().await?;
                }
                Fault::Stop(down) => {
                    process.program.term().await?;
                    sleep(down).await;
                    process.restart().await?;
                }
                Fault::Freeze(time) => {
                    process.program.freeze()?;
                    sleep(time).await;
                    process.program.thaw()?;
                }
                _ => {}
            }
        }
        anyhow::Ok(())
    };
    let wire = trouble(field, wire, |mood| redis.set(mood));
    let (own, ()) = tokio::join!(own, wire);
    own.context("an API")
}

async fn break_worker(
    field: &Field,
    own: Vec<PlannedFault>,
    redis_faults: Vec<PlannedFault>,
    whatsapp_faults: Vec<PlannedFault>,
    worker: &mut Worker,
) -> Result<()> {
    let Worker {
        process,
        redis,
        whatsapp,
        ..
    } = worker;
    let on_redis = trouble(field, redis_faults, |mood| redis.set(mood));
    let on_whatsapp = trouble(field, whatsapp_faults, |mood| whatsapp.set(mood));
    let own = async {
        for planned in own {
            field.wait(&planned).await;
            match planned.fault {
                Fault::Kill(down) => {
                    field.lost(&process.id());
                    process.program.kill9().await?;
                    sleep(down).await;
                    process.restart().await?;
                }
                Fault::Stop(down) => {
                    process.program.term().await?;
                    sleep(down).await;
                    process.restart().await?;
                }
                Fault::Freeze(time) => {
                    field.lost(&process.id());
                    process.program.freeze()?;
                    sleep(time).await;
                    process.program.thaw()?;
                }
                _ => {}
            }
        }
        anyhow::Ok(())
    };
    let (own, (), ()) = tokio::join!(own, on_redis, on_whatsapp);
    own.context("a worker")
}

/// Sets the clock of a host wrong, and right again.
async fn move_clock(field: &Field, faults: Vec<PlannedFault>, clock: SkewedClock) -> Result<()> {
    for planned in faults {
        field.wait(&planned).await;
        if let Fault::Step(ahead, time) = planned.fault {
            clock.set(ahead)?;
            sleep(time).await;
            clock.set(0)?;
        }
    }
    Ok(())
}

/// Carries out what befalls a wire.
async fn trouble(field: &Field, faults: Vec<PlannedFault>, set: impl Fn(Mood)) {
    for planned in faults {
        field.wait(&planned).await;
        let (mood, time) = match planned.fault {
            Fault::Cut(time) => (Mood::Cut, time),
            Fault::Tear(pieces, time) => (Mood::Tear(pieces), time),
            Fault::Still(time) => (Mood::Still, time),
            Fault::Slow(delay, time) => (Mood::Slow(delay), time),
            _ => continue,
        };
        set(mood);
        sleep(time).await;
        set(Mood::Open);
    }
}

async fn misbehave(
    field: &Field,
    faults: Vec<PlannedFault>,
    admin: SandboxAdmin,
    phones: Vec<String>,
) -> Result<()> {
    for planned in faults {
        field.wait(&planned).await;
        let Fault::Misbehave(misdeed, session) = planned.fault else {
            continue;
        };
        let Some(phone) = phones.get(session) else {
            continue;
        };
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let fault = match misdeed {
            Misdeed::DropAcks(count) => SandboxFault::drop_ack(count),
            Misdeed::Nack(code, count) => SandboxFault::nack(code, count),
            Misdeed::Cut(count) => SandboxFault::cut(count),
            Misdeed::CutAfter(count) => SandboxFault::cut_after(count),
            Misdeed::Delay(time, count) => SandboxFault::delay(millis(time), count),
            Misdeed::Swallow(count) => SandboxFault::silence(count),
            Misdeed::Replay(count) => SandboxFault::replay(count),
            Misdeed::Disconnect => {
                admin.disconnect(phone).await?;
                continue;
            }
            Misdeed::StandDead => {
                admin.stand_dead(phone).await?;
                continue;
            }
        };
        admin.fault(fault.of(phone)).await?;
    }
    Ok(())
}
