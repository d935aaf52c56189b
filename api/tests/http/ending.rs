//! The process ends in order.

use gateway_shared::lane::SessionRef;
use reqwest::Method;

use crate::owner::Owner;
use crate::world::{World, answer, eventually};

async fn waits(world: &World, session: &SessionRef) {
    let path = format!("/sessions/{}/outbox", session.session);
    eventually("the send waits", async || {
        let list = answer(world.request(Method::GET, &path)).await;
        list.body["data"].get(0).is_some().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_waiting_send_may_finish() {
    let mut world = World::start().await;
    let session = world.session().await;
    let owner = Owner::take(&world, &session).await;
    let waiting = tokio::spawn(answer(world.send(&session, "", "hello")));
    waits(&world, &session).await;
    let ended = world.apis[0].stop();
    let claimed = owner.claim_some().await;
    owner.sent(&claimed[0].id).await;
    let got = waiting.await.unwrap();
    assert_eq!(
        (got.status.as_u16(), got.text("status")),
        (200, "sent".into())
    );
    ended.await;
}

#[tokio::test]
async fn who_waits_too_long_is_told_that_it_is_still_being_sent_and_streams_end() {
    let mut world = World::with(1, |config| config.api.drain_timeout_ms = 300).await;
    let session = world.session().await;
    let _owner = Owner::take(&world, &session).await;
    let stream = world.request(Method::GET, "/events").send().await.unwrap();
    let waiting = tokio::spawn(answer(world.send(&session, "", "hello")));
    waits(&world, &session).await;
    let ended = world.apis[0].stop();
    // Ends cleanly, not by a cut.
    stream.bytes().await.unwrap();
    let got = waiting.await.unwrap();
    assert_eq!(
        (got.status.as_u16(), got.text("status")),
        (202, "sending".into())
    );
    ended.await;
}
