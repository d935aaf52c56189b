//! Files of messages that come in, fetched before anybody asks; and those of scheduled sends,
//! uploaded before their time.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_tests::client::{Answer, ApiClient, Event, EventStream, SendRequest, eventually};
use gateway_tests::receiver::Receiver;
use gateway_tests::world::World;
use reqwest::Method;
use reqwest::header::RANGE;
use serde_json::{Value, json};

use super::files;

/// What people send, and what events call it.
const KINDS: [(&str, &str); 8] = [
    ("image", "image"),
    ("video", "video"),
    ("gif", "gif"),
    ("ptv", "short"),
    ("audio", "audio"),
    ("voice", "voice"),
    ("document", "document"),
    ("sticker", "sticker"),
];

async fn downloads(api: &ApiClient, session: &str) -> Result<()> {
    let request = api.request(Method::PATCH, &format!("/sessions/{session}"));
    let patched = api.call(request.json(&json!({ "autoDownload": true })));
    assert_eq!(patched.await?.expect(200)?.json["autoDownload"], true);
    Ok(())
}

async fn told(events: &EventStream, id: &str) -> Result<Value> {
    let is = |event: &Event| event.kind() == "message" && event.text("waMessageId") == id;
    let event = events.wait_for(id, is).await?;
    Ok(event.0["payload"].clone())
}

/// Follows a signed address, without a key.
async fn follow(api: &ApiClient, address: &str) -> Result<Answer> {
    api.call(api.bare(Method::GET, address)).await
}

#[tokio::test]
async fn a_file_of_each_kind_is_here_before_anybody_asks() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            downloads(&api, &session.id).await?;
            let events = api.events().await?;
            let mut addresses = Vec::new();
            for (kind, name) in KINDS {
                let content = format!("the file of a {kind}, and more of it").into_bytes();
                let id = sandbox
                    .send_file(&peer.phone, &session.phone, kind, &content, json!({}))
                    .await?;
                let payload = told(&events, &id).await?;
                let address = payload[name]["url"].as_str().context("no address")?;
                addresses.push((address.to_owned(), content));
            }
            eventually("all were fetched", async || {
                Ok((sandbox.cdn_count("downloads").await? == 8).then_some(()))
            })
            .await?;
            // Whatever becomes of the references, the phone, and the processes.
            sandbox.expire_files(404).await?;
            sandbox.forget_files(&peer.phone).await?;
            for program in [&mut world.apis[0].program, &mut world.workers[0].program] {
                program.kill9().await?;
            }
            world.apis[0].restart().await?;
            world.workers[0].restart().await?;
            let api = world.api(0);
            for (address, content) in &addresses {
                assert_eq!(&follow(&api, address).await?.expect(200)?.bytes, content);
                let part = api.bare(Method::GET, address).header(RANGE, "bytes=4-7");
                assert_eq!(api.call(part).await?.expect(206)?.bytes, &content[4..8]);
            }
            assert_eq!(sandbox.cdn_count("downloads").await?, 8);
            let forged = &addresses[0].0[..addresses[0].0.len() - 2];
            follow(&api, forged).await?.expect(404)?;
            Ok(())
        })
        .await
}

/// What is larger says so, and is fetched when somebody asks; an address ends.
#[tokio::test]
async fn what_is_too_large_says_so_and_addresses_end() -> Result<()> {
    World::builder()
        .setting("GATEWAY_MEDIA__AUTO_DOWNLOAD_BYTES", "1024")
        .setting("GATEWAY_MEDIA__LINK_LIFETIME_MS", "1000")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            downloads(&api, &session.id).await?;
            let events = api.events().await?;
            let large = files::noise(1_025);
            let id = sandbox
                .send_file(&peer.phone, &session.phone, "document", &large, json!({}))
                .await?;
            let payload = told(&events, &id).await?;
            assert_eq!(payload["document"]["tooLarge"], true);
            assert_eq!(payload["document"].get("url"), None);
            let small = sandbox
                .send_file(&peer.phone, &session.phone, "document", b"small", json!({}))
                .await?;
            let payload = told(&events, &small).await?;
            let address = payload["document"]["url"].as_str().context("no address")?;
            eventually("the small one was fetched", async || {
                Ok((sandbox.cdn_count("downloads").await? == 1).then_some(()))
            })
            .await?;
            let path = format!("/sessions/{}/messages/{id}/media", session.id);
            assert!(api.get(&path).await?.expect(200)?.bytes == large);
            let over = eventually("the address ends", async || {
                let answer = follow(&api, address).await?;
                Ok((answer.status != 200).then_some(answer))
            })
            .await?;
            assert_eq!(over.expect(410)?.error_reason(), "link_expired");
            Ok(())
        })
        .await
}

