//! `POST /media`, and sends that name what was handed in.

use anyhow::Result;
use gateway_tests::client::SendRequest;
use gateway_tests::world::World;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::files;

#[tokio::test]
async fn a_file_is_handed_in_once_and_sent_often() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peers = [world.create_peer().await?, world.create_peer().await?];
            let api = world.api(0);
            let picture = files::png(64, 32);
            let request = api
                .request(Method::POST, "/media?filename=sea.png")
                .header(CONTENT_TYPE, "image/png")
                .body(picture.clone());
            let made = api.call(request).await?.expect(201)?;
            let id = made.text("id")?;
            assert!(id.starts_with("med_"));
            assert_eq!(made.json["width"], 64);
            assert_eq!(made.json["filename"], "sea.png");
            assert_eq!(made.json["size"], picture.len());
            for peer in &peers {
                let send = json!({ "type": "image", "to": peer.jid, "media": { "id": id } });
                let sent = api
                    .send(&session.id, &SendRequest::body(send))
                    .await?
                    .expect(200)?;
                let mid = sent.text("waMessageId")?;
                world.sandbox().wait_for_message(&peer.phone, &mid).await?;
                assert!(world.sandbox().file(&peer.phone, &mid).await? == picture);
            }
            // As a document, it is the same file under the same name.
            let send = json!({ "type": "document", "to": peers[0].jid, "media": { "id": id } });
            let sent = api
                .send(&session.id, &SendRequest::body(send))
                .await?
                .expect(200)?;
            let mid = sent.text("waMessageId")?;
            let shown = world
                .sandbox()
                .wait_for_message(&peers[0].phone, &mid)
                .await?;
            assert_eq!(shown.content["filename"], "sea.png");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_form_is_taken_as_well_and_names_do_no_harm() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let form = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../a.txt\"\r\n\
                        Content-Type: text/plain\r\n\r\nhello\r\n--x--\r\n";
            let request = |form: &str| {
                api.request(Method::POST, "/media")
                    .header(CONTENT_TYPE, "multipart/form-data; boundary=x")
                    .body(form.to_owned())
            };
            let made = api.call(request(form)).await?.expect(201)?;
            assert_eq!((&made.json["filename"], &made.json["size"]), (&json!("a.txt"), &json!(5)));
            let other = form.replace("name=\"file\"", "name=\"other\"");
            assert_eq!(api.call(request(&other)).await?.expect(400)?.error_fields(), ["other"]);
            let none = "--x--\r\n";
            assert_eq!(api.call(request(none)).await?.expect(400)?.error_fields(), ["file"]);
            let cut = &form[..form.len() - 12];
            assert_eq!(api.call(request(cut)).await?.expect(400)?.error_fields(), ["body"]);
            Ok(())
        })
        .await
}

/// The same key and file is the same name; another file under it is told apart.
#[tokio::test]
async fn handing_in_is_repeatable() -> Result<()> {
    World::builder()
        .run(async |world| {
            let api = world.api(0);
            let hand_in = async |content: &str| {
                let request = api
                    .request(Method::POST, "/media")
                    .header("Idempotency-Key", "file-1")
                    .body(content.to_owned());
                api.call(request).await
            };
            let first = hand_in("one").await?.expect(201)?;
            let again = hand_in("one").await?.expect(201)?;
            assert_eq!(first.json, again.json);
            let other = hand_in("two").await?.expect(409)?;
            assert_eq!(other.error_reason(), "idempotency_key_reused");
            Ok(())
        })
        .await
}

/// An organization's files are its own.
#[tokio::test]
async fn a_file_of_another_organization_is_none() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let theirs = world.create_organization("Other").await?;
            let stranger = world.api(0).with_key(&theirs.secret);
            let request = stranger.request(Method::POST, "/media").body("theirs");
            let id = stranger.call(request).await?.expect(201)?.text("id")?;
            let send = json!({ "type": "document", "to": peer.jid, "media": { "id": id } });
            let refused = world
                .api(0)
                .send(&session.id, &SendRequest::body(send))
                .await?;
            assert_eq!(refused.expect(400)?.error_fields(), ["media.id"]);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_full_store_says_so() -> Result<()> {
    World::builder()
        .api_env("GATEWAY_MEDIA__QUOTA_BYTES", "1048576")
        .run(async |world| {
            let api = world.api(0);
            let hand_in = async |file: Vec<u8>| {
                let request = api.request(Method::POST, "/media").body(file);
                api.call(request).await
            };
            hand_in(files::noise(700_000)).await?.expect(201)?;
            let full = hand_in(files::noise(699_999)).await?.expect(413)?;
            assert_eq!(full.error_reason(), "media_quota");
            hand_in(files::noise(300_000)).await?.expect(201)?;
            Ok(())
        })
        .await
}
