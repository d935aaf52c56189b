//! Against the real WhatsApp: one release worker, a QR code in the terminal, and a memory.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::{Deserialize, Serialize};

use super::file::{Pids, Session, StackFile};
use super::screen::{Screen, Tone};
use crate::client::ApiClient;
use crate::process::{Persistence, Program, RedisServer, free_port};
use crate::world::{ApiProcess, EVERYTHING, Installation, WorkerProcess};

/// How often the session is looked at.
const ROUND: Duration = Duration::from_millis(500);

/// What is kept for the next start: the session stays paired.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    organization: String,
    api_key: String,
    session: String,
}

/// Starts it, shows the QR code until a phone has scanned it, and stays until Ctrl-C.
pub(super) async fn run(folder: &Path) -> Result<()> {
    let own = folder.join("real");
    std::fs::create_dir_all(&own).with_context(|| format!("create {}", own.display()))?;
    let screen = Screen::new();
    screen.title("WhatsApp Gateway", "against the real WhatsApp");
    // What a phone trusts us with should also survive a power cut.
    let mut redis = RedisServer::start_on(&own, Persistence::Always, free_port()?, false).await?;
    screen.ready("redis", &redis.url(), "its own, kept in .run/real/redis");
    let mut installation = Installation::new(&redis.url(), &own.join("logs"));
    installation.own_key(&own.join("secrets.keys")).await?;
    installation.worker = "gateway-worker".to_owned();
    let mut api = ApiProcess::start(&installation, "api-1").await?;
    screen.ready("api", api.address(), "");
    let mut worker = WorkerProcess::start(&installation, "worker-1").await?;
    screen.ready("worker", &worker.id(), "verifies WhatsApp's certificate");

    let account = account(&installation, &api, &own).await?;
    let client = api.client(&account.api_key);
    let pids = Pids {
        redis: redis.program().pid().unwrap_or_default(),
        sandbox: None,
        api: api.program.pid().into_iter().collect(),
        workers: worker.program.pid().into_iter().collect(),
    };
    let mut file = StackFile {
        api: api.address().to_owned(),
        api_key: account.api_key,
        ops: api.ops.clone(),
        operator_key: installation.create_operator("admin").await?,
        metrics: vec![api.metrics.clone()],
        organization: account.organization,
        redis: redis.url(),
        sandbox: None,
        sessions: Vec::new(),
        peers: Vec::new(),
        pids,
    };
    file.write(folder)?;
    let shown = tokio::select! {
        shown = follow(&client, &account.session, &screen, &mut file, folder) => shown,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    screen.step("stopping");
    for program in [&mut worker.program, &mut api.program, redis.program_mut()] {
        end(program).await;
    }
    StackFile::remove(folder);
    shown
}

async fn end(program: &mut Program) {
    if program.is_running()
        && let Err(error) = program.term().await
    {
        eprintln!("  {error:#}");
    }
}

/// The account of the last start, or a new one.
async fn account(installation: &Installation, api: &ApiProcess, own: &Path) -> Result<Account> {
    let path = own.join("account.json");
    if let Ok(bytes) = std::fs::read(&path) {
        let account: Account = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is damaged; remove {}", path.display(), own.display()))?;
        let client = api.client(&account.api_key);
        client.session(&account.session).await?;
        client.start_session(&account.session).await?;
        return Ok(account);
    }
    let key = installation.create_key("Mine", &EVERYTHING).await?;
    // The usual limits: a real account is banned for haste.
    let session = api
        .client(&key.secret)
        .create_session("My phone", 20, 200)
        .await?;
    let account = Account {
        organization: key.organization,
        api_key: key.secret,
        session,
    };
    let file = std::fs::File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&path)?;
    serde_json::to_writer_pretty(file, &account)?;
    Ok(account)
}

/// Shows every change of the session for as long as it is let.
async fn follow(
    client: &ApiClient,
    session: &str,
    screen: &Screen,
    file: &mut StackFile,
    folder: &Path,
) -> Result<()> {
    let mut status = String::new();
    let mut code = String::new();
    loop {
        let now = client.session(session).await?;
        let new = now["status"].as_str().unwrap_or_default().to_owned();
        if new != status {
            screen.line(&format!("session {session}: {new}"));
            match new.as_str() {
                "working" => {
                    let jid = now["waJid"].as_str().unwrap_or_default().to_owned();
                    welcome(client, session, screen, &jid);
                    file.sessions = vec![Session {
                        id: session.to_owned(),
                        phone: jid.split('@').next().unwrap_or_default().to_owned(),
                        wa_jid: jid,
                    }];
                    file.write(folder)?;
                }
                "failed" | "logged_out" => {
                    let error = now["lastError"].as_str().unwrap_or("no reason given");
                    bail!(
                        "the session is {new}: {error}. To pair anew, remove {}",
                        folder.join("real").display()
                    );
                }
                _ => {}
            }
            status = new;
        }
        if status == "scan_qr_code" {
            let answer = client.get(&format!("/sessions/{session}/qr")).await?;
            if answer.status == 200 && answer.text("code")? != code {
                code = answer.text("code")?;
                draw(&code, screen)?;
            }
        }
        tokio::time::sleep(ROUND).await;
    }
}

fn draw(code: &str, screen: &Screen) -> Result<()> {
    let picture = QrCode::new(code)?
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    println!("\n{picture}\n");
    screen.note("On the phone: Settings, Linked devices, Link a device, and scan this.");
    Ok(())
}

fn welcome(client: &ApiClient, session: &str, screen: &Screen, jid: &str) {
    screen.line(&screen.paint(Tone::Good, &format!("connected as {jid}")));
    screen.note(&format!(
        "\n  curl -s '{}/api/v1/sessions/{session}/messages' \\\n    \
         -H 'Authorization: Bearer {}' \\\n    -H 'Content-Type: application/json' \\\n    \
         -d '{{\"type\":\"text\",\"to\":\"NUMBER\",\"text\":\"hello\"}}'\n",
        client.address(),
        client.key()
    ));
}
