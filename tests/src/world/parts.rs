//! The product's own processes, and how they find each other.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::client::{ApiClient, SandboxAdmin, eventually};
use crate::process::{Launch, Program, binary};
use crate::world::SECRETS;

/// What tenants may name in an installation of tests: this machine.
const LOOPBACK: &str = "127.0.0.0/8,::1/128";

/// What the processes of one installation have in common.
#[derive(Debug, Clone)]
pub struct Installation {
    logs: PathBuf,
    shared_env: Vec<(String, String)>,
    /// Variables set for the APIs.
    pub api_env: Vec<(String, String)>,
    /// Variables set for the workers.
    pub worker_env: Vec<(String, String)>,
    /// The worker's binary.
    pub worker: String,
    /// Whether its processes outlive their starter.
    pub detached: bool,
}

impl Installation {
    /// An installation around a Redis, whose processes write under `logs`. Its worker is of the
    /// flavour that may talk to the sandbox.
    #[must_use]
    pub fn new(redis: &str, logs: &Path) -> Self {
        let urls = serde_json::json!([redis]).to_string();
        let media = logs.with_file_name("media").display().to_string();
        Self {
            logs: logs.to_owned(),
            shared_env: vec![
                ("GATEWAY_REDIS__URLS".to_owned(), urls),
                ("GATEWAY_SECRETS__KEYS".to_owned(), SECRETS.to_owned()),
                // Receivers of webhooks and servers of media are on this machine.
                ("GATEWAY_EGRESS__ALLOW".to_owned(), LOOPBACK.to_owned()),
                (
                    "GATEWAY_EGRESS__REQUIRE_HTTPS".to_owned(),
                    "false".to_owned(),
                ),
                ("GATEWAY_MEDIA__FOLDER".to_owned(), media),
            ],
            api_env: Vec::new(),
            worker_env: Vec::new(),
            worker: "gateway-worker-sandbox".to_owned(),
            detached: false,
        }
    }

    /// Sets a variable for all processes.
    pub fn set(&mut self, name: &str, value: &str) {
        self.shared_env.push((name.to_owned(), value.to_owned()));
    }

    /// Uses the key in this file for secrets at rest, in the place of the tests' own; makes one
    /// where there is none yet.
    ///
    /// # Errors
    /// When the API's command line fails or the file can not be written.
    pub async fn own_key(&mut self, file: &Path) -> Result<()> {
        if !file.exists() {
            let mut launch = self
                .launch("secrets", "gateway-api")?
                .args(["secrets", "generate"]);
            launch.detached = false;
            write_private(file, &Program::run(&launch).await?)?;
        }
        let path = file.canonicalize()?.display().to_string();
        self.shared_env
            .retain(|(name, _)| name != "GATEWAY_SECRETS__KEYS");
        self.set("GATEWAY_SECRETS__KEY_FILE", &path);
        Ok(())
    }

    /// Fetches files of messages from this CDN instead of WhatsApp's.
    pub fn cdn(&mut self, url: &str) {
        let hosts = serde_json::json!([url]).to_string();
        self.shared_env
            .push(("GATEWAY_MEDIA__HOSTS".to_owned(), hosts));
    }

    /// Lets workers talk to this WhatsApp instead of the real one.
    pub fn whatsapp(&mut self, url: &str) {
        let name = "GATEWAY_WORKER__WHATSAPP__URL".to_owned();
        self.shared_env.push((name, url.to_owned()));
    }

    /// How to start a binary of this installation.
    ///
    /// # Errors
    /// When it was not built.
    pub fn launch(&self, name: &str, binary_name: &str) -> Result<Launch> {
        let mut launch = Launch::new(name, binary(binary_name)?, &self.logs).envs(&self.shared_env);
        launch.detached = self.detached;
        Ok(launch)
    }

    /// Creates an API key with the API's own command line. `organization` is an id, or the name of
    /// one that is created where there is none.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn create_key(&self, organization: &str, capabilities: &[&str]) -> Result<ApiKey> {
        let mut launch = self
            .launch("keys", "gateway-api")?
            .args(["keys", "create", "--org", organization])
            .args(["--capabilities", &capabilities.join(",")]);
        launch.detached = false;
        let output = Program::run(&launch).await?;
        let json: serde_json::Value = serde_json::from_str(output.trim())
            .with_context(|| format!("`keys create` printed no JSON: {output}"))?;
        let field = |name: &str| {
            let text = json[name].as_str().map(str::to_owned);
            text.with_context(|| format!("`keys create` printed no {name}"))
        };
        Ok(ApiKey {
            id: field("id")?,
            organization: field("organization")?,
            secret: field("key")?,
        })
    }

    /// Makes a key for the operations room with the API's own command line.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn create_operator(&self, role: &str) -> Result<String> {
        let mut launch = self.launch("operators", "gateway-api")?.args([
            "operators",
            "create",
            "--role",
            role,
            "--name",
            role,
        ]);
        launch.detached = false;
        let output = Program::run(&launch).await?;
        let json: serde_json::Value = serde_json::from_str(output.trim())
            .with_context(|| format!("`operators create` printed no JSON: {output}"))?;
        let key = json["key"].as_str().map(str::to_owned);
        key.context("`operators create` printed no key")
    }

    /// Revokes an API key with the API's own command line.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn revoke_key(&self, id: &str) -> Result<()> {
        let mut launch = self
            .launch("keys", "gateway-api")?
            .args(["keys", "revoke", id]);
        launch.detached = false;
        Program::run(&launch).await?;
        Ok(())
    }
}

