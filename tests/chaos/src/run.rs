//! One run, from the seed to the line at its end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use gateway_tests::client::{Event, EventStream};
use gateway_tests::process::Topology;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::audit::{Counts, Evidence, Violations, drain};
use crate::clients::{Clients, Journal};
use crate::hooks::Hooks;
use crate::inject::{Done, Loss, inject};
use crate::lives::Lives;
use crate::plan::{Size, Target, plan};
use crate::stage::{Cast, Stage};

/// Organizations.
const TENANTS: usize = 3;
/// APIs.
const APIS: usize = 2;
/// How long everything may take to settle once nothing is broken any more, besides a quarter of
/// the run's length: limited sessions work off what has piled up.
pub const SETTLING: Duration = Duration::from_secs(90);
/// No session may go without service for longer, whatever else broke meanwhile, in milliseconds.
const UNSERVED_MS: i64 = 30_000;
/// How long what is settled may take to reach the last peer and listener.
const ARRIVING: Duration = Duration::from_secs(20);

/// Shorter than the defaults where a run would only wait: nothing here changes what is promised.
pub const SETTINGS: [(&str, &str); 11] = [
    ("GATEWAY_WEBHOOKS__SCHEDULE_MS", "[200, 500, 1000, 2000]"),
    ("GATEWAY_EGRESS__FIRST_BYTE_TIMEOUT_MS", "2000"),
    ("GATEWAY_EGRESS__TOTAL_TIMEOUT_MS", "3000"),
    ("GATEWAY_WORKER__ACK_TIMEOUT_MS", "4000"),
    ("GATEWAY_WORKER__BACKOFF_BASE_MS", "200"),
    ("GATEWAY_WORKER__BACKOFF_MAX_MS", "3000"),
    // A plan may befall one send more often than life does.
    ("GATEWAY_WORKER__MAX_ATTEMPTS", "50"),
    ("GATEWAY_SEND__SYNC_DEADLINE_MS", "6000"),
    ("GATEWAY_API__EVENTS_HEARTBEAT_MS", "1000"),
    ("GATEWAY_LOG__FORMAT", "human"),
    (
        "GATEWAY_LOG__FILTER",
        "info,gateway_worker=debug,whatsapp_rust=info",
    ),
];

/// How a run is to be.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How long faults come and clients send, in seconds.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// What the plan is made from; without one, another each time.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many workers.
    #[arg(long, default_value_t = 3)]
    pub workers: usize,
    /// How many sessions, shared among three organizations.
    #[arg(long, default_value_t = 9)]
    pub sessions: usize,
    /// On a Cluster of three masters and three replicas: servers are broken in turn, and slots are
    /// moved. Its wires are left alone.
    #[arg(long)]
    pub cluster: bool,
}

/// The line at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What the plan was made from.
    pub seed: u64,
    /// How long faults came.
    pub seconds: u64,
    /// How many.
    pub faults: u64,
    /// Sends that were accepted and not cancelled.
    pub accepted: usize,
    /// Stanzas of them that the server took.
    pub copies: usize,
    /// Messages that peers wrote to the sessions.
    pub inbound: usize,
    /// Of these, those that a session asked for again, which may be events behind later ones.
    pub asked_again: usize,
    /// Sessions that were made, paired and ended meanwhile.
    pub lives: usize,
    /// Writes of former owners that Redis refused.
    pub stale_writes_refused: u64,
    /// The longest time from the moment a worker was killed or frozen until a session of its
    /// worked again, in milliseconds; other faults of that time included. One that never did counts
    /// until the end.
    pub longest_takeover_ms: i64,
    /// What must be zero.
    pub violations: Counts,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The line.
    pub report: Report,
    /// Answers that the contract does not allow, and sessions that nobody took over.
    pub unexpected: Vec<String>,
}

impl Outcome {
    /// Whether every promise was kept.
    #[must_use]
    pub fn kept(&self) -> bool {
        self.report.violations == Counts::default() && self.unexpected.is_empty()
    }
}

/// Runs chaos. Progress and whatever is wrong is told on standard error; the files of a run that
/// broke a promise stay, those of another are removed.
///
/// # Errors
/// When a process does not start, or not again, or something stands still for good.
pub async fn run(options: &Options) -> Result<Outcome> {
    let seed = options
        .seed
        .unwrap_or_else(|| rand::random_range(1..1_000_000));
    let folder = folder(&seed.to_string())?;
    let again = format!(
        "make chaos SECONDS={} SEED={seed} WORKERS={} SESSIONS={}{}",
        options.seconds,
        options.workers,
        options.sessions,
        if options.cluster { " CLUSTER=1" } else { "" }
    );
    eprintln!("chaos: {again}; files in {}", folder.display());
    let outcome = play(options, seed, &folder).await;
    match &outcome {
        Ok(outcome) if outcome.kept() => std::fs::remove_dir_all(&folder).unwrap_or_default(),
        _ => eprintln!("chaos: again with `{again}`; logs in {}", folder.display()),
    }
    outcome
}

