//! Files that people send: fetched when somebody asks, verified, and kept.

use anyhow::Result;
use gateway_tests::client::{Answer, ApiClient, eventually};
use gateway_tests::world::World;
use reqwest::Method;
use reqwest::header::{
    CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use serde_json::json;

use super::files;

/// Waits until a session knows a message, and gives the answer about its file.
async fn file_of(api: &ApiClient, session: &str, id: &str) -> Result<Answer> {
    let path = format!("/sessions/{session}/messages/{id}/media");
    eventually(&format!("the session knows {id}"), async || {
        let answer = api.get(&path).await?;
        Ok((answer.status != 404).then_some(answer))
    })
    .await
}

fn header(answer: &Answer, name: impl reqwest::header::AsHeaderName) -> String {
    let value = answer
        .headers
        .get(name)
        .map(|value| value.to_str().unwrap_or_default());
    value.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_file_of_each_kind_is_fetched_once_and_served_in_parts() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            for kind in [
                "image", "video", "gif", "ptv", "audio", "voice", "document", "sticker",
            ] {
                let content = format!("the file of a {kind}, and some more of it").into_bytes();
                let fields = match kind {
                    "document" => {
                        json!({ "filename": "a \"b\"; c\r\n.pdf", "mimetype": "application/pdf" })
                    }
                    _ => json!({}),
                };
                let id = sandbox
                    .send_file(&peer.phone, &session.phone, kind, &content, fields)
                    .await?;
                let got = file_of(&api, &session.id, &id).await?.expect(200)?;
                assert_eq!(got.bytes, content, "{kind}");
                assert_eq!(header(&got, X_CONTENT_TYPE_OPTIONS), "nosniff");
                assert!(header(&got, CONTENT_DISPOSITION).starts_with("attachment; filename=\""));
                if kind == "document" {
                    assert_eq!(header(&got, CONTENT_TYPE), "application/pdf");
                    assert!(
                        header(&got, CONTENT_DISPOSITION).contains("filename=\"a _b_; c.pdf\"")
                    );
                }
                let path = format!("/sessions/{}/messages/{id}/media", session.id);
                let part = api.request(Method::GET, &path).header(RANGE, "bytes=4-7");
                let part = api.call(part).await?.expect(206)?;
                assert_eq!(part.bytes, &content[4..8]);
                let place = format!("bytes 4-7/{}", content.len());
                assert_eq!(header(&part, CONTENT_RANGE), place);
                let etag = header(&got, ETAG);
                let same = api.request(Method::GET, &path).header(IF_NONE_MATCH, etag);
                api.call(same).await?.expect(304)?;
                let beyond = api.request(Method::GET, &path).header(RANGE, "bytes=900-");
                api.call(beyond).await?.expect(416)?;
            }
            assert_eq!(sandbox.cdn_count("downloads").await?, 8);
            Ok(())
        })
        .await
}

/// A reference that has expired is renewed by the sender's phone; one whose phone has lost the file is
/// gone for good, and said to be.
#[tokio::test]
async fn what_has_expired_is_uploaded_again_or_gone() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let mut ids = Vec::new();
            for number in 0..3_u8 {
                let content = [b'f', number];
                let id = sandbox
                    .send_file(&peer.phone, &session.phone, "document", &content, json!({}))
                    .await?;
                ids.push((id, content));
            }
            for ((id, content), status) in ids.iter().zip([403, 404]) {
                sandbox.expire_files(status).await?;
                let got = file_of(&api, &session.id, id).await?.expect(200)?;
                assert_eq!(got.bytes, content, "{status}");
            }
            assert_eq!(sandbox.cdn_count("reuploads").await?, 2);
            sandbox.expire_files(410).await?;
            sandbox.forget_files(&peer.phone).await?;
            let (id, _) = &ids[2];
            let gone = file_of(&api, &session.id, id).await?.expect(410)?;
            assert_eq!(
                (gone.error_code(), gone.error_reason()),
                ("gone", "media_gone")
            );
            // What was fetched before does not need WhatsApp any more.
            let (id, content) = &ids[0];
            assert_eq!(
                file_of(&api, &session.id, id).await?.expect(200)?.bytes,
                content
            );
            Ok(())
        })
        .await
}

