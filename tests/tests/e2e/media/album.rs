//! Albums: one send of several messages.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_tests::client::{Fault, SendRequest, eventually};
use gateway_tests::world::World;
use serde_json::{Value, json};

use super::files;

fn album(to: &str, pictures: &[Vec<u8>]) -> Value {
    let item = |picture: &Vec<u8>| json!({ "type": "image", "media": { "data": STANDARD.encode(picture) } });
    let items: Vec<Value> = pictures.iter().map(item).collect();
    json!({ "type": "album", "to": to, "items": items })
}

fn parts(entry: &Value) -> Vec<String> {
    let parts = entry["parts"].as_array().into_iter().flatten();
    parts
        .filter_map(|part| part.as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn an_album_is_one_send_with_its_parts() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let events = api.events().await?;
            let pictures = [files::png(30, 20), files::png(20, 30), files::png(9, 9)];
            let mut body = album(&peer.jid, &pictures);
            body["items"][1]["media"]["caption"] = "the second".into();
            let send = SendRequest::body(body.clone()).key("album-1");
            let sent = api.send(&session.id, &send).await?.expect(200)?;
            let (id, outbox) = (sent.text("waMessageId")?, sent.text("outboxId")?);
            let entry = api.outbox(&session.id, &outbox).await?;
            assert_eq!(entry["type"], "album");
            let parts = parts(&entry);
            assert_eq!(parts.len(), 3);

            let shown = sandbox.wait_for_messages(&peer.phone, 4).await?;
            assert_eq!((shown[0].kind.as_str(), &shown[0].id), ("album", &id));
            assert_eq!(
                (&shown[0].content["images"], &shown[0].content["videos"]),
                (&json!(3), &json!(0))
            );
            for (index, part) in shown[1..].iter().enumerate() {
                assert_eq!((part.kind.as_str(), &part.id), ("image", &parts[index]));
                assert_eq!(part.content["album"], json!(id), "names the album it is of");
                assert!(sandbox.file(&peer.phone, &part.id).await? == pictures[index]);
            }
            assert_eq!(shown[2].content["caption"], "the second");

            // Its statuses name all of its messages.
            let told = events.wait_for_status(&outbox, "sent").await?;
            let ids = &told.0["payload"]["messageIds"];
            let expected: Vec<&String> = std::iter::once(&id).chain(&parts).collect();
            assert_eq!(ids, &json!(expected));
            // The last of its messages tells that all have arrived.
            events.wait_for_status(&outbox, "delivered").await?;

            // A part is a message: it can be fetched, reacted to, and forwarded.
            let path = format!("/sessions/{}/messages/{}", session.id, parts[1]);
            let file = api.get(&format!("{path}/media")).await?.expect(200)?;
            assert!(file.bytes == pictures[1]);
            let reaction = json!({ "chat": peer.jid, "sender": "", "emoji": "👍" });
            api.post(&format!("{path}/reaction"), &reaction)
                .await?
                .expect(200)?;
            let forward = json!({ "to": peer.jid });
            let forwarded = api
                .post(&format!("{path}/forward"), &forward)
                .await?
                .expect(200)?
                .text("waMessageId")?;
            sandbox.wait_for_message(&peer.phone, &forwarded).await?;
            assert!(sandbox.file(&peer.phone, &forwarded).await? == pictures[1]);
            assert_eq!(sandbox.cdn_count("uploads").await?, 3);

            let again = api.send(&session.id, &send).await?.expect(200)?;
            assert_eq!(
                (again.text("outboxId")?, &again.json["replayed"]),
                (outbox, &json!(true))
            );
            body["items"][1]["media"]["caption"] = "another".into();
            let other = SendRequest::body(body).key("album-1");
            let refused = api.send(&session.id, &other).await?.expect(409)?;
            assert_eq!(refused.error_reason(), "idempotency_key_reused");
            Ok(())
        })
        .await
}

