//! One endpoint never costs another anything.

use std::time::Duration;

use anyhow::Result;
use gateway_tests::receiver::{Receiver, Reply};

use super::{assert_in_order, send, subscribe, until, world};

/// Endpoints that hang hold up nobody: another one of the same organization, in the same worker,
/// gets its events while they time out, as fast as before.
#[tokio::test]
async fn a_receiver_that_hangs_slows_no_other() -> Result<()> {
    world()
        .setting("GATEWAY_EGRESS__FIRST_BYTE_TIMEOUT_MS", "9000")
        .setting("GATEWAY_EGRESS__TOTAL_TIMEOUT_MS", "9000")
        .run(async |world| {
            let api = world.api(0);
            let session = world.pair_session().await?;
            let (peer, other) = (world.create_peer().await?, world.create_peer().await?);
            let receiver = Receiver::start().await?;
            subscribe(&api, &receiver.url("/"), &["message.status"]).await?;
            let hanging = Receiver::start().await?;
            hanging.answer(|_| Reply::Hang);
            let mut hooks = Vec::new();
            for number in 0..10 {
                let url = hanging.url(&format!("/{number}"));
                hooks.push(subscribe(&api, &url, &["message.status"]).await?.0);
            }
            let begun = tokio::time::Instant::now();
            send(&api, &session, &peer, 0..10).await?;
            send(&api, &session, &other, 0..10).await?;
            hanging
                .wait_for("all of them hang", |posted| posted.len() >= 10)
                .await?;
            let all = receiver.wait_for_delivered(80).await?;
            assert_in_order(&all);
            let took = begun.elapsed();
            assert!(
                took < Duration::from_secs(9),
                "it waited for the others: {took:?}"
            );
            for id in &hooks {
                until(&api, id, "it counts as down", |hook| {
                    hook["health"]["state"] == "down"
                })
                .await?;
            }
            Ok(())
        })
        .await
}

/// Proxy variables of the environment are ignored, so that no address goes unchecked.
#[tokio::test]
async fn proxies_of_the_environment_are_ignored() -> Result<()> {
    let proxy = Receiver::start().await?;
    let address = proxy.url("");
    world()
        .setting("HTTP_PROXY", &address)
        .setting("http_proxy", &address)
        .setting("ALL_PROXY", &address)
        .run(async |world| {
            let api = world.api(0);
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let receiver = Receiver::start().await?;
            let (id, _) = subscribe(&api, &receiver.url("/"), &["message.status"]).await?;
            let path = format!("/webhooks/{id}:test");
            let trial = api.post(&path, &serde_json::json!({})).await?.expect(200)?;
            assert_eq!(trial.json["delivered"], true);
            send(&api, &session, &peer, 0..1).await?;
            receiver.wait_for_delivered(5).await?;
            assert!(proxy.posted().is_empty());
            Ok(())
        })
        .await
}
