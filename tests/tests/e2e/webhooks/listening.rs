//! The receivers of the README, which verify with the official libraries.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use gateway_tests::process::{Launch, Program, free_port, workspace_root};
use serde_json::json;
use tokio::process::Command;

use super::{send, subscribe, world};

/// The code block of the README's chapter "Listening" in this language.
fn block(language: &str) -> Result<String> {
    let readme = std::fs::read_to_string(workspace_root().join("README.md"))?;
    let chapter = readme.split("## Listening").nth(1).context("the chapter")?;
    let fence = format!("```{language}\n");
    let code = chapter.split(&fence).nth(1).context("the code block")?;
    let code = code.split("```").next().context("its end")?;
    Ok(code.to_owned())
}

/// Where the libraries are installed, once for all runs; `make receivers` does the same.
async fn installed() -> Result<PathBuf> {
    let script = workspace_root().join("tests/receivers/install");
    let output = Command::new(&script).output().await?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{}: {error}", script.display());
    Ok(workspace_root().join("target/receivers"))
}

/// Runs a receiver of the README against a real webhook: it prints what it verified, and refuses
/// what is forged.
async fn serves(executable: PathBuf, file: &str, code: String, folder: &Path) -> Result<()> {
    let path = folder.join(file);
    std::fs::write(&path, code)?;
    world()
        .run(async |world| {
            let api = world.api(0);
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let port = free_port()?;
            let url = format!("http://127.0.0.1:{port}/");
            let (_, secret) = subscribe(&api, &url, &["message.status"]).await?;
            let launch = Launch::new("receiver", executable.clone(), world.folder())
                .args([&path])
                .env("PORT", port.to_string())
                .env("SECRET", secret);
            let mut receiver = Program::start(launch)?;
            send(&api, &session, &peer, 0..1).await?;
            for status in ["queued", "sending", "sent", "delivered"] {
                receiver
                    .wait_for_line(|line| line.contains(status).then_some(()))
                    .await?;
            }
            let forged = reqwest::Client::new()
                .post(&url)
                .header("webhook-id", "evt_1")
                .header("webhook-timestamp", "1763700000")
                .header("webhook-signature", "v1,AAAA")
                .json(&json!({"event": "message", "payload": {"status": "forged"}}))
                .send()
                .await?;
            assert_eq!(forged.status(), 401);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn the_receiver_in_python_verifies_with_the_official_library() -> Result<()> {
    let place = installed().await?;
    let code = block("python")?;
    serves(place.join("python/bin/python"), "receiver.py", code, &place).await
}

#[tokio::test]
async fn the_receiver_in_node_verifies_with_the_official_library() -> Result<()> {
    let place = installed().await?;
    let code = block("js")?;
    let node = Command::new("sh")
        .args(["-c", "command -v node"])
        .output()
        .await?;
    let node = String::from_utf8(node.stdout)?.trim().to_owned();
    ensure!(!node.is_empty(), "node is not installed");
    serves(node.into(), "receiver.mjs", code, &place).await
}
