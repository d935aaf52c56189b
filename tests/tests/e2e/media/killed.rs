//! `kill -9` at each step of a file's way: each accepted send arrives once.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_tests::client::{ApiClient, Fault, SendRequest, eventually};
use gateway_tests::world::{Peer, World};
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::files;

fn document(to: &str, file: &[u8]) -> SendRequest {
    let media = json!({ "data": STANDARD.encode(file) });
    SendRequest::body(json!({ "type": "document", "to": to, "media": media }))
}

/// It is sent, and the person has it once.
async fn arrives(
    world: &World,
    session: &str,
    (outbox, id): (&str, &str),
    peer: &Peer,
    file: &[u8],
) -> Result<()> {
    let api = world.api(0);
    eventually("it is sent", async || {
        let entry = api.outbox(session, outbox).await?;
        let done = ["sent", "delivered"].iter().any(|s| entry["status"] == *s);
        Ok(done.then_some(()))
    })
    .await?;
    world.sandbox().wait_for_message(&peer.phone, id).await?;
    assert!(world.sandbox().file(&peer.phone, id).await? == file);
    assert_eq!(world.sandbox().messages(&peer.phone).await?.len(), 1);
    Ok(())
}

async fn uploads(world: &World, count: u64) -> Result<()> {
    eventually("the file is uploaded", async || {
        let done = world.sandbox().cdn_count("uploads").await? >= count;
        Ok(done.then_some(()))
    })
    .await
}

async fn accepted(api: &ApiClient, session: &str, send: SendRequest) -> Result<(String, String)> {
    let sent = api.send(session, &send.asynchronous()).await?.expect(202)?;
    Ok((sent.text("outboxId")?, sent.text("waMessageId")?))
}

/// The API dies while it reads a body: nothing was accepted, and the repeat is.
#[tokio::test]
async fn an_api_that_has_half_a_body() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let file = files::noise(3 << 20);
            let address = world
                .api(0)
                .address()
                .trim_start_matches("http://")
                .to_owned();
            let mut half = TcpStream::connect(&address).await?;
            let head = format!(
                "POST /api/v1/media HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
                 Idempotency-Key: half\r\nContent-Length: {}\r\n\r\n",
                world.api(0).key(),
                file.len()
            );
            half.write_all(head.as_bytes()).await?;
            half.write_all(&file[..file.len() / 2]).await?;
            half.flush().await?;
            world.apis[0].program.kill9().await?;
            world.apis[0].restart().await?;
            let api = world.api(0);
            let request = api
                .request(Method::POST, "/media")
                .header("Idempotency-Key", "half")
                .body(file.clone());
            let media = api.call(request).await?.expect(201)?.text("id")?;
            // Handed in, and the API dies: it is kept.
            world.apis[0].program.kill9().await?;
            world.apis[0].restart().await?;
            let api = world.api(0);
            let body = json!({ "type": "document", "to": peer.jid, "media": { "id": media } });
            let (outbox, id) = accepted(&api, &session.id, SendRequest::body(body)).await?;
            // Accepted, and the API dies once more.
            world.apis[0].program.kill9().await?;
            world.apis[0].restart().await?;
            arrives(world, &session.id, (&outbox, &id), &peer, &file).await
        })
        .await
}

/// The worker dies the moment the CDN has the file: its record may have been written or not.
#[tokio::test]
async fn a_worker_that_has_uploaded() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let file = files::noise(300_000);
            let send = document(&peer.jid, &file);
            let (outbox, id) = accepted(&world.api(0), &session.id, send).await?;
            uploads(world, 1).await?;
            world.workers[0].kill9_and_restart().await?;
            arrives(world, &session.id, (&outbox, &id), &peer, &file).await
        })
        .await
}

/// Redis dies while the file is uploaded: what it gave can not be recorded.
#[tokio::test]
async fn redis_while_a_file_is_uploaded() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let file = files::noise(300_000);
            let slow = json!({ "on": "upload", "delay": 1_000, "count": 1 });
            world.sandbox().cdn_fault(slow).await?;
            let send = document(&peer.jid, &file);
            let (outbox, id) = accepted(&world.api(0), &session.id, send).await?;
            eventually("the upload has begun", async || {
                let begun = world.sandbox().cdn_count("begun").await?;
                Ok((begun > 0).then_some(()))
            })
            .await?;
            world.redis.kill9().await?;
            uploads(world, 1).await?;
            world.redis.restart().await?;
            let api = world.api(0);
            eventually("the API has Redis again", async || {
                Ok(api.is_ready().await.then_some(()))
            })
            .await?;
            arrives(world, &session.id, (&outbox, &id), &peer, &file).await
        })
        .await
}

/// Recorded, and the message is lost before WhatsApp has it; then sent, and not acknowledged.
#[tokio::test]
async fn a_worker_before_and_after_whatsapp_has_the_message() -> Result<()> {
    for (fault, on_the_wire) in [(Fault::silence(1), 0), (Fault::drop_ack(1), 1)] {
        World::builder()
            .run(async |world| {
                let session = world.pair_session().await?;
                let peer = world.create_peer().await?;
                let file = files::noise(50_000);
                world.sandbox().fault(fault.of(&session.phone)).await?;
                let send = document(&peer.jid, &file);
                let (outbox, id) = accepted(&world.api(0), &session.id, send).await?;
                uploads(world, 1).await?;
                if on_the_wire > 0 {
                    world.sandbox().wait_for_ledger(&session.phone, 1).await?;
                } else {
                    // What the upload gave is in the entry before anything leaves.
                    recorded(world, &outbox).await?;
                }
                world.workers[0].kill9_and_restart().await?;
                arrives(world, &session.id, (&outbox, &id), &peer, &file).await?;
                assert_eq!(world.sandbox().cdn_count("uploads").await?, 1);
                Ok(())
            })
            .await?;
    }
    Ok(())
}

async fn recorded(world: &World, outbox: &str) -> Result<()> {
    let keys: Vec<String> = world.redis.ask(&format!("KEYS *{outbox}")).await?;
    eventually("the upload is recorded", async || {
        for key in &keys {
            let kept: Option<String> = world.redis.ask(&format!("HGET {key} upload0")).await?;
            if kept.is_some() {
                return Ok(Some(()));
            }
        }
        Ok(None)
    })
    .await
}
