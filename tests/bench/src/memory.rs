//! (d) Memory: the resident memory of a worker for each idle session, against as many bare
//! whatsapp-rust clients (in-memory store, no event handlers but those that pairing needs) in a
//! process of their own. Both pair their sessions themselves and are then left alone.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::plan::Plan;
use crate::process::resident_kib;
use crate::stage::Stage;

/// How long between two looks at whether the memory has settled.
const GLANCE: Duration = Duration::from_secs(2);
/// How many looks at most.
const LOOKS: usize = 15;
/// What counts as settled: less change than this between two looks, in KiB.
const SETTLED_KIB: f64 = 256.0;

/// Resident memory at one number of sessions, in KiB.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// Idle sessions of the worker, and bare clients.
    pub(crate) sessions: usize,
    /// The worker's process.
    pub(crate) worker_kib: f64,
    /// The process of the bare clients.
    pub(crate) plain_kib: f64,
    /// The worker's process before it had a session.
    pub(crate) worker_empty_kib: f64,
    /// The other process before it had a client.
    pub(crate) plain_empty_kib: f64,
    /// Whole process over whole process.
    pub(crate) ratio: f64,
    /// The same without what both had before the first session.
    pub(crate) ratio_of_growth: f64,
}

/// Measures it.
///
/// # Errors
/// When a part does not start.
pub(crate) async fn measure(plan: &Plan) -> Result<Vec<Measured>> {
    let mut stage = Stage::start().await?;
    let (worker_empty_kib, plain_empty_kib) = settled(&stage).await?;
    let mut all = Vec::new();
    for &sessions in &plan.idle {
        stage.grow(sessions).await?;
        let (worker_kib, plain_kib) = settled(&stage).await?;
        all.push(Measured {
            sessions,
            worker_kib,
            plain_kib,
            worker_empty_kib,
            plain_empty_kib,
            ratio: worker_kib / plain_kib,
            ratio_of_growth: (worker_kib - worker_empty_kib) / (plain_kib - plain_empty_kib),
        });
    }
    stage.end();
    Ok(all)
}

/// The memory of both when it no longer changes (or after half a minute).
async fn settled(stage: &Stage) -> Result<(f64, f64)> {
    stage.calm().await?;
    let look = || -> Result<(f64, f64)> {
        Ok((
            resident_kib(&stage.world.workers[0].program)?,
            stage.plain.resident_kib()?,
        ))
    };
    let mut before = look()?;
    for _ in 0..LOOKS {
        tokio::time::sleep(GLANCE).await;
        let now = look()?;
        let change = (now.0 - before.0).abs().max((now.1 - before.1).abs());
        before = now;
        if change < SETTLED_KIB {
            break;
        }
    }
    Ok(before)
}
