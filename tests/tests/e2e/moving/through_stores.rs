//! A number that goes from store to store, and one that is in use.

use anyhow::Result;
use gateway_tests::baileys::{Baileys, installed};
use gateway_tests::world::World;

use super::{Company, moved_session, worker};

const OWN: &str = "15550004002";

/// From Baileys into a session, out as whatsmeow keeps it, in again, out as whatsapp-rust keeps it, in
/// again: everybody reads everything at the first attempt, all the way.
#[tokio::test]
async fn a_number_goes_from_store_to_store() -> Result<()> {
    if !installed().await? {
        return Ok(());
    }
    World::builder()
        .run(async |world| {
            let files = tempfile::tempdir()?;
            let folder = |name: &str| files.path().join(name).to_string_lossy().into_owned();
            let before = files.path().join("baileys");
            std::fs::create_dir(&before)?;
            let (company, baileys) = Company::of_baileys(world, OWN, &before).await?;
            baileys.stop().await?;
            let organization = world.organization().to_owned();
            let events = world.api(0).events().await?;
            let mut from = ("baileys", folder("baileys"));
            for (store, file) in [
                ("whatsmeow", "whatsmeow.db"),
                ("whatsapp-rust", "whatsapp.db"),
            ] {
                let import = [
                    "import",
                    from.0,
                    &from.1,
                    "--org",
                    &organization,
                    "--watch",
                    "1",
                ];
                let session = moved_session(&worker(world, &import).await?)?;
                world.api(0).wait_for_session(&session, "working").await?;
                let when = format!("from {}", from.0);
                company
                    .talk_with_session(world, &events, &session, &when)
                    .await?;
                let to = folder(store);
                let printed = worker(world, &["export", store, &session, &to, "--forget"]).await?;
                assert!(printed.contains("the device stays linked"), "{printed}");
                let path = format!("/sessions/{session}");
                world.api(0).get(&path).await?.expect(404)?;
                from = (store, format!("{to}/{file}"));
            }
            let dry = worker(world, &["import", from.0, &from.1, "--dry-run"]).await?;
            assert!(dry.contains("1 groups with sender keys"), "{dry}");
            let import = [
                "import",
                from.0,
                &from.1,
                "--org",
                &organization,
                "--watch",
                "1",
            ];
            let session = moved_session(&worker(world, &import).await?)?;
            world.api(0).wait_for_session(&session, "working").await?;
            company
                .talk_with_session(world, &events, &session, "at last")
                .await?;
            company.nobody_waited(&events).await
        })
        .await
}

/// While its former owner is connected and comes back, a number is refused, nothing is written, and the
/// owner goes on; once it is stopped, the number moves.
#[tokio::test]
async fn a_number_in_use_is_refused() -> Result<()> {
    if !installed().await? {
        return Ok(());
    }
    World::builder()
        .run(async |world| {
            let files = tempfile::tempdir()?;
            let (company, baileys) = Company::of_baileys(world, OWN, files.path()).await?;
            baileys.stop().await?;
            let root_key = company.sandbox.root_key().await?;
            let ws = world.sandbox_ws();
            let mut baileys = Baileys::start_insisting(ws, &root_key, files.path())?;
            baileys.event("open", |_| true).await?;
            let from = files.path().to_string_lossy().into_owned();
            let organization = world.organization().to_owned();
            let import = ["import", "baileys", &from, "--org", &organization];
            let refused = worker(world, &import).await.unwrap_err().to_string();
            assert!(refused.contains("conflict"), "{refused}");
            assert!(refused.contains("nothing of it was written"), "{refused}");
            let sessions = world.api(0).get("/sessions").await?.expect(200)?;
            assert_eq!(sessions.json["data"], serde_json::json!([]));
            // It was displaced for a moment, and lost nothing.
            baileys.event("open", |_| true).await?;
            company.talk_with_baileys(&mut baileys, "still").await?;
            baileys.stop().await?;

            let events = world.api(0).events().await?;
            let session = moved_session(&worker(world, &import).await?)?;
            world.api(0).wait_for_session(&session, "working").await?;
            company
                .talk_with_session(world, &events, &session, "after")
                .await?;
            company.nobody_waited(&events).await
        })
        .await
}
