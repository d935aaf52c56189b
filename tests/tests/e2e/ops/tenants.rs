//! Organizations: made, given a key, suspended, let go on.

use anyhow::Result;
use gateway_tests::login::LoginFrontend;
use gateway_tests::world::World;

use super::{Room, queue};

/// A suspended organization's keys are refused and its sends wait, also those of its event streams'
/// listeners; let go on, everything that waited leaves. Another organization notices nothing.
#[tokio::test]
async fn a_suspended_organization_waits_and_goes_on() -> Result<()> {
    World::builder()
        .apis(2)
        .run(async |world| {
            let session = world.pair_session().await?;
            let (api, peer) = (world.api(1), world.create_peer().await?);
            let other = world.create_organization("Other").await?;
            let other = world.apis[1].client(&other.secret);
            let mut room = Room::enter(world, "admin").await?;
            let page = format!("/ops/organizations/{}", world.organization());
            // What waits when it is suspended: paused first, so that it can not have left.
            let pause = format!("/sessions/{}:pause", session.id);
            api.post(&pause, &serde_json::json!({"reason": "audit"}))
                .await?
                .expect(200)?;
            let held = queue(&api, &session.id, &peer.phone, "waits").await?;
            let free = world.pair_session().await?;
            room.open(&page).await?;
            room.press("Suspend organization").await?;
            room.confirm(None).await?;
            room.says("Suspended: its keys are refused").await?;
            room.picture("organization-suspended").await?;
            let refused = api.get("/sessions").await?.expect(403)?;
            assert_eq!(refused.error_reason(), "organization_suspended");
            other.get("/sessions").await?.expect(200)?;
            room.open(&format!("/ops/sessions/{}", free.id)).await?;
            room.says("the organization is suspended").await?;
            room.press("Resume lane").await?;
            room.says("The organization is suspended: its lanes go on when it does")
                .await?;

            room.open(&page).await?;
            room.press("Let it go on").await?;
            room.says("It goes on").await?;
            gateway_tests::client::eventually("its keys are accepted again", async || {
                Ok((api.get("/sessions").await?.status == 200).then_some(()))
            })
            .await?;
            // Paused by somebody else before: that is not undone.
            assert_eq!(api.outbox(&session.id, &held).await?["status"], "queued");
            let events = api.events().await?;
            let sent = queue(&api, &free.id, &peer.phone, "goes on").await?;
            events.wait_for_status(&sent, "sent").await?;
            let resume = format!("/sessions/{}:resume", session.id);
            api.post(&resume, &serde_json::json!({}))
                .await?
                .expect(200)?;
            events.wait_for_status(&held, "sent").await?;
            room.accuse()
        })
        .await
}

/// An operator who logged in with a token makes an organization and its first key, which works, says when
/// it was used, and ends when it is revoked.
#[tokio::test]
async fn a_login_makes_an_organization_and_its_key() -> Result<()> {
    let frontend = LoginFrontend::start().await?;
    let mut builder = World::builder();
    for (name, value) in frontend.api_env() {
        builder = builder.api_env(name, value);
    }
    builder
        .run(async |world| {
            let token = frontend.operator("acme");
            let mut room = Room::enter_with(world, &token).await?;
            room.open("/ops/organizations").await?;
            room.browser
                .evaluate("document.querySelector('input[name=name]').focus()")
                .await?;
            room.browser.type_text("Zebra & Söhne <GmbH>").await?;
            room.browser.press("Enter").await?;
            room.says("The organization was made").await?;
            room.browser
                .evaluate("document.querySelector('input[name=name]').focus()")
                .await?;
            room.browser.type_text("first").await?;
            room.browser.press("Enter").await?;
            room.says("can not be shown again").await?;
            let key = room
                .browser
                .evaluate("document.querySelector('.secret').textContent")
                .await?;
            let api = world.apis[0].client(key.as_str().unwrap_or_default());
            api.get("/sessions").await?.expect(200)?;
            room.open("/ops/organizations").await?;
            room.browser
                .evaluate("[...document.querySelectorAll('tbody a')].find((a) => a.textContent.startsWith('Zebra')).click()")
                .await?;
            room.says("never").await?;
            // Uses are written down every quarter of a minute.
            room.browser
                .wait_for("document.querySelector('td[data-label=\"Last used\"]')?.innerText.includes('ago')")
                .await?;
            room.press("Revoke key").await?;
            room.confirm(None).await?;
            room.says("Revoked").await?;
            api.get("/sessions").await?.expect(401)?;
            room.open("/ops/audit").await?;
            room.says("login somebody").await?;
            // A login that is no operator's is not let in.
            let plain = frontend.token("acme", "owner");
            assert!(Room::enter_with(world, &plain).await.is_err());
            room.accuse()
        })
        .await
}
