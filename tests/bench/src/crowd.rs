//! (f) A crowd: very many idle sessions on one worker. How much of a core it takes to keep them
//! connected, and how much memory each costs, in the worker and in Redis.

use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::plan::Plan;
use crate::process::{cpu_time, resident_kib};
use crate::stage::Stage;

/// What a crowd costs.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Sessions, all connected to one worker.
    pub(crate) sessions: usize,
    /// Seconds from the first pairing to the last.
    pub(crate) pairing_seconds: f64,
    /// For how long the idle worker was watched, in seconds.
    pub(crate) watched_seconds: f64,
    /// What the worker took meanwhile, in percent of one core.
    pub(crate) cpu_percent: f64,
    /// Resident memory of the worker for each session, in KiB; the whole process counts.
    pub(crate) worker_kib_each: f64,
    /// What each session added to Redis' memory, in KiB.
    pub(crate) redis_kib_each: f64,
}

/// Measures it.
///
/// # Errors
/// When a part does not start or a session can not be paired.
pub(crate) async fn measure(plan: &Plan) -> Result<Measured> {
    let sessions = plan.crowd;
    let world = Stage::world().worker_env("GATEWAY_WORKER__CAPACITY", &sessions.to_string());
    let mut stage = Stage::start_in(world).await?;
    let empty = redis_kib(&stage).await?;
    let begin = Instant::now();
    stage.pair(sessions).await?;
    let pairing_seconds = begin.elapsed().as_secs_f64();
    stage.calm().await?;
    // What pairing leaves to be done is done a little later.
    tokio::time::sleep(plan.watching / 4).await;

    let worker = &stage.world.workers[0].program;
    let before = (Instant::now(), cpu_time(worker)?);
    tokio::time::sleep(plan.watching).await;
    let watched = before.0.elapsed();
    let busy = cpu_time(worker)?.saturating_sub(before.1);
    let each = |kib: f64| kib / sessions as f64;
    let measured = Measured {
        sessions,
        pairing_seconds,
        watched_seconds: watched.as_secs_f64(),
        cpu_percent: 100.0 * busy.as_secs_f64() / watched.as_secs_f64(),
        worker_kib_each: each(resident_kib(worker)?),
        redis_kib_each: each(redis_kib(&stage).await? - empty),
    };
    stage.end();
    Ok(measured)
}

async fn redis_kib(stage: &Stage) -> Result<f64> {
    let mut info = redis::cmd("INFO");
    info.arg("memory");
    let text: String = info
        .query_async(&mut stage.store.connection.clone())
        .await?;
    let used = text
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    let bytes: f64 = used.context("no used_memory")?.trim().parse()?;
    Ok(bytes / 1_024.0)
}