async fn play(options: &Options, seed: u64, folder: &Path) -> Result<Outcome> {
    let size = Size {
        apis: APIS,
        workers: options.workers,
        sessions: options.sessions,
    };
    let cast = Cast {
        tenants: TENANTS,
        sessions: options.sessions,
        apis: APIS,
        workers: options.workers,
        limits: true,
        topology: if options.cluster {
            Topology::Cluster
        } else {
            Topology::Single
        },
    };
    let mut faults = plan(seed, Duration::from_secs(options.seconds), size);
    if options.cluster {
        let wire = |on: Target| matches!(on, Target::ApiToRedis(_) | Target::WorkerToRedis(_));
        faults.retain(|planned| !wire(planned.on));
    }
    let mut stage = Stage::set(folder, cast, &SETTINGS).await?;
    let hooks = Hooks::start(&stage).await?;
    let followers = follow(&stage).await?;
    eprintln!("chaos: {} faults are planned", faults.len());

    let began = Instant::now();
    let clients = Clients::start(&stage, seed)?;
    let lives = Lives::start(&stage).await?;
    let done = inject(&mut stage, &faults).await?;
    sleep_until_over(began, options.seconds).await;
    let (mut journal, lived) = tokio::join!(clients.finish(), lives.finish());
    journal.lived = lived;
    hooks.heal();
    eprintln!("chaos: nothing is broken any more; waiting for what still waits");
    let settling = SETTLING + Duration::from_secs(options.seconds / 4);
    let waiting = drain(&stage, settling).await.context("drain")?;
    if waiting > 0 {
        eprintln!("chaos: {waiting} sends or more still wait after {settling:?}");
    }
    let (evidence, violations) = examine(&stage, &journal, &followers, Some(&hooks)).await?;
    let longest_takeover_ms = longest_takeover(&done, &evidence);
    if longest_takeover_ms > UNSERVED_MS {
        let emitted = format!("a session went {longest_takeover_ms} ms without a worker");
        journal.unexpected.push(emitted);
    }
    journal.unexpected.extend(idle(done.faults, &evidence));
    tell(&journal, &evidence, &violations, folder);
    Ok(Outcome {
        report: Report {
            seed,
            seconds: options.seconds,
            faults: done.faults,
            accepted: evidence.accepted(),
            copies: evidence.copies(),
            inbound: journal.received.len(),
            asked_again: evidence.asked_again.len(),
            lives: journal.lived.len(),
            stale_writes_refused: evidence.refused,
            longest_takeover_ms,
            violations: violations.counts(),
        },
        unexpected: journal.unexpected,
    })
}

/// A run in which nothing was broken, or nothing sent, shows nothing.
fn idle(faults: u64, evidence: &Evidence) -> Vec<String> {
    let mut problems = Vec::new();
    if faults == 0 {
        problems.push("no fault was injected: the run is too short".to_owned());
    }
    if evidence.accepted() == 0 || evidence.copies() == 0 {
        problems.push("no send was accepted, or none left".to_owned());
    }
    problems
}

/// Somebody follows the events of each organization through all that happens.
///
/// # Errors
/// When a stream is refused.
pub async fn follow(stage: &Stage) -> Result<Vec<EventStream>> {
    let mut followers = Vec::new();
    for tenant in &stage.tenants {
        let api = stage.callers(tenant).into_iter().next().context("no API")?;
        followers.push(api.events().await?);
    }
    Ok(followers)
}

async fn sleep_until_over(began: Instant, seconds: u64) {
    let rest = Duration::from_secs(seconds).saturating_sub(began.elapsed());
    sleep(rest).await;
}

