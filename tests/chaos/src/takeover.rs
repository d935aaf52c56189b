//! How long a session goes without service when its worker dies, and when it leaves.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gateway_tests::client::{ApiClient, EventStream, SendRequest, eventually_within};
use gateway_tests::process::Topology;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::inject::now;
use crate::run::{folder, follow};
use crate::stage::{Cast, Stage};

/// Time between two sends, over all sessions: a load that also an unoptimised build carries, so
/// that what is measured is the change of hands and not a backlog.
const BEAT: Duration = Duration::from_millis(10);
/// Pause before a fact is looked at again.
const GLANCE: Duration = Duration::from_millis(250);
/// How long sends go on before and after.
const AROUND: Duration = Duration::from_secs(3);
/// How long a session may be without service at most, for this to end at all.
const LIMIT: Duration = Duration::from_secs(60);
/// What is promised: after a kill, at the 99th percentile.
const AFTER_A_KILL_MS: i64 = 5_000;
/// What is promised: at a hand-over, at most.
const AT_A_HAND_OVER_MS: i64 = 1_000;

/// Times without service, over all sessions, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Gap {
    /// Half of the sessions waited no longer.
    pub p50: i64,
    /// 99 of 100 waited no longer.
    pub p99: i64,
    /// Nobody waited longer.
    pub max: i64,
}

/// What was measured.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Sessions of the worker.
    pub sessions: usize,
    /// From `kill -9` to the first acknowledgement of each session.
    pub killed: Gap,
    /// From the SIGTERM on: the longest that a send of each session waited.
    pub handed_over: Gap,
}

impl Figures {
    /// Whether both are as promised.
    #[must_use]
    pub fn kept(&self) -> bool {
        self.killed.p99 <= AFTER_A_KILL_MS && self.handed_over.max <= AT_A_HAND_OVER_MS
    }
}

/// Measures both with this many sessions on one worker, and another one that waits beside it.
///
/// # Errors
/// When something does not start, or a session does not come back.
pub async fn measure(sessions: usize) -> Result<Figures> {
    let folder = folder("takeover")?;
    let cast = Cast {
        tenants: 1,
        sessions: 0,
        apis: 1,
        workers: 0,
        limits: false,
        topology: Topology::Single,
    };
    let settings = [("GATEWAY_API__EVENTS_HEARTBEAT_MS", "1000")];
    let mut stage = Stage::set(&folder, cast, &settings).await?;
    // Shares go by capacity: one has nearly everything, and the other can take it all.
    let large = [("GATEWAY_WORKER__CAPACITY", "100000")];
    let small = format!("{}", sessions.max(1));
    let small = [("GATEWAY_WORKER__CAPACITY", small.as_str())];
    let mut worker = stage.start_worker("worker-1", &large).await?;
    stage.pair_sessions(sessions, false).await?;
    let mut other = stage.start_worker("worker-2", &small).await?;
    let tenant = stage.tenants.first().context("no organization")?.clone();
    let api = stage.callers(&tenant).remove(0);
    let events = follow(&stage).await?.remove(0);
    let service = Service::start(&stage, &api);

    all_owned(&api, &worker.process.id(), sessions).await?;
    sleep(AROUND).await;
    let killed_at = now();
    worker.process.program.kill9().await?;
    all_owned(&api, &other.process.id(), sessions).await?;
    sleep(AROUND).await;
    let killed = first_after(&events, killed_at, sessions).await?;
    eprintln!("takeover: killed {killed:?}");

    // The large one comes back and is given its share, then leaves in order.
    worker.process.restart().await?;
    all_owned(&api, &worker.process.id(), sessions).await?;
    sleep(AROUND).await;
    let told_at = now();
    worker.process.program.term().await?;
    all_owned(&api, &other.process.id(), sessions).await?;
    sleep(AROUND).await;
    service.stop().await;
    let handed_over = longest_wait(&events, told_at, sessions).await?;
    eprintln!("takeover: handed over {handed_over:?}");
    other.process.program.term().await?;
    std::fs::remove_dir_all(folder).unwrap_or_default();
    Ok(Figures {
        sessions,
        killed,
        handed_over,
    })
}

