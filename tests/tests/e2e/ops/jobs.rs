//! One action on everything that matches: with progress, through the death of the process, to its end.

use anyhow::Result;
use gateway_tests::client::{Fault, eventually};
use gateway_tests::world::World;
use serde_json::json;

use super::{Room, queue};

/// Sends of the job. The ten thousand are the bench's; this is for every run.
const MANY: usize = 300;

/// All dead letters are retried by a job: the number is asked for, the process is killed in the middle,
/// another one goes on, and each is sent once.
#[tokio::test]
async fn dead_letters_are_retried_by_a_job_that_survives_its_process() -> Result<()> {
    World::builder()
        .apis(2)
        .run(async |world| {
            let session = world.pair_session().await?;
            let (api, peer) = (world.api(1), world.create_peer().await?);
            let count = u32::try_from(MANY)?;
            let fault = Fault::nack(403, count).of(&session.phone);
            world.sandbox().fault(fault).await?;
            for number in 0..MANY {
                queue(&api, &session.id, &peer.phone, &number.to_string()).await?;
            }
            let path = format!("/sessions/{}/outbox?status=failed&limit=200", session.id);
            eventually("all have failed", async || {
                let gauge = gauge(world, &session.id).await?;
                Ok((gauge == MANY).then_some(()))
            })
            .await?;
            world.sandbox().clear_faults().await?;
            let mut room = Room::enter(world, "admin").await?;
            room.open("/ops/messages?status=failed").await?;
            room.press(&format!("Retry {MANY} sends")).await?;
            room.confirm(Some(&MANY.to_string())).await?;
            room.says("that matched").await?;
            room.picture("job-running").await?;
            // Whichever process runs it: this one is gone in the middle, and the job goes on.
            world.apis[0].program.kill9().await?;
            eventually("the job has retried everything", async || {
                let left = api.get(&path).await?.expect(200)?;
                Ok((left.at("data") == &json!([])).then_some(()))
            })
            .await?;
            let sent = world.sandbox().wait_for_messages(&peer.phone, MANY).await?;
            assert_eq!(sent.len(), MANY);
            world.apis[0].restart().await?;
            let mut room = Room::enter(world, "viewer").await?;
            room.open("/ops/jobs").await?;
            room.browser
                .wait_for("document.querySelector('tbody tr').innerText.includes('done')")
                .await?;
            room.accuse()
        })
        .await
}

/// How many dead letters a session has, by what its page says.
async fn gauge(world: &World, session: &str) -> Result<usize> {
    let visitor = super::Visitor::enter(world, "viewer").await?;
    let page = visitor.page(&format!("/ops/sessions/{session}")).await?;
    let text = page
        .split("<dt>Dead letters</dt>")
        .nth(1)
        .unwrap_or_default();
    let digits: String = text
        .split("</dd>")
        .next()
        .unwrap_or_default()
        .split('>')
        .filter_map(|part| {
            part.strip_suffix("</a")
                .or_else(|| part.strip_suffix(" sends"))
        })
        .flat_map(str::chars)
        .filter(char::is_ascii_digit)
        .collect();
    Ok(digits.parse().unwrap_or(0))
}
