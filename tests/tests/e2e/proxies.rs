//! A proxy of a session or of the installation: everything goes through it, and nothing around it.

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_tests::client::{SendRequest, eventually};
use gateway_tests::proxy::{CountingProxy, PASSWORD};
use gateway_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};

/// The port of an address such as `ws://host:port/path`.
fn port(address: &str) -> &str {
    let host = address.split('/').nth(2).unwrap_or_default();
    host.rsplit(':').next().unwrap_or_default()
}

fn document(to: &str) -> SendRequest {
    let data = STANDARD.encode("minutes of the meeting");
    SendRequest::body(json!({
        "type": "document", "to": to,
        "media": { "data": data, "mimetype": "text/plain", "filename": "minutes.txt" },
    }))
}

async fn through(scheme: &str) -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let proxy = CountingProxy::start().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let path = format!("/sessions/{}", session.id);
            let patch = async |url: &str| -> Result<Value> {
                let request = api.request(Method::PATCH, &path);
                let answer = api.call(request.json(&json!({ "proxy": url }))).await?;
                Ok(answer.expect(200)?.json)
            };
            let shown = patch(&proxy.url(scheme, PASSWORD)).await?;
            assert_eq!(shown["proxy"], proxy.shown(scheme));
            ensure!(!shown.to_string().contains(PASSWORD), "{shown}");
            eventually("the connection goes through the proxy", async || {
                Ok((!proxy.tunnels().is_empty()).then_some(()))
            })
            .await?;
            api.wait_for_session(&session.id, "working").await?;
            let send = document(&peer.phone).asynchronous();
            let sent = api.send(&session.id, &send).await?.expect(202)?;
            let id = sent.text("waMessageId")?;
            sandbox.wait_for_message(&peer.phone, &id).await?;
            let tunnels = proxy.tunnels();
            for address in [world.sandbox_ws(), world.sandbox_media()] {
                let end = format!(":{}", port(address));
                ensure!(
                    tunnels.iter().any(|tunnel| tunnel.ends_with(&end)),
                    "nothing went to {address}: {tunnels:?}"
                );
            }

            // Credentials that it does not take: there is no way around it.
            let before = proxy.tunnels().len();
            patch(&proxy.url(scheme, "wrong")).await?;
            let failed = eventually("the session says why", async || {
                let now = api.session(&session.id).await?;
                let why = now["lastError"].as_str().unwrap_or_default();
                Ok(why.contains("the proxy refused").then_some(now))
            })
            .await?;
            ensure!(failed["status"] != "working", "{failed}");
            ensure!(proxy.refused() > 0 && proxy.tunnels().len() == before);

            let shown = patch("").await?;
            assert_eq!(shown["proxy"], Value::Null);
            api.wait_for_session(&session.id, "working").await?;
            assert_eq!(proxy.tunnels().len(), before);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_session_goes_through_its_http_proxy_and_not_around_it() -> Result<()> {
    through("http").await
}

#[tokio::test]
async fn a_session_goes_through_its_socks_proxy_and_not_around_it() -> Result<()> {
    through("socks5").await
}

#[tokio::test]
async fn what_is_no_proxy_is_refused() -> Result<()> {
    World::builder()
        .workers(0)
        .run(async |world| {
            let api = world.api(0);
            for url in [
                "proxy",
                "https://proxy.example:1",
                "socks5://proxy.example",
                "http://proxy.example:1/path",
                "socks5://me@proxy.example:1",
            ] {
                let body = json!({ "start": false, "proxy": url });
                let answer = api.post("/sessions", &body).await?.expect(400)?;
                let field = answer.at("error/details/errors/0/field");
                assert_eq!(field, &json!("proxy"), "{url}");
            }
            let body = json!({ "start": false, "platform": "toaster" });
            api.post("/sessions", &body).await?.expect(400)?;
            Ok(())
        })
        .await
}

/// What the phone shows in its list of linked devices: the installation's, or the session's own.
#[tokio::test]
async fn a_phone_lists_a_session_by_its_name() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_WORKER__WHATSAPP__DEVICE_NAME", "Acme")
        .worker_env("GATEWAY_WORKER__WHATSAPP__PLATFORM", "desktop")
        .run(async |world| {
            let session = world.pair_session().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let listed = sandbox.listed(&session.phone).await?;
            assert_eq!(listed, ["Acme desktop"]);
            let body = json!({ "deviceName": "Front desk", "platform": "firefox" });
            let made = api.post("/sessions", &body).await?.expect(201)?;
            let id = made.text("id")?;
            let code = api.wait_for_qr(&id).await?;
            let phone = "15550007777";
            sandbox.create_person(phone, "Ann").await?;
            sandbox.scan_qr(phone, &code).await?;
            api.wait_for_session(&id, "working").await?;
            assert_eq!(sandbox.listed(phone).await?, ["Front desk firefox"]);
            Ok(())
        })
        .await
}
