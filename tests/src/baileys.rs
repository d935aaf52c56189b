//! Baileys as it is published on npm: a client that nobody here wrote (`tests/sandbox/baileys`).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::process::workspace_root;

/// Node needs some seconds to begin on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn folder() -> PathBuf {
    workspace_root().join("tests/sandbox/baileys")
}

/// Gets the packages unless they are there. False when there is no Node and whoever runs the tests has
/// said that there is none.
///
/// # Errors
/// When there is no Node and nobody said so, or npm fails.
pub async fn installed() -> Result<bool> {
    let version = Command::new("node").arg("--version").output().await;
    if version.is_err() {
        let without = std::env::var("GATEWAY_TESTS_WITHOUT").unwrap_or_default();
        ensure!(
            without.split_whitespace().any(|tool| tool == "node"),
            "Node is not installed: `.ci/install nodejs npm`, or GATEWAY_TESTS_WITHOUT=node to leave \
             these tests out"
        );
        eprintln!("skipped: Node is not installed, so Baileys cannot run");
        return Ok(false);
    }
    // Every test is a process of its own, and two installations at once destroy each other.
    let lock = std::fs::File::create(std::env::temp_dir().join("gateway-baileys.lock"))?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
    let _installing = lock.await??;
    // npm writes this when it is done.
    if !folder().join("node_modules/.package-lock.json").exists() {
        let status = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(folder())
            .status()
            .await?;
        ensure!(status.success(), "npm ci failed");
    }
    Ok(true)
}

/// A running client. Dropping it kills it.
#[derive(Debug)]
pub struct Baileys {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Baileys {
    /// Starts one on the files in a folder, which may be empty. `root_key` is the sandbox's, in hex.
    ///
    /// # Errors
    /// When it cannot be executed.
    pub fn start(ws: &str, root_key: &str, credentials: &Path) -> Result<Self> {
        Self::start_as(ws, root_key, credentials, &[])
    }

    /// The same, and it connects again whenever somebody displaces it, as what is meant to run does.
    ///
    /// # Errors
    /// When it cannot be executed.
    pub fn start_insisting(ws: &str, root_key: &str, credentials: &Path) -> Result<Self> {
        Self::start_as(ws, root_key, credentials, &[("BAILEYS_INSISTS", "1")])
    }

    fn start_as(
        ws: &str,
        root_key: &str,
        credentials: &Path,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let mut child = Command::new("node")
            .arg("client.mjs")
            .envs(variables.iter().copied())
            .args([ws, root_key])
            .arg(credentials)
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("no stdin")?;
        let output = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// Waits for an event of this name that passes.
    ///
    /// # Errors
    /// When it takes too long, or the client ends.
    pub async fn event(&mut self, name: &str, pass: impl Fn(&Value) -> bool) -> Result<Value> {
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = self.output.next_line().await? {
                // Its Signal library prints to stdout as well.
                let Ok(event) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                if event["event"] == name && pass(&event) {
                    return Ok(event);
                }
                ensure!(event["event"] != "closed", "waiting for {name}: {event}");
            }
            bail!("the client ended before {name}");
        });
        found
            .await
            .with_context(|| format!("{name} did not happen"))?
    }

    /// Has it do something; see `client.mjs`.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn say(&mut self, command: Value) -> Result<()> {
        let line = format!("{command}\n");
        Ok(self.input.write_all(line.as_bytes()).await?)
    }

    /// Sends something and gives its id.
    ///
    /// # Errors
    /// When it does not take it.
    pub async fn send(&mut self, to: &str, mut content: Value) -> Result<String> {
        content["to"] = json!(to);
        self.say(json!({ "send": content })).await?;
        let sent = self.event("sent", |_| true).await?;
        Ok(sent["id"].as_str().context("no id")?.to_owned())
    }

    /// Waits for the message of this id and gives it.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn message(&mut self, id: &str) -> Result<Value> {
        self.event("message", |event| event["id"] == id).await
    }

    /// Calls a function of the socket and gives what it answers.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn call(&mut self, call: Value) -> Result<Value> {
        let name = call[0].clone();
        self.say(json!({ "call": call })).await?;
        let mut done = self.event("done", |event| event["name"] == name).await?;
        ensure!(done.get("error").is_none(), "{call}: {done}");
        Ok(done["result"].take())
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(mut self) -> Result<()> {
        self.say(json!({ "stop": true })).await?;
        tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        Ok(())
    }
}
