//! A message is found by each thing that people have of it.

use anyhow::Result;
use gateway_tests::client::SendRequest;
use gateway_tests::world::World;

use super::Room;

#[tokio::test]
async fn a_message_is_found_by_each_of_its_names() -> Result<()> {
    World::builder()
        .run(async |world| {
            // Another tenant with a session of its own, in which nothing is found.
            world.pair_session().await?;
            let session = world.pair_session().await?;
            let (api, peer) = (world.api(0), world.create_peer().await?);
            let send = SendRequest::text(&peer.phone, "look for me")
                .key("order-17")
                .request_id("req-of-order-17");
            let sent = api.send(&session.id, &send).await?.expect(200)?;
            let id = sent.text("outboxId")?;
            let mut room = Room::enter(world, "viewer").await?;
            let plus = format!("+{} {}", &peer.phone[..4], &peer.phone[4..]);
            for key in [
                id.as_str(),
                &sent.text("waMessageId")?,
                "order-17",
                "req-of-order-17",
                &peer.phone,
                &peer.jid,
                &plus,
            ] {
                room.open("/ops/messages").await?;
                room.browser
                    .evaluate("document.querySelector('header.top input').focus()")
                    .await?;
                room.browser.type_text(key).await?;
                room.browser.press("Enter").await?;
                let wanted = format!("location.pathname.endsWith('/{id}')");
                room.browser.wait_for(&wanted).await?;
                room.says("What happened").await?;
            }
            for filter in [
                format!("status=delivered&session={}", session.id),
                "status=delivered&age=15m".to_owned(),
                format!("organization={}&status=delivered", world.organization()),
            ] {
                api.outbox(&session.id, &id).await?;
                world.sandbox().wait_for_messages(&peer.phone, 1).await?;
                room.open(&format!("/ops/messages?{filter}")).await?;
                // Its receipt may come after the page: it is looked for again.
                gateway_tests::client::eventually("it is listed", async || {
                    Ok(
                        (api.outbox(&session.id, &id).await?["status"] == "delivered")
                            .then_some(()),
                    )
                })
                .await?;
                room.open(&format!("/ops/messages?{filter}")).await?;
                let row = format!("document.querySelector('tr[data-id={id}]') !== null");
                room.browser.wait_for(&row).await?;
            }
            room.open("/ops/messages?q=nothing-has-this-name").await?;
            room.says("No message is known by this").await?;
            room.accuse()
        })
        .await
}