/// An album costs the budget what its messages cost, and one of more than the budget holds goes
/// when nothing is spent.
#[tokio::test]
async fn an_album_costs_what_its_messages_cost() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session_limited(6, 0).await?;
            let peer = world.create_peer().await?;
            let other = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let pictures = [files::png(3, 3), files::png(4, 4)];
            // 3 of 6, twice.
            for _ in 0..2 {
                let send = SendRequest::body(album(&peer.jid, &pictures));
                api.send(&session.id, &send).await?.expect(200)?;
            }
            let send = SendRequest::body(album(&peer.jid, &pictures));
            let refused = api.send(&session.id, &send).await?.expect(429)?;
            // Three of ten seconds each.
            let wait = refused.at("error/details/retryAfterMs").as_i64();
            assert!(
                wait.is_some_and(|wait| (20_000..=30_000).contains(&wait)),
                "{wait:?}"
            );

            // Whatever comes after it waits behind it: otherwise it would never be its turn.
            let send = send.asynchronous();
            let first = api.send(&session.id, &send).await?.expect(202)?;
            let text = SendRequest::text(&other.jid, "after it").asynchronous();
            let text = api.send(&session.id, &text).await?.expect(202)?;
            let (first, text) = (first.text("outboxId")?, text.text("outboxId")?);
            let waiting = eventually("it waits for the budget", async || {
                let entry = api.outbox(&session.id, &first).await?;
                let reason = &entry["waitingFor"]["reason"];
                Ok((reason == "rate_limited").then_some(entry))
            })
            .await?;
            assert_eq!(waiting["status"], "queued");
            let waits = api.outbox(&session.id, &text).await?;
            assert_eq!(waits["status"], "queued");
            assert_eq!(sandbox.messages(&other.phone).await?.len(), 0);
            for id in [&first, &text] {
                let path = format!("/sessions/{}/outbox/{id}", session.id);
                api.delete(&path).await?.expect(200)?;
            }

            // One of 4 where 3 a minute are allowed.
            let small = world.pair_session_limited(3, 0).await?;
            let pictures = [files::png(3, 3), files::png(4, 4), files::png(5, 5)];
            let send = SendRequest::body(album(&other.jid, &pictures));
            api.send(&small.id, &send).await?.expect(200)?;
            sandbox.wait_for_messages(&other.phone, 4).await?;
            let text = SendRequest::text(&other.jid, "over");
            let refused = api.send(&small.id, &text).await?.expect(429)?;
            // 20 seconds for each: those of the album that were over, and its own.
            let wait = refused.at("error/details/retryAfterMs").as_i64();
            assert!(
                wait.is_some_and(|wait| (30_000..=40_000).contains(&wait)),
                "{wait:?}"
            );
            Ok(())
        })
        .await
}

/// A worker that dies between two parts: each arrives once, in its place.
#[tokio::test]
async fn an_album_survives_the_worker_that_was_sending_it() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let (api, sandbox) = (world.api(0), world.sandbox());
            let pictures = [files::png(30, 20), files::png(20, 30), files::png(9, 9)];
            // The server has the second of its four messages, and its acknowledgement is lost.
            let send = SendRequest::body(album(&peer.jid, &pictures)).asynchronous();
            sandbox
                .fault(Fault::delay(1_500, 4).of(&session.phone))
                .await?;
            let sent = api.send(&session.id, &send).await?.expect(202)?;
            sandbox.wait_for_ledger(&session.phone, 2).await?;
            world.workers[0].kill9_and_restart().await?;
            sandbox.clear_faults().await?;
            let outbox = sent.text("outboxId")?;
            let entry = eventually("it is sent", async || {
                let entry = api.outbox(&session.id, &outbox).await?;
                let done = ["sent", "delivered"].iter().any(|s| entry["status"] == *s);
                Ok(done.then_some(entry))
            })
            .await?;
            let shown = sandbox.wait_for_messages(&peer.phone, 4).await?;
            let ids: Vec<&str> = shown.iter().map(|one| one.id.as_str()).collect();
            let parts = parts(&entry);
            let first = entry["waMessageId"].as_str().context("no id")?;
            let expected: Vec<&str> = std::iter::once(first)
                .chain(parts.iter().map(String::as_str))
                .collect();
            assert_eq!(ids, expected);
            assert_eq!(sandbox.cdn_count("uploads").await?, 3);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_is_wrong_in_an_album_is_named_with_its_place() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let api = world.api(0);
            let refused = async |items: Value| {
                let body = json!({ "type": "album", "to": "6281234567890", "items": items });
                api.send(&session.id, &SendRequest::body(body)).await
            };
            let good =
                json!({ "type": "image", "media": { "data": STANDARD.encode(files::png(3, 3)) } });
            let bad =
                json!({ "type": "image", "media": { "data": STANDARD.encode("no picture") } });
            for (items, fields) in [
                (json!([good]), vec!["items"]),
                (json!(vec![good.clone(); 31]), vec!["items"]),
                (json!("x"), vec!["items"]),
                (json!([good, 5]), vec!["items[1]"]),
                (
                    json!([good, { "type": "voice", "media": {} }]),
                    vec!["items[1].type"],
                ),
                (
                    json!([good, { "type": "image", "media": { "data": "a G" }, "x": 1 }]),
                    vec!["items[1].media.data", "items[1].x"],
                ),
                (json!([good, bad]), vec!["items[1].media.data"]),
            ] {
                let answer = refused(items.clone()).await?.expect(400)?;
                let mut named = answer.error_fields();
                named.sort_unstable();
                assert_eq!(named, fields, "{items}");
            }
            let channel = "120363021234567890@newsletter";
            for body in [
                json!({ "type": "album", "to": channel, "items": [good, good] }),
                json!({ "type": "image", "to": channel, "media": good["media"] }),
            ] {
                let refused = api.send(&session.id, &SendRequest::body(body)).await?;
                assert_eq!(refused.expect(501)?.error_reason(), "channel_media");
            }
            Ok(())
        })
        .await
}
