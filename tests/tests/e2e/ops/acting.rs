//! Acting from the pages: each action has its effect, says so, and is in the audit log.

use anyhow::Result;
use gateway_tests::client::{Fault, SendRequest, eventually};
use gateway_tests::world::World;
use serde_json::json;

use super::{Room, queue};

/// A dead letter is retried from its page and arrives; its body is masked until it is asked for, and the
/// asking is in the audit log.
#[tokio::test]
async fn a_dead_letter_is_revealed_and_retried() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let (api, peer) = (world.api(0), world.create_peer().await?);
            let fault = Fault::nack(403, 1).of(&session.phone);
            world.sandbox().fault(fault).await?;
            let events = api.events().await?;
            let text = "the secret of the third floor";
            let id = queue(&api, &session.id, &peer.phone, text).await?;
            events.wait_for_status(&id, "failed").await?;
            let mut room = Room::enter(world, "admin").await?;
            room.says("1 send failed for good").await?;
            room.open("/ops/messages?status=failed").await?;
            room.browser
                .evaluate("document.querySelector('tbody a').click()")
                .await?;
            room.says("It failed").await?;
            let shown = room.browser.evaluate("document.body.innerHTML").await?;
            let shown = shown.as_str().unwrap_or_default();
            assert!(!shown.contains(text) && !shown.contains(&peer.phone));
            room.press("Show content and recipient").await?;
            room.says(text).await?;
            room.says(&peer.phone).await?;
            room.picture("message-revealed").await?;
            room.open("/ops/audit").await?;
            room.says("message.reveal").await?;
            room.says(&id).await?;

            room.open(&format!("/ops/messages/{}/{id}", session.id))
                .await?;
            room.press("Retry this send").await?;
            room.says("It is queued once more").await?;
            events.wait_for_status(&id, "delivered").await?;
            room.says("Delivered to the recipient").await?;
            room.says("in try 2").await?;
            room.picture("message-delivered").await?;
            room.accuse()
        })
        .await
}

/// A lane is paused and resumed; a purge names its number and asks for it above a hundred.
#[tokio::test]
async fn a_lane_is_paused_purged_and_resumed() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let (api, peer) = (world.api(0), world.create_peer().await?);
            let mut room = Room::enter(world, "admin").await?;
            let page = format!("/ops/sessions/{}", session.id);
            room.open(&page).await?;
            room.press("Pause lane").await?;
            room.says("Paused: sends are accepted and wait").await?;
            let mut ids = Vec::new();
            for number in 0..120 {
                ids.push(queue(&api, &session.id, &peer.phone, &number.to_string()).await?);
            }
            room.open("/ops/queues").await?;
            room.says("paused").await?;
            room.press("Purge").await?;
            room.confirm(Some("120")).await?;
            room.says("Cancel waiting sends").await?;
            room.says("120 done").await?;
            room.picture("job-done").await?;
            for id in [&ids[0], &ids[119]] {
                assert_eq!(api.outbox(&session.id, id).await?["status"], "cancelled");
            }
            let kept = queue(&api, &session.id, &peer.phone, "kept").await?;
            room.open(&page).await?;
            let events = api.events().await?;
            room.press("Resume lane").await?;
            room.says("Resumed: what waited goes on").await?;
            events.wait_for_status(&kept, "sent").await?;
            room.open("/ops/audit").await?;
            for action in ["lane.pause", "job.cancel", "lane.resume", "was paused"] {
                room.says(action).await?;
            }
            room.accuse()
        })
        .await
}

/// A phone scans the picture on the page: what is drawn is the present code.
#[tokio::test]
async fn a_session_is_linked_by_the_picture_on_its_page() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let session = api.create_session("Front desk", 0, 0).await?;
            let code = api.wait_for_qr(&session).await?;
            let mut room = Room::enter(world, "admin").await?;
            room.says("Link a phone").await?;
            room.open(&format!("/ops/sessions/{session}")).await?;
            room.says("Linked devices").await?;
            let path = format!("/sessions/{session}/qr");
            let drawn = api.get(&path).await?.expect(200)?;
            assert_eq!(drawn.text("code")?, code);
            let picture = api
                .call(
                    api.request(reqwest::Method::GET, &format!("/sessions/{session}/qr"))
                        .header("accept", "image/svg+xml"),
                )
                .await?;
            let picture = String::from_utf8(picture.bytes)?;
            // The same picture that the API gives for this code, as the browser has it.
            room.browser
                .wait_for(&format!(
                    "atob(document.querySelector('img.qr').src.split(',')[1]) === {}",
                    json!(picture)
                ))
                .await?;
            room.picture("session-link").await?;
            world.sandbox().scan_qr("15550000061", &code).await?;
            room.says("working").await?;
            room.browser
                .wait_for("document.querySelector('img.qr') === null")
                .await?;
            api.wait_for_session(&session, "working").await?;
            room.accuse()
        })
        .await
}

/// A drained worker gives its sessions to the other one, which goes on sending; let go on, it takes its
/// share again.
#[tokio::test]
async fn a_worker_is_drained_and_comes_back() -> Result<()> {
    World::builder()
        .workers(2)
        .run(async |world| {
            let mut sessions = Vec::new();
            for _ in 0..4 {
                sessions.push(world.pair_session().await?);
            }
            let (api, peer) = (world.api(0), world.create_peer().await?);
            let drained = world.owner_of(&sessions[0].id).await?;
            let id = world.workers[drained].id();
            let mut room = Room::enter(world, "admin").await?;
            room.open("/ops/workers").await?;
            let row = format!("document.querySelector('tr[data-id={id}]')");
            room.browser
                .evaluate(&format!("{row}.querySelector('form button').click()"))
                .await?;
            room.says("It gives its sessions to the other workers")
                .await?;
            room.browser
                .wait_for(&format!("{row}.innerText.includes('drained')"))
                .await?;
            for session in &sessions {
                api.wait_for_session(&session.id, "working").await?;
                assert_ne!(world.owner_of(&session.id).await?, drained);
                let send = SendRequest::text(&peer.phone, "on");
                api.send(&session.id, &send).await?.expect(200)?;
            }
            room.picture("worker-drained").await?;
            room.browser
                .evaluate(&format!("{row}.querySelector('form button').click()"))
                .await?;
            eventually("it takes its share again", async || {
                for session in &sessions {
                    let owner = &api.session(&session.id).await?["worker"];
                    if owner.as_str() == Some(id.as_str()) {
                        return Ok(Some(()));
                    }
                }
                Ok(None)
            })
            .await?;
            for session in &sessions {
                api.wait_for_session(&session.id, "working").await?;
            }
            room.accuse()
        })
        .await
}
