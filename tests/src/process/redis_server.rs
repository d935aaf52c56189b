//! A Redis of one's own: real, append-only, and as mortal as the rest.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{GLANCE, Launch, PATIENCE, Program, free_port};

/// When Redis writes its append-only file to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Persistence {
    /// Once a second: what was acknowledged survives `kill -9` only as long as the disk keeps up.
    /// While a sync is stalled, Redis puts writes off for up to two seconds and acknowledges them
    /// all the same; that was seen to lose some.
    EverySecond,
    /// Written before it answers and never synced: what was acknowledged survives `kill -9`, and
    /// nothing waits for the disk. For tests that kill processes, not machines.
    Unsynced,
    /// Before it answers: what was acknowledged survives `kill -9` and a power cut.
    #[default]
    Always,
}

impl Persistence {
    /// The value of `appendfsync`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EverySecond => "everysec",
            Self::Unsynced => "no",
            Self::Always => "always",
        }
    }
}

/// A Redis server on a loopback port, with its data in a folder of its own.
#[derive(Debug)]
pub struct RedisServer {
    program: Program,
    port: u16,
    /// A folder of its own, removed with it.
    folder: Option<TempDir>,
}

/// Where `redis-server` is.
///
/// # Errors
/// When it is not installed; the error says how to get it.
pub fn redis_executable() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin".into(), "/usr/local/bin".into()])
        .map(|folder| folder.join("redis-server"))
        .find(|path| path.is_file())
        .context(
            "redis-server is not installed: `sudo apt-get install redis-server` \
             (Debian, Ubuntu), `brew install redis` (macOS)",
        )
}

impl RedisServer {
    /// Starts one with its data and output under `folder` and waits until it answers.
    ///
    /// # Errors
    /// When Redis is not installed or does not start.
    pub async fn start(folder: &Path, persistence: Persistence) -> Result<Self> {
        let port = free_port()?;
        Self::start_on(folder, persistence, port, false).await
    }

    /// Starts one in a folder of its own, which is gone with it.
    ///
    /// # Errors
    /// When Redis is not installed or does not start.
    pub async fn temporary(persistence: Persistence) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut server = Self::start(folder.path(), persistence).await?;
        server.folder = Some(folder);
        Ok(server)
    }

    /// Starts one on a given port; `detached` as in [`Launch`].
    ///
    /// # Errors
    /// When Redis is not installed or does not start.
    pub async fn start_on(
        folder: &Path,
        persistence: Persistence,
        port: u16,
        detached: bool,
    ) -> Result<Self> {
        Self::start_as("redis", folder, (persistence, port, detached), &[]).await
    }

    /// Starts one of several: its data and output are named after it, and it has more settings.
    pub(super) async fn start_as(
        name: &str,
        folder: &Path,
        (persistence, port, detached): (Persistence, u16, bool),
        more: &[&str],
    ) -> Result<Self> {
        let data = folder.join(name);
        std::fs::create_dir_all(&data)?;
        let port_text = port.to_string();
        let mut launch = Launch::new(name, redis_executable()?, &folder.join("logs"))
            .args(["--bind", "127.0.0.1", "--port", &port_text])
            .args(["--appendonly", "yes", "--save", ""])
            .args(["--appendfsync", persistence.as_str()])
            // Evicting a key would break every promise; running out of memory must be an error.
            .args(["--maxmemory-policy", "noeviction"])
            .args(["--daemonize", "no", "--dir"])
            .args([data.as_os_str()])
            .args(more.iter().copied());
        launch.detached = detached;
        let mut server = Self {
            program: Program::start(launch)?,
            port,
            folder: None,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let client = redis::Client::open(self.url())?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                let ping = redis::cmd("PING");
                // While it loads its append-only file it answers with an error.
                if ping.query_async::<String>(&mut connection).await.is_ok() {
                    return Ok(());
                }
            }
            if !self.program.is_running() || Instant::now() > deadline {
                bail!("Redis did not start:\n{}", self.program.log_tail(20));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends it one command, over a connection of its own.
    ///
    /// # Errors
    /// When it does not answer, or answers with an error.
    pub async fn ask<T: redis::FromRedisValue>(&self, command: &str) -> Result<T> {
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next().unwrap_or_default());
        asked.arg(words.collect::<Vec<_>>());
        let mut connection = self.connect().await?;
        let answer = asked.query_async(&mut connection).await;
        answer.with_context(|| format!("{command} to {}", self.url()))
    }

    /// Whether it takes writes: a master, as far as it knows.
    pub async fn is_master(&self) -> bool {
        let role: Result<Vec<redis::Value>> = self.ask("ROLE").await;
        role.is_ok_and(|role| {
            let name = role
                .into_iter()
                .next()
                .map(redis::from_redis_value::<String>);
            name.is_some_and(|name| name.is_ok_and(|name| name == "master"))
        })
    }

    /// Its address for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its address for wires.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        (std::net::Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The program, to freeze it or to read its log.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The program, to end it.
    pub fn program_mut(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Kills it without notice.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill9(&mut self) -> Result<()> {
        self.program.kill9().await
    }

    /// Starts it again on the same port with the same data and waits until it answers.
    ///
    /// # Errors
    /// When it still runs or does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.program.restart()?;
        self.wait_until_ready().await
    }

    /// A connection of one's own.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(&self) -> Result<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        Ok(client.get_multiplexed_async_connection().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Redis acknowledged is there after `kill -9`, on the same port.
    #[tokio::test]
    async fn acknowledged_writes_survive_a_kill() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("gateway-redis-{}", std::process::id()));
        let mut server = RedisServer::start(&folder, Persistence::default()).await?;
        let mut connection = server.connect().await?;
        let set = redis::cmd("SET").arg("a").arg("1").to_owned();
        set.query_async::<()>(&mut connection).await?;
        server.kill9().await?;
        assert!(server.connect().await.is_err(), "nobody listens any more");
        server.restart().await?;
        let mut connection = server.connect().await?;
        let get = redis::cmd("GET").arg("a").to_owned();
        assert_eq!(get.query_async::<String>(&mut connection).await?, "1");
        drop(server);
        std::fs::remove_dir_all(folder)?;
        Ok(())
    }
}
