//! Many numbers in one command, which is killed in the middle and run again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::process::Program;
use gateway_tests::world::World;

use super::worker;

/// `MOVING_NUMBERS=100` shows what a hundred take.
fn numbers() -> usize {
    let wanted = std::env::var("MOVING_NUMBERS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// Numbers move out, all at once in again, and the command is killed after the first; run again it
/// brings the rest, none twice, and each works.
#[tokio::test]
async fn many_numbers_move_in_however_often_it_is_cut_off() -> Result<()> {
    World::builder()
        .run(async |world| {
            let files = tempfile::tempdir()?;
            let peer = world.create_peer().await?;
            let mut expected = BTreeSet::new();
            for _ in 0..numbers() {
                let session = world.pair_session().await?;
                let to = files.path().join(&session.phone);
                let to = to.to_string_lossy().into_owned();
                worker(world, &["export", "baileys", &session.id, &to, "--forget"]).await?;
                expected.insert(format!("{}@s.whatsapp.net", session.phone));
            }
            let from = files.path().to_string_lossy().into_owned();
            let organization = world.organization().to_owned();
            let import = [
                "import",
                "baileys",
                &from,
                "--all",
                "--watch",
                "2",
                "--org",
                &organization,
            ];

            let installation = world.installation();
            let launch = installation
                .launch("killed", "gateway-worker-sandbox")?
                .envs(&installation.worker_env)
                .args(import.iter().copied().chain(["--even-if-connected"]));
            let printed = launch.out_file();
            let mut killed = Program::start(launch)?;
            eventually("the first number moved", async || {
                let text = tokio::fs::read_to_string(&printed).await?;
                Ok(text.contains("is session").then_some(()))
            })
            .await?;
            killed.kill9().await?;
            let sessions = world.api(0).get("/sessions").await?.expect(200)?;
            let first = sessions.json["data"].as_array().context("no list")?.len();

            let began = Instant::now();
            let launch = installation
                .launch("again", "gateway-worker-sandbox")?
                .envs(&installation.worker_env)
                .args(import);
            let printed = launch.out_file();
            let mut again = Program::start(launch)?;
            let end = again.wait_for_end(Duration::from_secs(300)).await?;
            let output = tokio::fs::read_to_string(&printed).await?;
            assert!(end.success(), "{output}");
            eprintln!(
                "{first} of {} when it was killed; the rest took {:?}: {}",
                expected.len(),
                began.elapsed(),
                output.lines().last().unwrap_or_default()
            );
            assert!(output.contains("0 failed"), "{output}");
            let sessions = world.api(0).get("/sessions").await?.expect(200)?;
            let sessions = sessions.json["data"].as_array().context("no list")?.clone();
            assert_eq!(sessions.len(), expected.len());
            let there: BTreeSet<String> = sessions
                .iter()
                .map(|session| session["waJid"].as_str().unwrap_or_default().to_owned())
                .collect();
            assert_eq!(there, expected);
            for session in &sessions {
                let id = session["id"].as_str().context("no id")?;
                world.api(0).wait_for_session(id, "working").await?;
                let send = SendRequest::text(&peer.jid, "moved");
                world.api(0).send(id, &send).await?.expect(200)?;
            }
            // A third time there is nothing to do.
            let again = worker(world, &import).await?;
            let count = expected.len();
            assert!(
                again.contains(&format!("0 moved in, {count} here already")),
                "{again}"
            );
            Ok(())
        })
        .await
}
