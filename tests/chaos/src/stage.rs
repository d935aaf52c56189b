//! Everything that takes part, as processes, behind wires.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use gateway_tests::client::{ApiClient, SandboxAdmin};
use gateway_tests::process::{Persistence, RedisGroup, SkewedClock, Topology, Wire, free_port};
use gateway_tests::world::{
    ApiKey, ApiProcess, EVERYTHING, Installation, PairedSession, Peer, SandboxProcess,
    WorkerProcess, pair,
};

/// Sends of a limited session in a minute.
pub const LIMIT: u32 = 60;
/// Every how many-th session is limited; no multiple of the organizations' number.
const LIMITED: usize = 4;
/// Peers of each organization.
const PEERS: usize = 3;
/// Sessions that are paired at the same time.
const PAIRING: usize = 4;
/// What every key in Redis begins with.
pub const PREFIX: &str = "chaos";

/// An API and its wire.
#[derive(Debug)]
pub struct Api {
    /// The process.
    pub process: ApiProcess,
    /// To Redis.
    pub redis: Wire,
    /// Of its host.
    pub clock: SkewedClock,
}

/// A worker and its wires.
#[derive(Debug)]
pub struct Worker {
    /// The process.
    pub process: WorkerProcess,
    /// To Redis.
    pub redis: Wire,
    /// To the sandbox.
    pub whatsapp: Wire,
    /// Of its host.
    pub clock: SkewedClock,
}

/// A session and its limit.
#[derive(Debug, Clone)]
pub struct Session {
    /// Id and phone.
    pub paired: PairedSession,
    /// Sends a minute; 0 = without limit.
    pub rate_per_min: u32,
}

/// An organization, its sessions and whom they write to.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its key, which may do everything.
    pub key: ApiKey,
    /// Its sessions.
    pub sessions: Vec<Session>,
    /// People only its sessions write to.
    pub peers: Vec<Peer>,
}

/// How large a stage is.
#[derive(Debug, Clone, Copy)]
pub struct Cast {
    /// Organizations.
    pub tenants: usize,
    /// Sessions, shared among the organizations.
    pub sessions: usize,
    /// APIs.
    pub apis: usize,
    /// Workers.
    pub workers: usize,
    /// Whether some sessions are limited.
    pub limits: bool,
    /// How its Redis is built. There are no wires to the nodes of a Cluster, which tell each other's
    /// addresses to whoever asks.
    pub topology: Topology,
}

/// Everything that takes part.
#[derive(Debug)]
pub struct Stage {
    /// Where it keeps its files and logs.
    pub folder: PathBuf,
    /// Redis.
    pub redis: RedisGroup,
    /// WhatsApp.
    pub sandbox: SandboxProcess,
    /// The APIs.
    pub apis: Vec<Api>,
    /// The workers.
    pub workers: Vec<Worker>,
    /// The organizations.
    pub tenants: Vec<Tenant>,
    settings: Vec<(String, String)>,
}

