//! Programs as fixtures: started with their output in files, waited for by a fact, and signalled.

mod artifacts;
mod fuse;
mod ports;
mod redis_group;
mod redis_server;
mod skewed_clock;
mod wire;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::Instant;

pub use artifacts::{binary, workspace_root};
pub use fuse::Fuse;
pub use ports::free_port;
pub use redis_group::{RedisGroup, SENTINEL_MASTER, Topology};
pub use redis_server::{Persistence, RedisServer, redis_executable};
pub use skewed_clock::SkewedClock;
pub use wire::{Mood, Wire};

/// How often a fact that nobody announces (a line in a file, an open port) is looked at.
pub(crate) const GLANCE: Duration = Duration::from_millis(10);
/// How long a program may take to become ready or to end; generous for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How to start a program.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Its name in messages and in the names of its output files.
    pub name: String,
    /// The executable.
    pub executable: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables set for it. Inherited `GATEWAY_*` variables are removed first.
    pub env: Vec<(String, String)>,
    /// Where its output goes: `NAME.out` (standard output) and `NAME.log` (standard error).
    pub logs: PathBuf,
    /// Whether it outlives its starter, in a session of its own.
    pub detached: bool,
}

impl Launch {
    /// A program that ends with its starter and writes under `logs`.
    #[must_use]
    pub fn new(name: &str, executable: PathBuf, logs: &Path) -> Self {
        Self {
            name: name.to_owned(),
            executable,
            args: Vec::new(),
            env: Vec::new(),
            logs: logs.to_owned(),
            detached: false,
        }
    }

    /// With these arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// With this variable set.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// With all of these variables set.
    #[must_use]
    pub fn envs(mut self, variables: &[(String, String)]) -> Self {
        self.env.extend_from_slice(variables);
        self
    }

    /// The file its standard output goes to.
    #[must_use]
    pub fn out_file(&self) -> PathBuf {
        self.logs.join(format!("{}.out", self.name))
    }

    /// The file its standard error goes to.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.logs.join(format!("{}.log", self.name))
    }

    fn command(&self) -> Result<Command> {
        // `setsid` lets it outlive the terminal; it execs in place, so the pid stays the child's.
        let mut command = if self.detached {
            let mut command = Command::new("setsid");
            command.arg(&self.executable);
            command
        } else {
            Command::new(&self.executable)
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GATEWAY_") {
                command.env_remove(name);
            }
        }
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(!self.detached);
        // A Ctrl-C at the terminal is for the starter, which ends its programs in order.
        if !self.detached {
            command.process_group(0);
        }
        Ok(command)
    }
}

/// A running program. Dropping it kills it, unless it is detached.
#[derive(Debug)]
pub struct Program {
    launch: Launch,
    child: Option<Child>,
    /// Bytes of standard output written by earlier runs.
    out_start: u64,
}

impl Program {
    /// Starts it. Its output is appended to that of earlier runs under the same name.
    ///
    /// # Errors
    /// When it cannot be executed or its output files cannot be opened.
    pub fn start(launch: Launch) -> Result<Self> {
        std::fs::create_dir_all(&launch.logs)?;
        let open = |path: PathBuf| {
            let file = std::fs::File::options()
                .create(true)
                .append(true)
                .open(&path);
            file.with_context(|| format!("open {}", path.display()))
        };
        let out = open(launch.out_file())?;
        let out_start = out.metadata()?.len();
        let child = launch
            .command()?
            .stdout(out)
            .stderr(open(launch.log_file())?)
            .spawn()
            .with_context(|| format!("start {}", launch.executable.display()))?;
        Ok(Self {
            launch,
            child: Some(child),
            out_start,
        })
    }

