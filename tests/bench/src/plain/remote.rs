//! The process of plain clients, from the outside.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gateway_tests::process::{Launch, Program};
use gateway_tests::world::SandboxProcess;
use serde::Serialize;

use super::{Grow, Send, Sent};
use crate::process::{cpu_time, own_binary, resident_kib};

/// A running process of plain clients.
#[derive(Debug)]
pub(crate) struct PlainProcess {
    program: Program,
    address: String,
    http: reqwest::Client,
}

impl PlainProcess {
    /// Starts one without clients.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) async fn start(sandbox: &SandboxProcess, logs: &Path) -> Result<Self> {
        let admin = sandbox.admin();
        let launch = Launch::new("plain-clients", own_binary()?, logs).args([
            "plain-clients",
            "--ws",
            sandbox.ws(),
            "--admin",
            admin.address(),
        ]);
        let mut program = Program::start(launch)?;
        let line = program.wait_for_json("listen").await?;
        let address = line["listen"].as_str().context("`listen` is no text")?;
        let address = format!("http://{address}");
        Ok(Self {
            program,
            address,
            http: reqwest::Client::new(),
        })
    }

    /// Pairs clients until there are `count`.
    ///
    /// # Errors
    /// When one of them can not be paired.
    pub(crate) async fn grow(&self, count: usize) -> Result<()> {
        self.call("/grow", &Grow { count }).await.map(drop)
    }

    /// Each of the first `sessions` clients sends `each` messages. Sends a second over all, and
    /// how many milliseconds each took.
    ///
    /// # Errors
    /// When a send fails.
    pub(crate) async fn send(
        &self,
        sessions: usize,
        each: usize,
        peers: &[String],
    ) -> Result<(f64, Vec<f64>)> {
        let send = Send {
            sessions,
            each,
            peers: peers.to_vec(),
        };
        let sent: Sent = serde_json::from_slice(&self.call("/send", &send).await?)?;
        Ok((sent.millis.len() as f64 / sent.seconds, sent.millis))
    }

    /// Its resident memory in KiB.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn resident_kib(&self) -> Result<f64> {
        resident_kib(&self.program)
    }

    /// The time it has had on any core.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        cpu_time(&self.program)
    }

    async fn call(&self, path: &str, body: &impl Serialize) -> Result<Vec<u8>> {
        let request = self.http.post(format!("{}{path}", self.address)).json(body);
        let response = request.send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            bail!("the plain clients: {}", String::from_utf8_lossy(&body));
        }
        Ok(body.to_vec())
    }
}