/// Sends of every session, one each beat.
struct Service {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Service {
    fn start(stage: &Stage, api: &ApiClient) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let all = stage.tenants.iter().map(|tenant| tenant.sessions.len());
        let beat = BEAT * u32::try_from(all.sum::<usize>()).unwrap_or(u32::MAX);
        for tenant in &stage.tenants {
            for (place, session) in tenant.sessions.iter().enumerate() {
                let (api, id) = (api.clone(), session.paired.id.clone());
                let to = tenant.peers[place % tenant.peers.len().max(1)]
                    .phone
                    .clone();
                let mut stopped = stopped.clone();
                let phase = BEAT * u32::try_from(place).unwrap_or(0);
                tasks.spawn(async move {
                    sleep(phase).await;
                    for number in 0.. {
                        let send = SendRequest::text(&to, &format!("{id} {number}"));
                        if let Err(error) = api.send(&id, &send.asynchronous()).await {
                            eprintln!("takeover: {error:#}");
                        }
                        tokio::select! {
                            () = sleep(beat) => {}
                            _ = stopped.wait_for(|stopped| *stopped) => return,
                        }
                    }
                });
            }
        }
        Self { stop, tasks }
    }

    async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Waits until a worker has (nearly) all sessions, and they work.
async fn all_owned(api: &ApiClient, worker: &str, sessions: usize) -> Result<()> {
    // The other one's fair share is one of a hundred.
    let enough = sessions - sessions.div_ceil(50);
    eventually_within(LIMIT, "a worker has all sessions", async || {
        let answer = api.get("/sessions").await?.expect(200)?;
        let all = answer.at("data").as_array().cloned().unwrap_or_default();
        let working = all.iter().filter(|one| one["status"] == "working").count();
        let owned = all.iter().filter(|one| one["worker"] == worker).count();
        sleep(GLANCE).await;
        Ok((working == sessions && owned >= enough).then_some(()))
    })
    .await
}

/// Per session, the first acknowledgement of a send after `moment`.
async fn first_after(events: &EventStream, moment: i64, sessions: usize) -> Result<Gap> {
    let began = Instant::now();
    loop {
        let mut first: HashMap<String, i64> = HashMap::new();
        for event in events.seen() {
            let at = event.0["payload"]["timestamp"].as_i64().unwrap_or_default();
            if event.text("status") == "sent" && at > moment + 50 {
                let known = first.entry(event.session().to_owned()).or_insert(at);
                *known = at.min(*known);
            }
        }
        if first.len() >= sessions {
            return gap(first.into_values().map(|at| at - moment).collect());
        }
        ensure!(
            began.elapsed() < LIMIT,
            "{} sessions came back",
            first.len()
        );
        sleep(GLANCE).await;
    }
}

/// Per session, the longest that a send accepted after `moment` waited for its acknowledgement.
async fn longest_wait(events: &EventStream, moment: i64, sessions: usize) -> Result<Gap> {
    let began = Instant::now();
    loop {
        let (mut accepted, mut longest) = (HashMap::new(), HashMap::<String, i64>::new());
        let mut open = 0;
        for event in events.seen() {
            let at = event.0["payload"]["timestamp"].as_i64().unwrap_or_default();
            let id = event.text("outboxId").to_owned();
            match event.text("status") {
                "queued" if at > moment => {
                    accepted.insert(id, at);
                    open += 1;
                }
                "sent" => {
                    if let Some(since) = accepted.get(&id) {
                        open -= 1;
                        let known = longest.entry(event.session().to_owned()).or_default();
                        *known = (at - since).max(*known);
                    }
                }
                _ => {}
            }
        }
        if open == 0 && longest.len() >= sessions {
            return gap(longest.into_values().collect());
        }
        ensure!(began.elapsed() < LIMIT, "{open} sends wait");
        sleep(GLANCE).await;
    }
}

fn gap(mut times: Vec<i64>) -> Result<Gap> {
    times.sort_unstable();
    let at = |percent: usize| {
        times
            .get((times.len() * percent).div_ceil(100).max(1) - 1)
            .copied()
    };
    let (p50, p99, max) = (at(50), at(99), times.last().copied());
    let what = "no session was measured";
    Ok(Gap {
        p50: p50.context(what)?,
        p99: p99.context(what)?,
        max: max.context(what)?,
    })
}
