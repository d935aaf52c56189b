//! Starting the parts of a stack in order, and ending them in the opposite one.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use super::file::{Peer, Pids, Sandbox, Session, StackFile};
use super::screen::Screen;
use crate::client::{ApiClient, SandboxAdmin};
use crate::process::{Persistence, Program, RedisServer, free_port};
use crate::world::{ApiProcess, EVERYTHING, Installation, SandboxProcess, WorkerProcess, pair};

/// Workers of a stack.
const WORKERS: usize = 2;
/// The phone that scans the QR code.
const SESSION_PHONE: &str = "15550100001";
/// The person who gets the messages.
const PEER: (&str, &str) = ("15550200001", "Ada");

/// A running stack.
#[derive(Debug)]
pub struct Stack {
    /// What `.run/stack.json` says of it.
    pub file: StackFile,
    redis: RedisServer,
    sandbox: SandboxProcess,
    api: ApiProcess,
    workers: Vec<WorkerProcess>,
}

impl Stack {
    /// Starts everything with its files under `folder`, pairs a session, creates a person, and
    /// writes the description.
    ///
    /// # Errors
    /// When a part does not start.
    pub(super) async fn start(folder: &Path, detached: bool, screen: &Screen) -> Result<Self> {
        let logs = fresh_folder(folder)?;
        let persistence = Persistence::default();
        let redis = RedisServer::start_on(folder, persistence, free_port()?, detached).await?;
        screen.ready("redis", &redis.url(), "its own, append-only, in .run/redis");
        let sandbox = SandboxProcess::start(&logs, detached).await?;
        screen.ready(
            "sandbox",
            sandbox.ws(),
            "a WhatsApp server for this machine only",
        );
        let mut installation = Installation::new(&redis.url(), &logs);
        installation.own_key(&folder.join("secrets.keys")).await?;
        installation.detached = detached;
        installation.whatsapp(sandbox.ws());
        installation.cdn(sandbox.media());
        let api = ApiProcess::start(&installation, "api-1").await?;
        screen.ready("api", api.address(), "what you would call");
        let mut workers = Vec::new();
        for number in 1..=WORKERS {
            let worker = WorkerProcess::start(&installation, &format!("worker-{number}")).await?;
            screen.ready(
                &format!("worker {number}"),
                &worker.id(),
                "shares the sessions with the others",
            );
            workers.push(worker);
        }
        let key = installation.create_key("Acme", &EVERYTHING).await?;
        let operator_key = installation.create_operator("admin").await?;
        screen.ready(
            "ops",
            &api.ops,
            "the operations room; `operatorKey` opens it",
        );
        screen.ready("tenant", &key.organization, "Acme, with an API key");

        let client = api.client(&key.secret);
        let session = pair_session(&client, &sandbox.admin(), screen).await?;
        let (phone, name) = PEER;
        let jid = sandbox.admin().create_peer(phone, name).await?;
        screen.ready(
            "peer",
            &jid,
            &format!("{name}, who has a Signal endpoint of her own"),
        );
        let pids = Pids {
            redis: pid(redis.program())?,
            sandbox: Some(pid(&sandbox.program)?),
            api: vec![pid(&api.program)?],
            workers: workers
                .iter()
                .map(|worker| pid(&worker.program))
                .collect::<Result<_>>()?,
        };
        let file = StackFile {
            api: api.address().to_owned(),
            api_key: key.secret,
            ops: api.ops.clone(),
            operator_key,
            metrics: vec![api.metrics.clone()],
            organization: key.organization,
            redis: redis.url(),
            sandbox: Some(Sandbox {
                ws: sandbox.ws().to_owned(),
                admin: sandbox.admin().address().to_owned(),
            }),
            sessions: vec![session],
            peers: vec![Peer {
                phone: phone.to_owned(),
                jid,
            }],
            pids,
        };
        file.write(folder)?;
        Ok(Self {
            file,
            redis,
            sandbox,
            api,
            workers,
        })
    }

    /// A caller with the stack's key.
    #[must_use]
    pub fn client(&self) -> ApiClient {
        self.api.client(&self.file.api_key)
    }

    /// The admin of its sandbox.
    #[must_use]
    pub fn sandbox(&self) -> SandboxAdmin {
        self.sandbox.admin()
    }

    /// The name of a part that has ended by itself, with the end of its log.
    pub(super) fn fallen(&mut self) -> Option<String> {
        let workers = self.workers.iter_mut().map(|worker| &mut worker.program);
        let parts = [
            self.redis.program_mut(),
            &mut self.sandbox.program,
            &mut self.api.program,
        ];
        let fallen = parts
            .into_iter()
            .chain(workers)
            .find_map(|program| (!program.is_running()).then_some(program))?;
        Some(format!(
            "{} has ended:\n{}",
            fallen.launch().name,
            fallen.log_tail(20)
        ))
    }

    /// Ends everything: first who writes, at last who keeps.
    pub(super) async fn stop(&mut self) {
        let workers = self.workers.iter_mut().map(|worker| &mut worker.program);
        let parts = workers.chain([
            &mut self.api.program,
            &mut self.sandbox.program,
            self.redis.program_mut(),
        ]);
        for program in parts {
            if program.is_running()
                && let Err(error) = program.term().await
            {
                eprintln!("  {error:#}");
            }
        }
    }
}

fn pid(program: &Program) -> Result<u32> {
    program
        .pid()
        .with_context(|| format!("{} has ended", program.launch().name))
}

/// Empties the folder of what an earlier stack left, and gives that of the logs. The sandbox
/// forgets when it ends, so a Redis that remembers its sessions would be of no use.
fn fresh_folder(folder: &Path) -> Result<PathBuf> {
    let logs = folder.join("logs");
    for stale in [&logs, &folder.join("redis")] {
        match std::fs::remove_dir_all(stale) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("remove {}", stale.display()));
            }
            _ => {}
        }
    }
    std::fs::create_dir_all(&logs).with_context(|| format!("create {}", logs.display()))?;
    Ok(logs)
}

async fn pair_session(
    client: &ApiClient,
    sandbox: &SandboxAdmin,
    screen: &Screen,
) -> Result<Session> {
    let begun = Instant::now();
    let id = client.create_session("Front desk", 0, 0).await?;
    let session = pair(client, sandbox, &id, SESSION_PHONE).await?;
    let wa_jid = session["waJid"].as_str().unwrap_or_default().to_owned();
    let took = begun.elapsed().as_millis();
    let remark = format!("a phone scanned its QR code, connected in {took} ms");
    screen.ready("session", &id, &remark);
    Ok(Session {
        id,
        phone: SESSION_PHONE.to_owned(),
        wa_jid,
    })
}