impl Stage {
    /// Starts everything in `folder` and pairs the sessions. `settings` are variables for all
    /// processes.
    ///
    /// # Errors
    /// When a part does not start or a session does not pair.
    pub async fn set(folder: &Path, cast: Cast, settings: &[(&str, &str)]) -> Result<Self> {
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs)?;
        let redis = RedisGroup::start(folder, cast.topology, Persistence::Always).await?;
        let sandbox = SandboxProcess::start(&logs, false).await?;
        let settings = settings.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let mut stage = Self {
            folder: folder.to_owned(),
            redis,
            sandbox,
            apis: Vec::new(),
            workers: Vec::new(),
            tenants: Vec::new(),
            settings: settings.collect(),
        };
        if cast.topology == Topology::Cluster {
            // What is acknowledged has reached the replica, which may be master a moment later.
            let replicas = ("GATEWAY_REDIS__WAIT_REPLICAS", "1");
            stage.settings.push((replicas.0.into(), replicas.1.into()));
        }
        for number in 1..=cast.apis {
            let api = stage.start_api(&format!("api-{number}")).await?;
            stage.apis.push(api);
        }
        for number in 1..=cast.workers {
            let worker = stage.start_worker(&format!("worker-{number}"), &[]).await?;
            stage.workers.push(worker);
        }
        let direct = stage.installation(None);
        for number in 1..=cast.tenants {
            let key = direct
                .create_key(&format!("Tenant {number}"), &EVERYTHING)
                .await?;
            let mut peers = Vec::new();
            for peer in 1..=PEERS {
                let phone = format!("1555{number:02}1{peer:04}");
                let name = format!("Peer {number}.{peer}");
                let (jid, lid) = stage.admin().create_person(&phone, &name).await?;
                peers.push(Peer { phone, jid, lid });
            }
            stage.tenants.push(Tenant {
                key,
                sessions: Vec::new(),
                peers,
            });
        }
        stage.pair_sessions(cast.sessions, cast.limits).await?;
        Ok(stage)
    }

    /// Pairs sessions of all organizations in turn; with `limits`, some of them are limited.
    ///
    /// # Errors
    /// When one does not pair.
    pub async fn pair_sessions(&mut self, sessions: usize, limits: bool) -> Result<()> {
        let api = self.apis.first().context("no API")?.process.client("");
        let admin = self.admin();
        let keys: Vec<_> = self.tenants.iter().map(|t| t.key.secret.clone()).collect();
        let pairing = (0..sessions).map(|number| {
            let owner = number % keys.len().max(1);
            let (api, admin) = (api.with_key(&keys[owner]), admin.clone());
            let limited = limits && number % LIMITED == 0;
            async move {
                let rate_per_min = if limited { LIMIT } else { 0 };
                let session = start_session(&api, &admin, number, rate_per_min).await?;
                anyhow::Ok((number, owner, session))
            }
        });
        let mut paired: Vec<_> = stream::iter(pairing)
            .buffer_unordered(PAIRING)
            .try_collect()
            .await?;
        paired.sort_by_key(|(number, ..)| *number);
        for (_, owner, session) in paired {
            self.tenants[owner].sessions.push(session);
        }
        Ok(())
    }

    /// How processes find each other, with this wire to Redis where there is one.
    fn installation(&self, wire: Option<&Wire>) -> Installation {
        let urls = match wire {
            Some(wire) if self.redis.servers.len() == 1 => {
                vec![format!("redis://{}", wire.address())]
            }
            _ => self.redis.urls(),
        };
        let urls = serde_json::json!(urls).to_string();
        let mut installation = Installation::new("", &self.folder.join("logs"));
        installation.set("GATEWAY_REDIS__URLS", &urls);
        installation.set("GATEWAY_REDIS__PREFIX", PREFIX);
        for (name, value) in &self.settings {
            installation.set(name, value);
        }
        installation
    }

    async fn start_api(&self, name: &str) -> Result<Api> {
        let redis = Wire::to(self.redis.address()).await?;
        let mut installation = self.installation(Some(&redis));
        // A port that is its own also while it is down.
        let listen = format!("127.0.0.1:{}", free_port()?);
        installation
            .api_env
            .push(("GATEWAY_API__LISTEN".to_owned(), listen));
        let clock = self.clock(name)?;
        installation.api_env.extend(clock.env());
        Ok(Api {
            process: ApiProcess::start(&installation, name).await?,
            redis,
            clock,
        })
    }

    /// Starts another worker, with these variables.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_worker(&self, name: &str, env: &[(&str, &str)]) -> Result<Worker> {
        let url = self.sandbox.ws();
        let rest = url
            .strip_prefix("ws://")
            .context("the sandbox is at ws://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let server: SocketAddr = host.parse().context("the sandbox's address")?;
        let whatsapp = Wire::to(server).await?;
        let redis = Wire::to(self.redis.address()).await?;
        let mut installation = self.installation(Some(&redis));
        installation.whatsapp(&format!("ws://{}/{path}", whatsapp.address()));
        for (name, value) in env {
            let variable = ((*name).to_owned(), (*value).to_owned());
            installation.worker_env.push(variable);
        }
        let clock = self.clock(name)?;
        installation.worker_env.extend(clock.env());
        Ok(Worker {
            process: WorkerProcess::start(&installation, name).await?,
            redis,
            whatsapp,
            clock,
        })
    }

    fn clock(&self, name: &str) -> Result<SkewedClock> {
        SkewedClock::new(&self.folder.join(format!("{name}.clock")))
    }

    /// The admin of the sandbox.
    #[must_use]
    pub fn admin(&self) -> SandboxAdmin {
        self.sandbox.admin()
    }

    /// A caller of each API, with the key of this organization.
    #[must_use]
    pub fn callers(&self, tenant: &Tenant) -> Vec<ApiClient> {
        let caller = |api: &Api| api.process.client(&tenant.key.secret);
        self.apis.iter().map(caller).collect()
    }
}

async fn start_session(
    api: &ApiClient,
    admin: &SandboxAdmin,
    number: usize,
    rate_per_min: u32,
) -> Result<Session> {
    let label = format!("session {number}");
    let id = api.create_session(&label, rate_per_min, 0).await?;
    let phone = format!("15550{number:06}");
    pair(api, admin, &id, &phone).await?;
    Ok(Session {
        paired: PairedSession { id, phone },
        rate_per_min,
    })
}
