//! What is sent arrives, byte for byte, with what phones show of it.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_tests::client::{Fault, PeerMessage, SendRequest};
use gateway_tests::world::{PairedSession, Peer, World};
use serde_json::{Value, json};

use super::files;

/// Sends a body synchronously, and gives what the peer shows and opens.
async fn arrived(
    world: &World,
    session: &PairedSession,
    peer: &Peer,
    body: Value,
) -> Result<(PeerMessage, Vec<u8>)> {
    let send = SendRequest::body(body.clone());
    let answer = world.api(0).send(&session.id, &send).await?;
    let answer = answer
        .expect(200)
        .with_context(|| body["type"].to_string())?;
    let id = answer.text("waMessageId")?;
    let shown = world.sandbox().wait_for_message(&peer.phone, &id).await?;
    let file = world.sandbox().file(&peer.phone, &id).await?;
    Ok((shown, file))
}

fn data(kind: &str, to: &str, file: &[u8]) -> Value {
    json!({ "type": kind, "to": to, "media": { "data": STANDARD.encode(file) } })
}

#[tokio::test]
async fn a_picture_has_its_size_its_thumbnail_and_its_caption() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let picture = files::png(300, 200);
            let mut body = data("image", &peer.jid, &picture);
            body["media"]["caption"] = "the sea 🌊".into();
            body["media"]["viewOnce"] = true.into();
            let (shown, file) = arrived(world, &session, &peer, body).await?;
            assert!(file == picture);
            assert_eq!(shown.kind, "image");
            assert_eq!(shown.content["caption"], "the sea 🌊");
            assert_eq!(shown.content["mimetype"], "image/png");
            assert_eq!(
                (&shown.content["width"], &shown.content["height"]),
                (&json!(300), &json!(200))
            );
            assert_eq!(shown.content["viewOnce"], true);
            assert_eq!(shown.content["uploaded"], true);
            let thumbnail = shown.content["thumbnail"]
                .as_str()
                .context("no thumbnail")?;
            assert!(STANDARD.decode(thumbnail)?.starts_with(&[0xFF, 0xD8]));
            Ok(())
        })
        .await
}

#[tokio::test]
async fn each_kind_arrives_as_what_it_is() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;

            let voice = files::voice();
            let (shown, file) =
                arrived(world, &session, &peer, data("voice", &peer.jid, &voice)).await?;
            assert!(file == voice);
            assert_eq!(shown.kind, "voice");
            assert_eq!(shown.content["mimetype"], "audio/ogg; codecs=opus");
            assert_eq!(shown.content["seconds"], 1);
            assert_eq!(shown.content["waveform"].as_array().map(Vec::len), Some(64));
            assert!(shown.content["sidecar"].is_string());

            let (shown, _) =
                arrived(world, &session, &peer, data("audio", &peer.jid, &voice)).await?;
            assert_eq!(
                (shown.kind.as_str(), &shown.content["seconds"]),
                ("audio", &json!(1))
            );

            // A document without a name gets one; with words below, it is wrapped as phones do it.
            let pdf = files::pdf();
            let (shown, file) =
                arrived(world, &session, &peer, data("document", &peer.jid, &pdf)).await?;
            assert!(file == pdf);
            assert_eq!(shown.kind, "document");
            assert_eq!(shown.content["filename"], "file.pdf");
            assert_eq!(shown.content["mimetype"], "application/pdf");
            assert_eq!(shown.content["pageCount"], 3);
            let mut body = data("document", &peer.jid, b"a,b\n1,2\n");
            body["media"]["filename"] = "../..\\r\u{202E}\"apport\".csv".into();
            body["media"]["mimetype"] = "text/csv".into();
            body["media"]["caption"] = "numbers".into();
            let (shown, file) = arrived(world, &session, &peer, body).await?;
            assert_eq!(file, b"a,b\n1,2\n");
            assert_eq!(shown.content["filename"], "r\"apport\".csv");
            assert_eq!(shown.content["mimetype"], "text/csv");
            assert_eq!(shown.content["caption"], "numbers");

            // A sticker is made of a picture.
            let (shown, file) = arrived(
                world,
                &session,
                &peer,
                data("sticker", &peer.jid, &files::png(60, 30)),
            )
            .await?;
            assert_eq!(shown.kind, "sticker");
            assert_eq!(
                (&shown.content["width"], &shown.content["height"]),
                (&json!(512), &json!(512))
            );
            assert_eq!((&file[..4], &file[8..12]), (&b"RIFF"[..], &b"WEBP"[..]));
            Ok(())
        })
        .await
}

