//! (g) Scaling: completed sends a second with one to four workers on the same sessions, where the
//! link and not the processor is the limit: the sandbox answers each message only after a while,
//! and each worker may have only a few sends in flight.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gateway_shared::config::Config;
use gateway_shared::lane::Lanes;
use gateway_tests::client::Fault;
use serde::Serialize;

use crate::figures::median;
use crate::plan::Plan;
use crate::sends::gateway_round;
use crate::stage::Stage;

/// Sends that one worker may have in flight.
const IN_FLIGHT: usize = 8;
/// Sessions; with the most workers, one for each send in flight.
const SESSIONS: usize = IN_FLIGHT * MOST_WORKERS;
const MOST_WORKERS: usize = 4;
/// How long the sandbox keeps each acknowledgement back.
const DELAY: Duration = Duration::from_millis(40);
/// People written to.
const PEERS: usize = 8;
/// How long the sessions may take to spread over the workers.
const SPREADING: Duration = Duration::from_secs(60);

/// Completed sends a second with a number of workers.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Workers in the pool.
    pub(crate) workers: usize,
    /// Each round.
    pub(crate) rounds: Vec<f64>,
    /// The median over that of one worker.
    pub(crate) times_one: f64,
}

/// Measures all of it.
///
/// # Errors
/// When a part does not start, the sessions do not spread, or a send fails.
pub(crate) async fn measure(plan: &Plan) -> Result<Vec<Measured>> {
    let world =
        Stage::world().worker_env("GATEWAY_WORKER__SEND_CONCURRENCY", &IN_FLIGHT.to_string());
    let mut stage = Stage::start_in(world).await?;
    let peers = stage.peers(PEERS).await?;
    stage.pair(SESSIONS).await?;
    let lanes = Lanes::new(stage.store.clone(), Config::defaults()?.retention);
    // The first message to a person costs a handshake.
    gateway_round(&stage, &lanes, SESSIONS, PEERS, &peers).await?;
    let delay = u64::try_from(DELAY.as_millis())?;
    stage
        .world
        .sandbox()
        .fault(Fault::delay(delay, u32::MAX))
        .await?;
    let mut all: Vec<Measured> = Vec::new();
    for workers in 1..=MOST_WORKERS {
        if workers > 1 {
            stage.world.add_worker().await?;
        }
        spread(&stage, workers).await?;
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            let each = plan.scaling * workers / SESSIONS;
            let round = gateway_round(&stage, &lanes, SESSIONS, each, &peers).await?;
            rounds.push(round.rate);
        }
        let one = all
            .first()
            .map_or(median(&rounds), |one| median(&one.rounds));
        let times_one = median(&rounds) / one;
        all.push(Measured {
            workers,
            rounds,
            times_one,
        });
    }
    stage.end();
    Ok(all)
}

/// Waits until every worker has an equal share of the connected sessions.
async fn spread(stage: &Stage, workers: usize) -> Result<()> {
    let share = SESSIONS / workers;
    let deadline = Instant::now() + SPREADING;
    loop {
        let sessions = stage.world.api(0).get("/sessions").await?.expect(200)?;
        let sessions = sessions.json["data"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let counts: Vec<usize> = stage
            .world
            .workers
            .iter()
            .map(|worker| {
                let id = worker.id();
                let of_it = |session: &&serde_json::Value| {
                    session["worker"] == id.as_str() && session["status"] == "working"
                };
                sessions.iter().filter(of_it).count()
            })
            .collect();
        let spread = counts
            .iter()
            .all(|count| (share..=share + 1).contains(count));
        if spread && counts.iter().sum::<usize>() == SESSIONS {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "the sessions do not spread: {counts:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
