//! Every type of message: the peer's decrypted message shows what was asked.

use anyhow::Result;
use gateway_tests::client::{PeerMessage, SendRequest};
use gateway_tests::world::{PairedSession, Peer, World};
use serde_json::{Value, json};

/// Sends a body synchronously and returns what the peer shows of it.
async fn shown(
    world: &World,
    session: &PairedSession,
    peer: &Peer,
    body: Value,
) -> Result<PeerMessage> {
    let send = SendRequest::body(body);
    let answer = world.api(0).send(&session.id, &send).await?.expect(200)?;
    let id = answer.text("waMessageId")?;
    world.sandbox().wait_for_message(&peer.phone, &id).await
}

/// A poll of one choice, of several, and of any number.
#[tokio::test]
async fn a_poll_has_its_question_its_options_and_how_many_may_be_chosen() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            for (given, count) in [(None, 1), (Some(2), 2), (Some(0), 0)] {
                let mut body = json!({
                    "type": "poll", "to": peer.jid, "name": "Makan apa? 🍜",
                    "options": ["Soto", "Gudeg", "Rawon"],
                });
                if let Some(given) = given {
                    body["selectableCount"] = json!(given);
                }
                let poll = shown(world, &session, &peer, body).await?;
                assert_eq!(poll.kind, "poll");
                assert_eq!(poll.content["name"], "Makan apa? 🍜");
                assert_eq!(poll.content["options"], json!(["Soto", "Gudeg", "Rawon"]));
                assert_eq!(poll.content["selectableCount"], count);
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_place_has_its_degrees_and_its_label() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let body = json!({
                "type": "location", "to": peer.phone, "latitude": -6.175392,
                "longitude": 106.827153, "name": "Monas",
            });
            let place = shown(world, &session, &peer, body).await?;
            assert_eq!(place.kind, "location");
            assert_eq!(place.content["latitude"], -6.175392);
            assert_eq!(place.content["longitude"], 106.827153);
            assert_eq!(place.content["name"], "Monas");
            let body =
                json!({"type": "location", "to": peer.jid, "latitude": 90, "longitude": -180});
            let place = shown(world, &session, &peer, body).await?;
            assert_eq!(place.content["latitude"], 90.0);
            assert_eq!(place.content["name"], Value::Null);
            Ok(())
        })
        .await
}

/// A card that is given arrives as it is; one is made of a name and a number.
#[tokio::test]
async fn a_contact_has_its_card_and_its_name() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Jane Doe\nORG:Acme;\nEND:VCARD";
            let body = json!({"type": "contact", "to": peer.jid, "contact": {"vcard": vcard}});
            let card = shown(world, &session, &peer, body).await?;
            assert_eq!(card.kind, "contact");
            assert_eq!(card.content["vcard"], vcard);
            assert_eq!(card.content["name"], "Jane Doe");
            let contact = json!({"name": "Budi; Santoso", "phone": "+6281234567890"});
            let body = json!({"type": "contact", "to": peer.jid, "contact": contact});
            let card = shown(world, &session, &peer, body).await?;
            assert_eq!(card.content["name"], "Budi; Santoso");
            let vcard = card.content["vcard"].as_str().unwrap_or_default();
            assert!(vcard.contains("FN:Budi\\; Santoso"), "{vcard}");
            assert!(
                vcard.contains("waid=6281234567890:+6281234567890"),
                "{vcard}"
            );
            Ok(())
        })
        .await
}

/// A reply quotes its author and what they said, whoever that was; every type can reply and
/// mention.
#[tokio::test]
async fn every_type_quotes_what_is_known_and_mentions() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let events = world.api(0).events().await?;
            let question = json!({"to": session.phone, "type": "text", "text": "Where are you?"});
            let theirs = world.sandbox().send(&peer.phone, &question).await?;
            events
                .wait_for("the question", |event| event.text("waMessageId") == theirs)
                .await?;
            let own = json!({"type": "text", "to": peer.jid, "text": "On my way"});
            let own = shown(world, &session, &peer, own).await?;
            let account = world.api(0).session(&session.id).await?;
            for (id, said, authors) in [
                (
                    &theirs,
                    "Where are you?",
                    [peer.jid.clone(), peer.lid.clone()],
                ),
                (
                    &own.id,
                    "On my way",
                    ["waJid", "waLid"].map(|name| account[name].as_str().unwrap_or("-").to_owned()),
                ),
            ] {
                for body in [
                    json!({"type": "text", "text": "Here"}),
                    json!({"type": "poll", "name": "?", "options": ["a", "b"]}),
                    json!({"type": "location", "latitude": 1, "longitude": 2}),
                    json!({"type": "contact", "contact": {"name": "A", "phone": "6281234567"}}),
                ] {
                    let mut body = body;
                    body["to"] = json!(peer.jid);
                    body["replyTo"] = json!(id);
                    body["mentions"] = json!([peer.jid]);
                    let kind = body["type"].clone();
                    let reply = shown(world, &session, &peer, body).await?;
                    let context = reply.context.unwrap_or_default();
                    assert_eq!(context["quoted"]["id"], json!(id), "{kind}");
                    assert_eq!(context["quoted"]["content"], said, "{kind}");
                    let author = context["quoted"]["participant"].as_str().unwrap_or("-");
                    assert!(
                        authors.iter().any(|name| name == author),
                        "{kind}: {author}"
                    );
                    assert_eq!(context["mentions"], json!([peer.jid]), "{kind}");
                }
            }
            Ok(())
        })
        .await
}

/// A person can be written to by LID as well.
#[tokio::test]
async fn a_person_is_reached_by_lid() -> Result<()> {
    World::builder()
        .run(async |world| {
            let session = world.pair_session().await?;
            let peer = world.create_peer().await?;
            let body = json!({"type": "text", "to": peer.lid, "text": "by lid"});
            let text = shown(world, &session, &peer, body).await?;
            assert_eq!(text.text(), "by lid");
            let body = json!({"type": "poll", "to": peer.lid, "name": "?", "options": ["a", "b"]});
            assert_eq!(shown(world, &session, &peer, body).await?.kind, "poll");
            Ok(())
        })
        .await
}