#[tokio::test]
async fn films_and_sound_are_converted_where_phones_could_not_play_them() -> Result<()> {
    let film = files::film()?;
    let sine = ["-f", "lavfi", "-i", "sine=duration=3"];
    let wav = files::by_ffmpeg(&sine, "wav")?;
    let picture = ["-f", "lavfi", "-i", "testsrc=duration=1:size=64x48:rate=5"];
    let gif = files::by_ffmpeg(&picture, "gif")?;
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            for kind in ["video", "ptv", "gif"] {
                let (shown, file) =
                    arrived(world, &session, &peer, data(kind, &peer.jid, &film)).await?;
                assert!(file == film, "{kind} is played as it is");
                assert_eq!(shown.kind, kind);
                assert_eq!(shown.content["seconds"], 2);
                assert_eq!(
                    (&shown.content["width"], &shown.content["height"]),
                    (&json!(128), &json!(72))
                );
                assert!(shown.content["thumbnail"].is_string(), "{kind}");
                assert!(shown.content["sidecar"].is_string(), "{kind}");
            }
            let (shown, file) =
                arrived(world, &session, &peer, data("voice", &peer.jid, &wav)).await?;
            assert!(file.starts_with(b"OggS"));
            assert_eq!(shown.content["mimetype"], "audio/ogg; codecs=opus");
            assert_eq!(shown.content["seconds"], 3);
            let (shown, file) =
                arrived(world, &session, &peer, data("gif", &peer.jid, &gif)).await?;
            assert_eq!((shown.kind.as_str(), &file[4..8]), ("gif", &b"ftyp"[..]));

            let mut body = data("voice", &peer.jid, &wav);
            body["media"]["convert"] = "never".into();
            let refused = world
                .api(0)
                .send(&session.id, &SendRequest::body(body))
                .await?;
            assert_eq!(refused.expect(400)?.error_fields(), ["media.data"]);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn without_ffmpeg_what_would_need_it_is_told_so() -> Result<()> {
    World::builder()
        .api_env("GATEWAY_MEDIA__FFMPEG", "/nowhere/ffmpeg")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let wav = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";
            let send = SendRequest::body(data("voice", &peer.jid, wav));
            let refused = world.api(0).send(&session.id, &send).await?.expect(422)?;
            assert_eq!(refused.error_code(), "unprocessable");
            assert_eq!(refused.error_reason(), "conversion_unavailable");
            Ok(())
        })
        .await
}

/// Law 2 and the upload that belongs to the send: every attempt carries the same bytes.
#[tokio::test]
async fn a_second_attempt_uploads_nothing_and_says_the_same() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            world
                .sandbox()
                .fault(Fault::nack(500, 1).of(&session.phone))
                .await?;
            let (shown, file) =
                arrived(world, &session, &peer, data("document", &peer.jid, b"once")).await?;
            assert_eq!(file, b"once");
            assert_eq!(
                (shown.copies, world.sandbox().cdn_count("uploads").await?),
                (1, 1)
            );
            Ok(())
        })
        .await
}

/// Texts to others do not wait for a file that is being uploaded.
#[tokio::test]
async fn an_upload_holds_up_its_own_chat_alone() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let (slow, other) = (world.create_peer().await?, world.create_peer().await?);
            world
                .sandbox()
                .cdn_fault(json!({ "on": "upload", "delay": 3_000, "count": 1 }))
                .await?;
            let file = SendRequest::body(data("document", &slow.jid, b"slow")).asynchronous();
            world.api(0).send(&session.id, &file).await?.expect(202)?;
            let behind = SendRequest::text(&slow.jid, "behind it").asynchronous();
            world.api(0).send(&session.id, &behind).await?.expect(202)?;
            let text = SendRequest::text(&other.jid, "not behind it");
            world.api(0).send(&session.id, &text).await?.expect(200)?;
            assert_eq!(world.sandbox().messages(&slow.phone).await?.len(), 0);
            let shown = world.sandbox().wait_for_messages(&slow.phone, 2).await?;
            assert_eq!(
                (shown[0].kind.as_str(), shown[1].text()),
                ("document", "behind it")
            );
            Ok(())
        })
        .await
}

/// A worker that is killed at any moment of an upload: its successor sends the file once.
#[tokio::test]
async fn a_file_survives_the_worker_that_was_sending_it() -> Result<()> {
    World::builder()
        .workers(2)
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let file = files::noise(6 << 20);
            // Half of it is there when the worker dies.
            let hold = json!({ "on": "upload", "delay": 20_000, "count": 1 });
            world.sandbox().cdn_fault(hold).await?;
            let send = SendRequest::body(data("document", &peer.jid, &file)).asynchronous();
            let id = world
                .api(0)
                .send(&session.id, &send)
                .await?
                .expect(202)?
                .text("waMessageId")?;
            let owner = world.owner_of(&session.id).await?;
            gateway_tests::client::eventually("the send is under way", async || {
                let outbox = world.api(0).whole_outbox(&session.id).await?;
                Ok((outbox[0]["status"] == "sending").then_some(()))
            })
            .await?;
            world.workers[owner].program.kill9().await?;
            let shown = world.sandbox().wait_for_message(&peer.phone, &id).await?;
            assert_eq!(shown.copies, 1);
            assert!(world.sandbox().file(&peer.phone, &id).await? == file);
            Ok(())
        })
        .await
}