/// A file that was damaged on its way is not served: the other host is asked, and then nobody.
#[tokio::test]
async fn a_damaged_download_is_never_served() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let content = files::noise(200_000);
            let id = sandbox
                .send_file(&peer.phone, &session.phone, "document", &content, json!({}))
                .await?;
            sandbox
                .cdn_fault(json!({ "on": "download", "damage": true, "count": 1 }))
                .await?;
            let refused = file_of(&api, &session.id, &id).await?.expect(503)?;
            assert_eq!(refused.error_reason(), "media_unreachable");
            sandbox
                .cdn_fault(json!({ "on": "download", "cutAfter": 100_000, "count": 1 }))
                .await?;
            file_of(&api, &session.id, &id).await?.expect(503)?;
            assert!(file_of(&api, &session.id, &id).await?.expect(200)?.bytes == content);
            Ok(())
        })
        .await
}

/// Forwarding uploads nothing, be the file one that came in or one that was sent.
#[tokio::test]
async fn a_forwarded_file_is_not_uploaded_again() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let (from, to) = (world.create_peer().await?, world.create_peer().await?);
            let (api, sandbox) = (world.api(0), world.sandbox());
            let picture = files::png(20, 20);
            let fields =
                json!({ "mimetype": "image/png", "width": 20, "height": 20, "caption": "look" });
            let id = sandbox
                .send_file(&from.phone, &session.phone, "image", &picture, fields)
                .await?;
            file_of(&api, &session.id, &id).await?.expect(200)?;
            let path = format!("/sessions/{}/messages/{id}/forward", session.id);
            let sent = api
                .post(&path, &json!({ "to": to.jid }))
                .await?
                .expect(200)?;
            let first = sent.text("waMessageId")?;
            let shown = sandbox.wait_for_message(&to.phone, &first).await?;
            assert_eq!(
                (shown.kind.as_str(), &shown.content["caption"]),
                ("image", &json!("look"))
            );
            assert_eq!(shown.content["width"], 20);
            assert!(sandbox.file(&to.phone, &first).await? == picture);

            let path = format!("/sessions/{}/messages/{first}/forward", session.id);
            let sent = api
                .post(&path, &json!({ "to": from.jid }))
                .await?
                .expect(200)?;
            let second = sent.text("waMessageId")?;
            sandbox.wait_for_message(&from.phone, &second).await?;
            assert!(sandbox.file(&from.phone, &second).await? == picture);
            assert_eq!(sandbox.cdn_count("uploads").await?, 0);
            Ok(())
        })
        .await
}

/// What is known of a file outlives the processes that learnt of it, and the session's connection.
#[tokio::test]
async fn a_file_is_fetched_after_a_restart_and_without_a_connection() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let sandbox = world.sandbox();
            let content = files::noise(70_000);
            let id = sandbox
                .send_file(&peer.phone, &session.phone, "video", &content, json!({}))
                .await?;
            let mid = id.clone();
            let api = world.api(0);
            eventually("the message is known", async || {
                let path = format!("/sessions/{}/messages/{mid}/media", session.id);
                let part = api.request(Method::GET, &path).header(RANGE, "bytes=0-0");
                Ok((api.call(part).await?.status == 206).then_some(()))
            })
            .await?;
            api.post(&format!("/sessions/{}:stop", session.id), &json!({}))
                .await?;
            api.wait_for_session(&session.id, "stopped").await?;
            world.apis[0].program.kill9().await?;
            world.apis[0].restart().await?;
            let api = world.api(0);
            let got = file_of(&api, &session.id, &id).await?.expect(200)?;
            assert!(got.bytes == content);
            Ok(())
        })
        .await
}
