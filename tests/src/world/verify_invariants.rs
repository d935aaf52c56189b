//! What must hold when a test is over.

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::World;
use crate::client::{STATUSES, eventually};

/// Statuses of a send that is not settled.
const OPEN: [&str; 3] = ["scheduled", "queued", "sending"];

impl World {
    /// Accuses what was left behind; see [`super::WorldBuilder::run`].
    pub(super) async fn verify_invariants(&mut self) -> Result<()> {
        self.verify_processes()?;
        let Some(api) = self.apis.iter_mut().find(|api| api.program.pid().is_some()) else {
            return Ok(());
        };
        let client = api.client(&self.key);
        let sessions = client.get("/sessions").await?.expect(200)?;
        for session in sessions.at("data").as_array().into_iter().flatten() {
            let id = session["id"].as_str().unwrap_or_default();
            if !self.may_leave_waiting {
                let what = format!("the lane of {id} drains");
                eventually(&what, async || {
                    let open = client.whole_outbox(id).await?;
                    let open = open.iter().any(is_open);
                    Ok((!open).then_some(()))
                })
                .await?;
            }
            for entry in client.whole_outbox(id).await? {
                verify_history(&entry)?;
            }
        }
        if !self.may_leave_waiting && self.redis.program().pid().is_some() {
            self.verify_redis().await?;
        }
        Ok(())
    }

    /// A process that the test did not end must run, and none may have panicked.
    fn verify_processes(&mut self) -> Result<()> {
        let apis = self.apis.iter_mut().map(|api| &mut api.program);
        let workers = self.workers.iter_mut().map(|worker| &mut worker.program);
        for program in apis.chain(workers).chain([&mut self.sandbox.program]) {
            let name = program.launch().name.clone();
            // One that the test killed has no pid.
            if program.pid().is_some() {
                ensure!(program.is_running(), "{name} ended by itself");
            }
            let log = std::fs::read(program.launch().log_file()).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            if let Some(line) = log.lines().find(|line| line.contains("panicked at")) {
                bail!("{name} panicked: {line}");
            }
        }
        Ok(())
    }

    /// Nothing may be in flight.
    async fn verify_redis(&self) -> Result<()> {
        for server in &self.redis.servers {
            // A replica may be behind, and one that was killed answers nothing.
            if !server.is_master().await {
                continue;
            }
            let pattern = in_flight_key("world:*", "*");
            let flying: Vec<String> = server.ask(&format!("KEYS {pattern}")).await?;
            ensure!(flying.is_empty(), "left in flight: {flying:?}");
        }
        Ok(())
    }
}

/// The key of what a session has in flight, in the partition with this root. A test of
/// `gateway-shared` holds it against the product's own table: renamed there alone, nothing would ever be
/// found in flight here.
#[must_use]
pub fn in_flight_key(root: &str, session: &str) -> String {
    format!("{root}:l:{session}:fly")
}

fn is_open(entry: &Value) -> bool {
    OPEN.iter().any(|status| entry["status"] == *status)
}

/// The statuses of an entry only go forward, in time as well, and each comes once in a try: a dead
/// letter that is sent again begins anew.
fn verify_history(entry: &Value) -> Result<()> {
    let history = entry["history"].as_array().cloned().unwrap_or_default();
    let failed = |step: &Value| step["status"] == "failed";
    let forward = |tried: &[Value]| {
        let rank = |step: &Value| STATUSES.iter().position(|status| step["status"] == *status);
        tried.iter().map(rank).is_sorted_by(|a, b| a < b)
    };
    ensure!(
        !history.is_empty() && history.split_inclusive(failed).all(forward),
        "statuses of {} are out of order: {history:?}",
        entry["outboxId"]
    );
    ensure!(
        history.is_sorted_by_key(|step| step["timestamp"].as_i64()),
        "the times of {} go back: {history:?}",
        entry["outboxId"]
    );
    Ok(())
}
