//! Bad files are refused in words that help, and harm nobody.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_tests::client::SendRequest;
use gateway_tests::world::World;
use serde_json::json;

use super::files;

/// A PNG whose header promises more than anybody wants to unpack.
fn bomb() -> Vec<u8> {
    let mut png = files::png(8, 8);
    png[16..24].copy_from_slice(&[0, 0, 0xFF, 0, 0, 0, 0xFF, 0]);
    let sum = png[12..29].iter().fold(0xFFFF_FFFF_u32, |sum, byte| {
        let mut sum = sum ^ u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 0 {
                sum >> 1
            } else {
                (sum >> 1) ^ 0xEDB8_8320
            };
        }
        sum
    });
    png[29..33].copy_from_slice(&(!sum).to_be_bytes());
    png
}

#[tokio::test]
async fn bad_files_are_refused_with_what_is_wrong() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let png = files::png(40, 40);
            let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>".to_vec();
            let mut polyglot = png.clone();
            polyglot.truncate(30);
            polyglot.extend_from_slice(&files::pdf());
            for (what, kind, file) in [
                ("truncated", "image", png[..png.len() / 2].to_vec()),
                ("a few bytes", "image", png[..9].to_vec()),
                ("a bomb", "image", bomb()),
                ("a bomb as sticker", "sticker", bomb()),
                ("svg", "image", svg.clone()),
                ("a pdf", "image", files::pdf()),
                ("a polyglot", "image", polyglot.clone()),
                ("a picture as voice", "voice", png.clone()),
                ("noise as video", "video", files::noise(5_000)),
                ("noise as audio", "audio", files::noise(5_000)),
                ("a cut voice", "voice", files::voice()[..20].to_vec()),
            ] {
                let send = json!({
                    "type": kind, "to": peer.jid, "media": { "data": STANDARD.encode(&file) },
                });
                let refused = world
                    .api(0)
                    .send(&session.id, &SendRequest::body(send))
                    .await?;
                assert_eq!(refused.status, 400, "{what}: {}", refused.json);
                assert_eq!(refused.error_fields(), ["media.data"], "{what}");
            }
            // As documents, all of them are just files.
            for file in [svg, polyglot, bomb(), png[..9].to_vec()] {
                let send = json!({
                    "type": "document", "to": peer.jid, "media": { "data": STANDARD.encode(&file) },
                });
                let sent = world
                    .api(0)
                    .send(&session.id, &SendRequest::body(send))
                    .await?;
                if sent.status == 200 {
                    let id = sent.text("waMessageId")?;
                    world.sandbox().wait_for_message(&peer.phone, &id).await?;
                    assert!(world.sandbox().file(&peer.phone, &id).await? == file);
                } else {
                    assert_eq!(sent.status, 400, "{}", sent.json);
                }
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn limits_are_told_with_their_number() -> Result<()> {
    World::builder()
        .api_env("GATEWAY_MEDIA__IMAGE_BYTES", "1024")
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let large = STANDARD.encode(files::png(1000, 1000));
            let send = json!({ "type": "image", "to": peer.jid, "media": { "data": large } });
            let refused = world
                .api(0)
                .send(&session.id, &SendRequest::body(send))
                .await?
                .expect(413)?;
            assert_eq!(refused.json["error"]["details"]["limitBytes"], 1_024);
            for (media, field) in [
                (json!({}), "media"),
                (
                    json!({ "data": "aGk", "url": "https://x.example/a" }),
                    "media",
                ),
                (json!({ "id": "med_1" }), "media.id"),
                (json!({ "data": "a G" }), "media.data"),
                (json!({ "data": "aGk", "caption": "x" }), "media.caption"),
                (json!({ "data": "aGk", "filename": ".." }), "media.filename"),
                (
                    json!({ "data": "aGk", "convert": "maybe" }),
                    "media.convert",
                ),
            ] {
                let send = json!({ "type": "audio", "to": peer.jid, "media": media });
                let refused = world
                    .api(0)
                    .send(&session.id, &SendRequest::body(send))
                    .await?;
                assert!(
                    refused.expect(400)?.error_fields().contains(&field),
                    "{media}"
                );
            }
            Ok(())
        })
        .await
}
