//! The walk through the README, as its reader does it.

use anyhow::{Context, Result, ensure};
use gateway_tests::process::{Launch, Program, binary};
use serde_json::Value;
use tokio::process::Command;

const README: &str = include_str!("../../../README.md");

/// The lines of the walk.
fn walk() -> Result<&'static str> {
    let chapter = README
        .split("## Walk through it with curl")
        .nth(1)
        .context("the chapter")?;
    let block = chapter.split("```sh\n").nth(1).context("its lines")?;
    block.split("```").next().context("their end")
}

#[tokio::test]
async fn the_walk_through_works_line_by_line() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("gateway-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let logs = folder.join("starter");
    let launch = |command: &str| -> Result<Launch> {
        let launch = Launch::new(command, binary("gateway-stack")?, &logs);
        Ok(launch
            .args([command, "--folder"])
            .args([folder.join(".run")]))
    };
    Program::run(&launch("up")?).await?;
    let walked = Command::new("bash")
        .args(["-u", "-c", walk()?])
        .current_dir(&folder)
        .output()
        .await;
    Program::run(&launch("down")?).await?;
    let walked = walked.context("bash")?;
    let said = String::from_utf8(walked.stdout)?;
    let complaints = String::from_utf8(walked.stderr)?;
    ensure!(complaints.is_empty(), "{said}\n{complaints}");
    let answers: Vec<Value> = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let statuses: Vec<&str> = answers
        .iter()
        .map(|answer| answer["status"].as_str().unwrap_or("-"))
        .collect();
    ensure!(statuses == ["sent", "queued", "sent", "-"], "{said}");
    ensure!(answers[3]["accepted"] == 2, "{said}");
    for kind in ["session.status", "message.status"] {
        ensure!(said.contains(&format!("event: {kind}\n")), "{said}");
    }
    let picture = std::fs::read(folder.join("qr.png"))?;
    ensure!(picture.starts_with(b"\x89PNG"), "no picture of a code");
    let fetched = std::fs::read(folder.join("again.png"))?;
    ensure!(
        fetched == picture,
        "the picture that was sent is fetched as it was"
    );
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
