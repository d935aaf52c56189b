//! How a world is made.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use super::{ApiProcess, EVERYTHING, Installation, SandboxProcess, WorkerProcess, World};
use crate::process::{Persistence, RedisGroup, SENTINEL_MASTER, Topology};

/// The size and settings of a world: one API and one worker unless said otherwise.
#[derive(Debug, Clone)]
pub struct WorldBuilder {
    apis: usize,
    workers: usize,
    persistence: Persistence,
    topology: Topology,
    api_env: Vec<(String, String)>,
    worker_env: Vec<(String, String)>,
}

impl Default for WorldBuilder {
    fn default() -> Self {
        Self {
            apis: 1,
            workers: 1,
            persistence: Persistence::default(),
            topology: Topology::default(),
            api_env: Vec::new(),
            worker_env: Vec::new(),
        }
    }
}

impl WorldBuilder {
    /// With this many APIs.
    #[must_use]
    pub fn apis(mut self, count: usize) -> Self {
        self.apis = count;
        self
    }

    /// With this many workers.
    #[must_use]
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// With a Redis that writes to the disk like this.
    #[must_use]
    pub fn persistence(mut self, persistence: Persistence) -> Self {
        self.persistence = persistence;
        self
    }

    /// With a Redis that is built like this.
    #[must_use]
    pub fn topology(mut self, topology: Topology) -> Self {
        self.topology = topology;
        self
    }

    /// With this variable set for the APIs and the workers.
    #[must_use]
    pub fn setting(self, name: &str, value: &str) -> Self {
        self.api_env(name, value).worker_env(name, value)
    }

    /// With this variable set for the APIs.
    #[must_use]
    pub fn api_env(mut self, name: &str, value: &str) -> Self {
        self.api_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this variable set for the workers.
    #[must_use]
    pub fn worker_env(mut self, name: &str, value: &str) -> Self {
        self.worker_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When a part does not start; the error holds the end of its log.
    pub async fn start(self) -> Result<World> {
        let folder = own_folder()?;
        let redis = RedisGroup::start(&folder, self.topology, self.persistence).await?;
        let urls = serde_json::json!(redis.urls()).to_string();
        let sandbox = SandboxProcess::start(&folder.join("logs"), false).await?;
        let mut installation = Installation::new(&redis.url(), &folder.join("logs"));
        // A prefix of its own shows whether every key is made under the configured one.
        installation.set("GATEWAY_REDIS__PREFIX", "world");
        installation.set("GATEWAY_REDIS__URLS", &urls);
        if self.topology == Topology::Sentinel {
            installation.set("GATEWAY_REDIS__SENTINEL_MASTER", SENTINEL_MASTER);
        }
        installation.whatsapp(sandbox.ws());
        installation.cdn(sandbox.media());
        installation.api_env = self.api_env;
        installation.worker_env = self.worker_env;
        let mut apis = Vec::new();
        for number in 1..=self.apis {
            apis.push(ApiProcess::start(&installation, &format!("api-{number}")).await?);
        }
        let mut workers = Vec::new();
        for number in 1..=self.workers {
            let name = format!("worker-{number}");
            workers.push(WorkerProcess::start(&installation, &name).await?);
        }
        let key = installation.create_key("Acme", &EVERYTHING).await?;
        Ok(World {
            folder,
            installation,
            redis,
            sandbox,
            apis,
            workers,
            organization: key.organization,
            key: key.secret,
            sessions: Vec::new(),
            peers: 0,
            may_leave_waiting: false,
        })
    }

    /// Starts it, lets `test` live in it, and in the end accuses: nothing may be left in flight or
    /// waiting, no status may have gone backwards, no process may have ended or panicked unasked.
    /// The files of a world that ended well are removed; those of another stay.
    ///
    /// # Errors
    /// When a part does not start, `test` fails, or something is left to accuse.
    pub async fn run(self, test: impl AsyncFnOnce(&mut World) -> Result<()>) -> Result<()> {
        let mut world = self.start().await?;
        let mut result = test(&mut world).await;
        if result.is_ok() {
            result = world
                .verify_invariants()
                .await
                .context("at the end of the test");
        }
        if result.is_err() {
            world.print_logs();
            return result;
        }
        let folder = world.folder.clone();
        drop(world);
        // What a dying process writes at this moment may be left over in the system's own
        // folder for such things.
        std::fs::remove_dir_all(folder).unwrap_or_default();
        Ok(())
    }
}

fn own_folder() -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("gateway-world-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(folder.join("logs"))?;
    Ok(folder)
}
