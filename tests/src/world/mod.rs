//! One test's own world: Redis, sandbox, APIs and workers as real processes.

mod builder;
mod parts;
mod verify_invariants;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

pub use builder::WorldBuilder;
pub use parts::{ApiKey, ApiProcess, Installation, SandboxProcess, WorkerProcess};
pub use verify_invariants::in_flight_key;

use crate::client::{ApiClient, SandboxAdmin};
use crate::process::RedisGroup;

/// A running world. Everything in it ends when it is dropped; when that happens in a panic, the
/// ends of all logs are printed.
#[derive(Debug)]
pub struct World {
    folder: PathBuf,
    installation: Installation,
    /// Its Redis.
    pub redis: RedisGroup,
    /// Its WhatsApp.
    pub sandbox: SandboxProcess,
    /// Its APIs.
    pub apis: Vec<ApiProcess>,
    /// Its workers.
    pub workers: Vec<WorkerProcess>,
    organization: String,
    key: String,
    sessions: Vec<PairedSession>,
    peers: u32,
    may_leave_waiting: bool,
}

/// A session that is connected to the sandbox.
#[derive(Debug, Clone)]
pub struct PairedSession {
    /// Its id.
    pub id: String,
    /// The number of the phone that scanned its code.
    pub phone: String,
}

/// A person of the sandbox.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Their number.
    pub phone: String,
    /// Their address.
    pub jid: String,
    /// Their address by LID.
    pub lid: String,
}

/// The key that encrypts secrets at rest in tests, as `GATEWAY_SECRETS__KEYS` takes it.
pub const SECRETS: &str = "tests:5ec2e7005ec2e7005ec2e7005ec2e7005ec2e7005ec2e7005ec2e7005ec2e700";
/// All capabilities.
pub const EVERYTHING: [&str; 4] = ["read", "send", "manage", "events"];
/// Numbers of sessions' phones begin with this and end in four digits.
const SESSION_PHONE: &str = "1555000";
/// Numbers of peers begin with this and end in four digits.
const PEER_PHONE: &str = "1555100";

impl World {
    /// A world to be.
    #[must_use]
    pub fn builder() -> WorldBuilder {
        WorldBuilder::default()
    }

    /// A caller of one API with the key of the world's organization, which may do everything.
    ///
    /// # Panics
    /// When there is no such API.
    #[must_use]
    pub fn api(&self, index: usize) -> ApiClient {
        self.apis[index].client(&self.key)
    }

    /// The admin of the sandbox.
    #[must_use]
    pub fn sandbox(&self) -> SandboxAdmin {
        self.sandbox.admin()
    }

    /// Where the clients of the sandbox connect.
    #[must_use]
    pub fn sandbox_ws(&self) -> &str {
        self.sandbox.ws()
    }

    /// Where the sandbox keeps files.
    #[must_use]
    pub fn sandbox_media(&self) -> &str {
        self.sandbox.media()
    }

    /// The organization of [`World::api`].
    #[must_use]
    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// Where it keeps its files and logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How its processes find each other.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Another organization, with a key that may do everything.
    ///
    /// # Errors
    /// When the API's command line fails.
    pub async fn create_organization(&self, name: &str) -> Result<ApiKey> {
        self.installation.create_key(name, &EVERYTHING).await
    }

    /// Another key of the world's organization.
    ///
    /// # Errors
    /// When the API's command line fails.
    pub async fn create_key(&self, capabilities: &[&str]) -> Result<ApiKey> {
        self.installation
            .create_key(&self.organization, capabilities)
            .await
    }

    /// Revokes a key.
    ///
    /// # Errors
    /// When the API's command line fails.
    pub async fn revoke_key(&self, id: &str) -> Result<()> {
        self.installation.revoke_key(id).await
    }

    /// Creates a session without limits, has a phone scan its QR code and waits until it works.
    ///
    /// # Errors
    /// When any of that does not happen.
    pub async fn pair_session(&mut self) -> Result<PairedSession> {
        self.pair_session_limited(0, 0).await
    }

    /// As [`World::pair_session`], with limits (0 = none).
    ///
    /// # Errors
    /// When any of that does not happen.
    pub async fn pair_session_limited(
        &mut self,
        rate_per_min: u32,
        rate_per_hour: u32,
    ) -> Result<PairedSession> {
        let number = self.sessions.len() + 1;
        let phone = format!("{SESSION_PHONE}{number:04}");
        let api = self.api(0);
        let label = format!("session {number}");
        let id = api
            .create_session(&label, rate_per_min, rate_per_hour)
            .await?;
        pair(&api, &self.sandbox(), &id, &phone).await?;
        let session = PairedSession { id, phone };
        self.sessions.push(session.clone());
        Ok(session)
    }

    /// Creates a person.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn create_peer(&mut self) -> Result<Peer> {
        self.peers += 1;
        let phone = format!("{PEER_PHONE}{:04}", self.peers);
        let name = format!("Peer {}", self.peers);
        let (jid, lid) = self.sandbox().create_person(&phone, &name).await?;
        Ok(Peer { phone, jid, lid })
    }

    /// Sets a variable for the workers that are started from now on.
    pub fn set_for_workers(&mut self, name: &str, value: &str) {
        let setting = (name.to_owned(), value.to_owned());
        self.installation.worker_env.push(setting);
    }

    /// Starts another worker.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn add_worker(&mut self) -> Result<()> {
        let name = format!("worker-{}", self.workers.len() + 1);
        let worker = WorkerProcess::start(&self.installation, &name).await?;
        self.workers.push(worker);
        Ok(())
    }

    /// Says that sends may still wait when the test ends: it is about waiting.
    pub fn may_leave_sends_waiting(&mut self) {
        self.may_leave_waiting = true;
    }

    /// The worker that owns a session: its place in [`World::workers`].
    ///
    /// # Errors
    /// When none of them does.
    pub async fn owner_of(&self, session: &str) -> Result<usize> {
        let worker = self.api(0).session(session).await?["worker"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let place = self.workers.iter().position(|each| each.id() == worker);
        ensure!(place.is_some(), "no worker of this world is {worker:?}");
        Ok(place.unwrap_or_default())
    }

    /// Prints the ends of all logs.
    pub fn print_logs(&self) {
        eprintln!("── logs, whole in {} ──", self.folder.display());
        let apis = self.apis.iter().map(|api| &api.program);
        let workers = self.workers.iter().map(|worker| &worker.program);
        for program in apis.chain(workers).chain([&self.sandbox.program]) {
            eprintln!("  {}:\n{}", program.launch().name, program.log_tail(30));
        }
    }
}

/// Has a phone of the sandbox scan the code of a session, and waits until the session works.
///
/// # Errors
/// When it does not come to that.
pub async fn pair(
    api: &ApiClient,
    sandbox: &SandboxAdmin,
    session: &str,
    phone: &str,
) -> Result<serde_json::Value> {
    let code = api.wait_for_qr(session).await?;
    sandbox.scan_qr(phone, &code).await?;
    api.wait_for_session(session, "working").await
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
    }
}