/// A CDN that takes its time holds up no event, and a webhook of its own wish gets the address in the
/// format that it has.
#[tokio::test]
async fn a_slow_cdn_holds_up_no_event_and_webhooks_get_a_link() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let receiver = Receiver::start().await?;
            let hook = json!({ "url": receiver.url("/whapi"), "events": ["message"],
                "format": "whapi", "autoDownload": true });
            let made = api.post("/webhooks", &hook).await?.expect(201)?;
            assert_eq!(made.json["autoDownload"], true);
            let plain = json!({ "url": receiver.url("/plain"), "events": ["message"] });
            api.post("/webhooks", &plain).await?.expect(201)?;
            let events = api.events().await?;
            sandbox
                .cdn_fault(json!({ "on": "download", "delay": 4_000, "count": 1 }))
                .await?;
            let content = files::noise(3_000);
            let id = sandbox
                .send_file(&peer.phone, &session.phone, "document", &content, json!({}))
                .await?;
            sandbox
                .send_text(&peer.phone, &session.phone, "after the file")
                .await?;
            let is = |event: &Event| event.text("text") == "after the file";
            events.wait_for("the text", is).await?;
            assert_eq!(told(&events, &id).await?["document"].get("url"), None);
            let posted = receiver
                .wait_for("the file is posted to both", |posted| posted.len() >= 4)
                .await?;
            let of = |path: &str| {
                let bodies = posted.iter().filter(|one| one.path == path);
                bodies.map(|one| one.json()).collect::<Vec<_>>()
            };
            let document = &of("/whapi")[0]["messages"][0]["document"];
            let link = document["link"].as_str().context("no link")?;
            assert!(
                of("/plain")
                    .iter()
                    .all(|body| body["payload"]["document"].get("url").is_none())
            );
            eventually("it was fetched", async || {
                Ok((sandbox.cdn_count("downloads").await? >= 1).then_some(()))
            })
            .await?;
            assert!(follow(&api, link).await?.expect(200)?.bytes == content);
            Ok(())
        })
        .await
}

/// Nobody who reads Redis can read the files: how they are fetched is sealed there.
#[tokio::test]
async fn redis_keeps_no_key_of_a_file_in_the_clear() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            let id = sandbox
                .send_file(
                    &peer.phone,
                    &session.phone,
                    "document",
                    b"secret",
                    json!({}),
                )
                .await?;
            told(&events, &id).await?;
            let mut records = Vec::new();
            let keys: Vec<String> = world.redis.ask("KEYS *").await?;
            for key in keys {
                let kind: String = world.redis.ask(&format!("TYPE {key}")).await?;
                if kind == "hash" {
                    let values: Vec<Vec<u8>> = world.redis.ask(&format!("HVALS {key}")).await?;
                    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
                    records.extend(
                        values
                            .iter()
                            .map(text)
                            .filter(|text| text.contains("\"k\":\"document\"")),
                    );
                }
            }
            assert_eq!(records.len(), 1, "the index has it");
            let record: Value = serde_json::from_str(&records[0])?;
            assert_eq!(record.get("f"), None);
            assert!(record["g"].is_string());
            let path = format!("/sessions/{}/messages/{id}/media", session.id);
            assert_eq!(api.get(&path).await?.expect(200)?.bytes, b"secret");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_scheduled_file_is_uploaded_before_its_time() -> Result<()> {
    World::builder()
        .worker_env("GATEWAY_MEDIA__UPLOAD_AHEAD_MS", "4000")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let body = json!({ "type": "document", "to": peer.jid,
                "media": { "data": STANDARD.encode("later") } });
            let send = SendRequest::body(body).asynchronous().in_millis(6_000);
            let sent = api.send(&session.id, &send).await?.expect(202)?;
            let (id, outbox) = (sent.text("waMessageId")?, sent.text("outboxId")?);
            assert_eq!(sandbox.cdn_count("uploads").await?, 0, "not yet");
            eventually("it is uploaded", async || {
                Ok((sandbox.cdn_count("uploads").await? == 1).then_some(()))
            })
            .await?;
            let entry = api.outbox(&session.id, &outbox).await?;
            assert_eq!(entry["status"], "scheduled");
            let shown = sandbox.wait_for_message(&peer.phone, &id).await?;
            assert_eq!(shown.copies, 1);
            assert_eq!(sandbox.file(&peer.phone, &id).await?, b"later");
            assert_eq!(sandbox.cdn_count("uploads").await?, 1);
            Ok(())
        })
        .await
}

/// Twenty who read a large file a little at a time: sends and events do not wait for them.
#[tokio::test]
async fn slow_downloaders_slow_nobody() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            let content = files::noise(12 << 20);
            let id = sandbox
                .send_file(&peer.phone, &session.phone, "document", &content, json!({}))
                .await?;
            told(&events, &id).await?;
            let path = format!("/sessions/{}/messages/{id}/media", session.id);
            let mut slow = Vec::new();
            for _ in 0..20 {
                let request = api.request(Method::GET, &path);
                let mut response = request.send().await?.error_for_status()?;
                // The first piece, and nothing more for now: the rest waits in the connection.
                response.chunk().await?.context("nothing came")?;
                slow.push(response);
            }
            let begun = std::time::Instant::now();
            for number in 0..20 {
                let send = SendRequest::text(&peer.jid, &format!("sync {number}"));
                api.send(&session.id, &send).await?.expect(200)?;
            }
            sandbox
                .send_text(&peer.phone, &session.phone, "heard")
                .await?;
            let is = |event: &Event| event.text("text") == "heard";
            events.wait_for("the text", is).await?;
            let took = begun.elapsed();
            assert!(took.as_secs() < 10, "{took:?} for 20 sends and an event");
            for mut response in slow {
                let mut got = 0;
                while let Some(piece) = response.chunk().await? {
                    got += piece.len();
                }
                assert!(
                    got > 0 && got < content.len(),
                    "the rest comes when it is read"
                );
            }
            assert_eq!(sandbox.cdn_count("downloads").await?, 1);
            Ok(())
        })
        .await
}
