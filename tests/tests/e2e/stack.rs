//! What `make run`, `make up` and `make down` do.

use anyhow::{Context, Result, ensure};
use gateway_tests::client::{ApiClient, SandboxAdmin, SendRequest};
use gateway_tests::process::{Launch, Program, binary};
use gateway_tests::stack::StackFile;

fn folder(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("gateway-stack-{name}-{}", std::process::id()))
}

/// In the background it serves other programs by what `stack.json` says, until it is told to stop.
#[tokio::test]
async fn up_stays_and_down_stops() -> Result<()> {
    let folder = folder("up");
    let logs = folder.join("starter");
    let launch = |command: &str| -> Result<Launch> {
        let launch = Launch::new(command, binary("gateway-stack")?, &logs);
        Ok(launch.args([command, "--folder"]).args([&folder]))
    };
    Program::run(&launch("up")?).await?;
    let file = StackFile::read(&folder)?.context("stack.json")?;
    let result = use_it(&file).await;
    // It is stopped also when it could not be used.
    let second = Program::run(&launch("up")?).await;
    Program::run(&launch("down")?).await?;
    result?;
    let refusal = second.unwrap_err().to_string();
    assert!(refusal.contains("make down"), "{refusal}");

    assert!(
        StackFile::read(&folder)?.is_none(),
        "the description is gone"
    );
    let sandbox = file.pids.sandbox.into_iter();
    let all = sandbox.chain(file.pids.api).chain(file.pids.workers);
    for pid in all.chain([file.pids.redis]) {
        let executable = std::fs::read_link(format!("/proc/{pid}/exe"));
        assert!(executable.is_err(), "{pid} still runs: {executable:?}");
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

async fn use_it(file: &StackFile) -> Result<()> {
    ensure!(file.pids.workers.len() == 2, "two workers");
    let api = ApiClient::new(&file.api, &file.api_key)?;
    let (session, peer) = (&file.sessions[0], &file.peers[0]);
    ensure!(session.wa_jid.starts_with(&session.phone), "{session:?}");
    let send = SendRequest::text(&peer.phone, "hello stack");
    let answer = api.send(&session.id, &send).await?.expect(200)?;
    let sandbox = file.sandbox.as_ref().context("a sandbox")?;
    let sandbox = SandboxAdmin::new(&sandbox.admin);
    let messages = sandbox.wait_for_messages(&peer.phone, 1).await?;
    ensure!(
        messages[0].id == answer.text("waMessageId")?,
        "{messages:?}"
    );
    Ok(())
}

/// The show runs to its end and stays; told to end, everything ends.
#[tokio::test]
async fn run_shows_eleven_messages_and_ends_in_order() -> Result<()> {
    let folder = folder("run");
    let launch = Launch::new("run", binary("gateway-stack")?, &folder.join("starter"))
        .args(["run", "--folder"])
        .args([&folder]);
    let mut run = Program::start(launch)?;
    run.wait_for_line(|line| line.contains("stack.json").then_some(()))
        .await?;
    let file = StackFile::read(&folder)?.context("stack.json")?;
    let status = run.term().await?;
    let shown = std::fs::read_to_string(run.launch().out_file())?;
    assert!(status.success(), "{shown}");
    assert!(shown.contains("11 accepted, 11 decrypted"), "{shown}");
    assert!(!shown.contains('\x1b'), "no colours where no terminal is");
    assert!(StackFile::read(&folder)?.is_none());
    let pid = file.pids.redis;
    assert!(std::fs::read_link(format!("/proc/{pid}/exe")).is_err());
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