    /// Runs a program to its end and gives back its standard output.
    ///
    /// # Errors
    /// When it cannot be started, does not end in [`PATIENCE`], or ends with an error, which then
    /// holds what it wrote.
    pub async fn run(launch: &Launch) -> Result<String> {
        let output = launch.command()?.output();
        let output = tokio::time::timeout(PATIENCE, output)
            .await
            .map_err(|_| anyhow!("{} did not end", launch.name))?
            .with_context(|| format!("start {}", launch.executable.display()))?;
        ensure!(
            output.status.success(),
            "{} failed ({}):\n{}{}",
            launch.name,
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// How it was started.
    #[must_use]
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Changes how it will be started by the next [`Program::restart`].
    pub fn launch_mut(&mut self) -> &mut Launch {
        &mut self.launch
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Whether it runs (a frozen one does).
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.as_mut().map(Child::try_wait), Some(Ok(None)))
    }

    /// Waits until its standard output holds a line of which `read` makes something.
    ///
    /// # Errors
    /// When it ends before, or takes longer than [`PATIENCE`]; the error shows the end of its log.
    pub async fn wait_for_line<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.wait_until("print that it is ready", |program| {
            let text = std::fs::read(program.launch.out_file()).ok()?;
            let new = text.get(usize::try_from(program.out_start).ok()?..)?;
            // A line counts once it is complete.
            let end = new.iter().rposition(|byte| *byte == b'\n')?;
            String::from_utf8_lossy(&new[..end]).lines().find_map(&read)
        })
        .await
    }

    /// The last line that its present run wrote to standard output of which `read` makes something.
    #[must_use]
    pub fn last_line<T>(&self, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = std::fs::read(self.launch.out_file()).ok()?;
        let new = text.get(usize::try_from(self.out_start).ok()?..)?;
        let text = String::from_utf8_lossy(new);
        text.lines().rev().find_map(read)
    }

    /// Waits until its standard output holds a JSON object with the field `field`.
    ///
    /// # Errors
    /// As [`Program::wait_for_line`].
    pub async fn wait_for_json(&mut self, field: &str) -> Result<serde_json::Value> {
        self.wait_for_line(|line| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            value.get(field).is_some().then_some(value)
        })
        .await
    }

    /// Waits until `look` finds something.
    async fn wait_until<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            let name = self.launch.name.clone();
            if !self.is_running() {
                bail!(
                    "{name} ended before it could {what}:\n{}",
                    self.log_tail(40)
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "{name} did not {what} in {PATIENCE:?}:\n{}",
                    self.log_tail(40)
                );
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The last `lines` lines of its two output files.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        let mut tail = String::new();
        for file in [self.launch.out_file(), self.launch.log_file()] {
            let text = std::fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let all: Vec<&str> = text.lines().collect();
            for line in &all[all.len().saturating_sub(lines)..] {
                tail.push_str("    ");
                tail.push_str(line);
                tail.push('\n');
            }
        }
        tail
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self
            .pid()
            .with_context(|| format!("{} does not run", self.launch.name))?;
        kill(Pid::from_raw(i32::try_from(pid)?), signal)
            .with_context(|| format!("{signal} to {}", self.launch.name))
    }

    /// Freezes it (SIGSTOP).
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a frozen one go on (SIGCONT).
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Kills it without notice (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill9(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.wait_for_end(PATIENCE).await?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Errors
    /// When it does not run, or does not end in [`PATIENCE`].
    pub async fn term(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.wait_for_end(PATIENCE).await
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end in `limit`.
    pub async fn wait_for_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        let name = &self.launch.name;
        let child = self
            .child
            .as_mut()
            .with_context(|| format!("{name} does not run"))?;
        match tokio::time::timeout(limit, child.wait()).await {
            Ok(status) => {
                self.child = None;
                Ok(status?)
            }
            Err(_) => bail!("{name} did not end in {limit:?}:\n{}", self.log_tail(40)),
        }
    }

    /// Starts it again as it was started before, after it was killed or has ended.
    ///
    /// # Errors
    /// When it still runs or cannot be started.
    pub fn restart(&mut self) -> Result<()> {
        ensure!(!self.is_running(), "{} still runs", self.launch.name);
        *self = Self::start(self.launch.clone())?;
        Ok(())
    }
}