/// Writes a new file that only its owner may read.
fn write_private(file: &Path, text: &str) -> Result<()> {
    let mut created = std::fs::File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("create {}", file.display()))?;
    created.write_all(text.as_bytes())?;
    Ok(())
}

/// What a caller needs to call.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The key's public id.
    pub id: String,
    /// The organization it belongs to.
    pub organization: String,
    /// The key itself.
    pub secret: String,
}

/// The sandbox.
#[derive(Debug)]
pub struct SandboxProcess {
    /// The process.
    pub program: Program,
    ws: String,
    admin: String,
    media: String,
}

impl SandboxProcess {
    /// Starts one on free ports; `detached` as in [`Launch`].
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(logs: &Path, detached: bool) -> Result<Self> {
        let mut launch = Launch::new("sandbox", binary("wa-sandbox")?, logs).args([
            "--ws",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ]);
        launch.detached = detached;
        let mut program = Program::start(launch)?;
        let line = program.wait_for_json("admin").await?;
        let address = |name: &str, scheme: &str| {
            let text = line[name].as_str().unwrap_or_default();
            if text.contains("://") {
                text.to_owned()
            } else {
                format!("{scheme}://{text}")
            }
        };
        Ok(Self {
            ws: address("ws", "ws"),
            admin: address("admin", "http"),
            media: address("media", "http"),
            program,
        })
    }

    /// Where clients connect.
    #[must_use]
    pub fn ws(&self) -> &str {
        &self.ws
    }

    /// Its CDN, without TLS.
    #[must_use]
    pub fn media(&self) -> &str {
        &self.media
    }

    /// Its admin.
    #[must_use]
    pub fn admin(&self) -> SandboxAdmin {
        SandboxAdmin::new(&self.admin)
    }
}

/// An API.
#[derive(Debug)]
pub struct ApiProcess {
    /// The process.
    pub program: Program,
    address: String,
    /// Where its operations room is.
    pub ops: String,
    /// Where its figures are.
    pub metrics: String,
}

impl ApiProcess {
    /// Starts one on a free port and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(installation: &Installation, name: &str) -> Result<Self> {
        let launch = installation
            .launch(name, "gateway-api")?
            .env("GATEWAY_API__LISTEN", "127.0.0.1:0")
            .env("GATEWAY_OPS__LISTEN", "127.0.0.1:0")
            .env("GATEWAY_METRICS__LISTEN", "127.0.0.1:0")
            .envs(&installation.api_env)
            .args(["serve"]);
        let mut program = Program::start(launch)?;
        let line = program.wait_for_json("listen").await?;
        let address = line["listen"].as_str().context("`listen` is no text")?;
        let place = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let api = Self {
            address: format!("http://{}", address.trim_start_matches("http://")),
            ops: place("ops"),
            metrics: place("metrics"),
            program,
        };
        api.wait_until_ready().await?;
        Ok(api)
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let client = self.client("");
        let what = format!("{} is ready", self.program.launch().name);
        eventually(&what, async || Ok(client.is_ready().await.then_some(()))).await
    }

    /// Starts it again at the same address, after it was killed, and waits until it is ready.
    ///
    /// # Errors
    /// When it still runs or does not start.
    pub async fn restart(&mut self) -> Result<()> {
        let address = self.address.trim_start_matches("http://").to_owned();
        let launch = self.program.launch_mut();
        launch.env.retain(|(name, _)| name != "GATEWAY_API__LISTEN");
        launch.env.push(("GATEWAY_API__LISTEN".to_owned(), address));
        self.program.restart()?;
        let line = self.program.wait_for_json("listen").await?;
        self.ops = line["ops"].as_str().unwrap_or_default().to_owned();
        self.metrics = line["metrics"].as_str().unwrap_or_default().to_owned();
        self.wait_until_ready().await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A caller of it.
    ///
    /// # Panics
    /// When the system's TLS or resolver cannot be set up, which no test can go without.
    #[must_use]
    pub fn client(&self, key: &str) -> ApiClient {
        ApiClient::new(&self.address, key).expect("an HTTP client")
    }
}

/// A worker.
#[derive(Debug)]
pub struct WorkerProcess {
    /// The process.
    pub program: Program,
}

impl WorkerProcess {
    /// Starts one and waits until it has joined.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(installation: &Installation, name: &str) -> Result<Self> {
        let launch = installation
            .launch(name, &installation.worker)?
            .envs(&installation.worker_env);
        let mut worker = Self {
            program: Program::start(launch)?,
        };
        worker.program.wait_for_line(joined).await?;
        Ok(worker)
    }

    /// Starts it again after it was killed or has ended. It is a new worker with a new id.
    ///
    /// # Errors
    /// When it still runs or does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.program.restart()?;
        self.program.wait_for_line(joined).await?;
        Ok(())
    }

    /// Kills it without notice and starts it again, as a service manager would.
    ///
    /// # Errors
    /// When it does not run or does not start.
    pub async fn kill9_and_restart(&mut self) -> Result<()> {
        self.program.kill9().await?;
        self.restart().await
    }

    /// Its id in the registry. A worker that was presumed dead joins anew under another one.
    #[must_use]
    pub fn id(&self) -> String {
        self.program.last_line(joined).unwrap_or_default()
    }
}

/// The id in the line that a worker prints whenever it has joined.
fn joined(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line["worker"].as_str().map(str::to_owned)
}
