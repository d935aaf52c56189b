//! A number that Baileys paired.

use anyhow::Result;
use gateway_tests::baileys::{Baileys, installed};
use gateway_tests::world::World;
use serde_json::json;

use super::{Company, moved_session, worker};

const OWN: &str = "15550004001";

/// Baileys pairs, talks with two people and a group, and is stopped. Its files move in: the session
/// connects by itself and talks with the same people and the group at once. It moves out, and Baileys
/// goes on from there.
#[tokio::test]
async fn a_number_moves_in_from_baileys_and_out_again() -> Result<()> {
    if !installed().await? {
        return Ok(());
    }
    World::builder()
        .run(async |world| {
            let files = tempfile::tempdir()?;
            let (before, after) = (files.path().join("before"), files.path().join("after"));
            std::fs::create_dir(&before)?;
            let (company, mut baileys) = Company::of_baileys(world, OWN, &before).await?;
            let [first, second] = &company.people;
            let poll = json!({ "name": "When?", "values": ["now", "later"], "selectableCount": 1 });
            let poll = baileys
                .send(&company.group, json!({ "poll": poll }))
                .await?;
            company
                .sandbox
                .wait_for_message(&second.phone, &poll)
                .await?;
            let said = json!({ "to": OWN, "type": "text", "text": "first words" });
            let said = company.sandbox.send(&first.phone, &said).await?;
            baileys.message(&said).await?;
            baileys.stop().await?;

            // What comes while nobody is there waits for whoever is next.
            let waiting = json!({ "to": OWN, "type": "text", "text": "are you there?" });
            let waiting = company.sandbox.send(&first.phone, &waiting).await?;
            let from = before.to_string_lossy().into_owned();
            let dry = worker(world, &["import", "baileys", &from, "--dry-run"]).await?;
            assert!(dry.contains(&format!("+{OWN} (device 1)")), "{dry}");
            assert!(dry.contains("1 groups with sender keys"), "{dry}");
            let organization = world.organization().to_owned();
            let import = ["import", "baileys", &from, "--org", &organization];
            let events = world.api(0).events().await?;
            let printed = worker(world, &import).await?;
            let session = moved_session(&printed)?;
            let shown = world.api(0).wait_for_session(&session, "working").await?;
            assert_eq!(shown["waJid"], format!("{OWN}@s.whatsapp.net"));
            events
                .wait_for("what waited", |event| event.text("waMessageId") == waiting)
                .await?;
            company
                .talk_with_session(world, &events, &session, "after")
                .await?;

            // Of what was said before: an edit, and a vote in a poll of Baileys.
            let edit = json!({ "to": OWN, "type": "edit", "target": said, "text": "better words" });
            let edit = company.sandbox.send(&first.phone, &edit).await?;
            let edited = events
                .wait_for("the edit", |event| event.text("waMessageId") == edit)
                .await?;
            assert_eq!(edited.kind(), "message.edited", "{}", edited.0);
            company.nobody_waited(&events).await?;

            // Again it is nothing new.
            let again = worker(world, &import).await?;
            assert!(again.contains("is here already"), "{again}");
            assert_eq!(moved_session(&again)?, session);

            let to = after.to_string_lossy().into_owned();
            let printed = worker(world, &["export", "baileys", &session, &to]).await?;
            assert!(printed.contains("is stopped here"), "{printed}");
            world.api(0).wait_for_session(&session, "stopped").await?;
            let root_key = company.sandbox.root_key().await?;
            let mut baileys = Baileys::start(world.sandbox_ws(), &root_key, &after)?;
            baileys.event("open", |_| true).await?;
            company.talk_with_baileys(&mut baileys, "at last").await?;
            company.nobody_waited(&events).await?;
            baileys.stop().await
        })
        .await
}
