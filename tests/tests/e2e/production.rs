//! The worker that ships talks to WhatsApp and to nothing that merely says it is.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use gateway_tests::process::{Program, workspace_root};
use gateway_tests::world::World;

/// Builds `gateway-worker` as it ships and puts a copy aside, since the next build of the workspace
/// replaces it. `make test` has built it before; then this is quick.
fn build_production(world: &World) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace_root())
        .args(["build", "-p", "gateway-worker", "--bins"])
        .args(["--message-format", "json-render-diagnostics"])
        .output()
        .context("start cargo")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let executable = String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "gateway-worker")
        .filter(|message| message["profile"]["test"] == false)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built no gateway-worker")?;
    let copy = world.folder().join("gateway-worker");
    std::fs::copy(executable, &copy)?;
    Ok(copy)
}

/// Built as it ships, it refuses an address of one's own.
#[tokio::test]
async fn it_refuses_the_sandbox() -> Result<()> {
    World::builder()
        .workers(0)
        .run(async |world| {
            // The settings of the world name the sandbox's address.
            let mut launch = world.installation().launch("production", "gateway-api")?;
            launch.executable = build_production(world)?;
            let refusal = Program::run(&launch).await.unwrap_err().to_string();
            assert!(
                refusal.contains("for the protocol sandbox only"),
                "{refusal}"
            );
            Ok(())
        })
        .await
}

/// Built together with the sandbox it does not verify certificates, knows it, and refuses to run
/// at all, with an address of one's own and without.
#[tokio::test]
async fn disarmed_it_refuses_to_run() -> Result<()> {
    World::builder()
        .workers(0)
        .run(async |world| {
            let mut launch = world
                .installation()
                .launch("disarmed", "gateway-worker-disarmed")?;
            let refusal = Program::run(&launch).await.unwrap_err().to_string();
            assert!(refusal.contains("certificate"), "{refusal}");
            launch
                .env
                .retain(|(name, _)| !name.ends_with("WHATSAPP__URL"));
            let refusal = Program::run(&launch).await.unwrap_err().to_string();
            assert!(refusal.contains("certificate"), "{refusal}");
            Ok(())
        })
        .await
}