/// Compares everything, again and again while something may still be on its way.
///
/// # Errors
/// When a part does not answer.
pub async fn examine(
    stage: &Stage,
    journal: &Journal,
    followers: &[EventStream],
    hooks: Option<&Hooks>,
) -> Result<(Evidence, Violations)> {
    let deadline = Instant::now() + ARRIVING;
    loop {
        let evidence = Evidence::gather(stage, followers, hooks, &journal.lived).await?;
        let violations = Violations::find(stage, journal, &evidence);
        let fine = violations.counts() == Counts::default();
        if fine || Instant::now() > deadline {
            return Ok((evidence, violations));
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// Tells people what happened.
fn tell(journal: &Journal, evidence: &Evidence, found: &Violations, folder: &Path) {
    let entries = evidence
        .tenants
        .iter()
        .flat_map(|t| t.outbox.values().flatten());
    let mut outcomes: HashMap<&str, usize> = HashMap::new();
    for entry in entries {
        *outcomes
            .entry(entry["status"].as_str().unwrap_or_default())
            .or_default() += 1;
    }
    let mut outcomes: Vec<_> = outcomes.into_iter().collect();
    outcomes.sort_unstable();
    eprintln!(
        "chaos: {} requests, {} of them to be repeated, {} acknowledged sends, {} heard; {outcomes:?}",
        journal.requests,
        journal.repeated,
        journal.sent.len(),
        journal.received.len(),
    );
    let listing = found.listing();
    let unexpected = journal
        .unexpected
        .iter()
        .map(|one| format!("unexpected: {one}"));
    let all: Vec<String> = listing.into_iter().chain(unexpected).collect();
    for line in all.iter().take(40) {
        eprintln!("  {line}");
    }
    if !all.is_empty() {
        let file = folder.join("violations.txt");
        if let Err(error) = std::fs::write(&file, all.join("\n")) {
            eprintln!("chaos: {}: {error}", file.display());
        }
    }
}

fn longest_takeover(done: &Done, evidence: &Evidence) -> i64 {
    let events = || evidence.tenants.iter().flat_map(|tenant| &tenant.events);
    let at = |event: &Event| event.0["timestamp"].as_i64().unwrap_or_default();
    let mut working: HashMap<&str, Vec<i64>> = HashMap::new();
    for event in events() {
        if event.kind() == "session.status" && event.text("status") == "working" {
            working.entry(event.session()).or_default().push(at(event));
        }
    }
    let end = events().map(at).max().unwrap_or_default();
    let again = |loss: &Loss, session: &String| {
        let times = working.get(session.as_str());
        let times = times.into_iter().flatten();
        times
            .copied()
            .filter(|time| *time > loss.at)
            .min()
            .unwrap_or_else(|| end.max(loss.at + UNSERVED_MS + 1))
            - loss.at
    };
    let times = done
        .losses
        .iter()
        .flat_map(|loss| loss.sessions.iter().map(|session| again(loss, session)));
    times.max().unwrap_or(0)
}

/// A folder of this run's own.
///
/// # Errors
/// When it can not be made.
pub fn folder(run: &str) -> Result<PathBuf> {
    let name = format!("gateway-chaos-{}-{run}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;
    use crate::audit::TenantEvidence;

    fn seen(events: &[(&str, &str, i64)]) -> Evidence {
        let events = events.iter().map(|(session, status, at)| {
            Event(json!({
                "event": "session.status", "session": session, "timestamp": at,
                "payload": {"status": status},
            }))
        });
        Evidence {
            tenants: vec![TenantEvidence {
                events: events.collect(),
                followed: Vec::new(),
                outbox: HashMap::new(),
            }],
            ledger: HashMap::new(),
            shown: HashMap::new(),
            delivered: Vec::new(),
            asked_again: HashSet::new(),
            remains: HashMap::new(),
            refused: 0,
        }
    }

    fn lost(at: i64, sessions: &[&str]) -> Done {
        let sessions = sessions.iter().map(|id| (*id).to_owned()).collect();
        Done {
            faults: 1,
            losses: vec![Loss { at, sessions }],
        }
    }

    #[test]
    fn a_session_that_never_comes_back_is_the_longest_of_all() {
        let evidence = seen(&[
            ("a", "working", 10),
            ("b", "working", 10),
            ("a", "starting", 120),
            ("a", "working", 400),
            ("a", "working", 900),
        ]);
        assert_eq!(longest_takeover(&lost(100, &["a"]), &evidence), 300);
        assert!(longest_takeover(&lost(100, &["a", "b"]), &evidence) > UNSERVED_MS);
        assert!(longest_takeover(&lost(100, &["c"]), &evidence) > UNSERVED_MS);
        assert_eq!(longest_takeover(&lost(100, &[]), &evidence), 0);
    }

    #[test]
    fn a_run_in_which_nothing_happens_shows_nothing() {
        assert_eq!(idle(0, &seen(&[])).len(), 2);
        assert_eq!(idle(3, &seen(&[])).len(), 1);
    }
}
