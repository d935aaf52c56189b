//! One case for each type of message, in one world: what a person sends, and what is told of it. Each
//! event fits the OpenAPI document, and has a body in the Whapi format that fits its schema.

use anyhow::{Context, Result, ensure};
use gateway_shared::events::{Event as Emitted, Place, inbound::TYPES, whapi};
use gateway_tests::client::Event;
use gateway_tests::contract::Contract;
use gateway_tests::world::World;
use serde_json::{Value, json};

use crate::operations::Stage;

/// What a person sends, the kind of event and the type it becomes, and parts of its payload by JSON
/// pointer. `$text`, `$poll` and so on are the ids of messages sent before.
type Case = (Value, &'static str, &'static str, Value);

fn files() -> Vec<Case> {
    vec![
        (
            json!({"type": "image", "caption": "look", "width": 640, "height": 480, "size": 1234}),
            "message",
            "image",
            json!({"/text": "look", "/image/width": 640, "/image/size": 1234,
                "/image/mimetype": "image/jpeg", "/viewOnce": false}),
        ),
        (
            json!({"type": "image", "wrappers": ["viewOnceMessageV2", "ephemeralMessage"], "expires": 86400}),
            "message",
            "image",
            json!({"/viewOnce": true, "/flags": ["ephemeral", "view_once"], "/ephemeralSeconds": 86400}),
        ),
        (
            json!({"type": "video", "seconds": 7, "caption": "run"}),
            "message",
            "video",
            json!({"/video/seconds": 7, "/text": "run"}),
        ),
        (
            json!({"type": "gif", "seconds": 2}),
            "message",
            "gif",
            json!({"/gif/seconds": 2}),
        ),
        (
            json!({"type": "short", "seconds": 5}),
            "message",
            "short",
            json!({"/short/seconds": 5}),
        ),
        (
            json!({"type": "audio", "seconds": 180, "mimetype": "audio/mpeg"}),
            "message",
            "audio",
            json!({"/audio/seconds": 180, "/audio/mimetype": "audio/mpeg"}),
        ),
        (
            json!({"type": "voice", "seconds": 3, "waveform": [0, 50, 100]}),
            "message",
            "voice",
            json!({"/voice/seconds": 3, "/voice/waveform": [0, 50, 100]}),
        ),
        (
            json!({"type": "document", "fileName": "a.pdf", "pageCount": 14}),
            "message",
            "document",
            json!({"/document/fileName": "a.pdf", "/document/pageCount": 14}),
        ),
        (
            json!({"type": "document", "fileName": "b.pdf", "caption": "read this",
                "wrappers": ["documentWithCaptionMessage"]}),
            "message",
            "document",
            json!({"/text": "read this", "/flags": ["document_with_caption"]}),
        ),
        (
            json!({"type": "sticker", "animated": true, "width": 512, "height": 512}),
            "message",
            "sticker",
            json!({"/sticker/animated": true, "/sticker/lottie": false, "/sticker/width": 512}),
        ),
        (
            json!({"type": "sticker", "lottie": true, "wrappers": ["lottieStickerMessage"]}),
            "message",
            "sticker",
            json!({"/sticker/lottie": true, "/flags": ["lottie"]}),
        ),
        (
            json!({"type": "sticker_pack", "name": "Cats", "publisher": "Ann"}),
            "message",
            "sticker_pack",
            json!({"/sticker_pack/name": "Cats", "/sticker_pack/stickers": 3}),
        ),
    ]
}

fn words() -> Vec<Case> {
    let card =
        |name: &str| json!({"name": name, "vcard": format!("BEGIN:VCARD\nFN:{name}\nEND:VCARD")});
    vec![
        (
            json!({"type": "words", "text": "again", "forwarded": 6}),
            "message",
            "text",
            json!({"/text": "again", "/forwarded": true, "/forwardingScore": 6}),
        ),
        (
            json!({"type": "words", "text": "so?", "replyTo": "$text"}),
            "message",
            "text",
            json!({"/quoted/id": "$text", "/quoted/type": "text", "/quoted/text": "first"}),
        ),
        (
            json!({"type": "link", "text": "see https://example.com/a", "url": "https://example.com/a",
                "title": "Example", "description": "An example"}),
            "message",
            "text",
            json!({"/linkPreview/url": "https://example.com/a", "/linkPreview/title": "Example"}),
        ),
        (
            json!({"type": "link", "text": "come https://chat.whatsapp.com/BxnEkf2x",
                "url": "https://chat.whatsapp.com/BxnEkf2x", "title": "Walks"}),
            "message",
            "group_invite",
            json!({"/group_invite/code": "BxnEkf2x", "/group_invite/groupName": "Walks"}),
        ),
        (
            json!({"type": "link", "text": "buy https://wa.me/c/919984351847",
                "url": "https://wa.me/c/919984351847", "title": "Shop"}),
            "message",
            "catalog",
            json!({"/catalog/catalogId": "919984351847", "/catalog/title": "Shop"}),
        ),
        (
            json!({"type": "location", "latitude": 1.5, "longitude": 2.5, "name": "here"}),
            "message",
            "location",
            json!({"/location/latitude": 1.5, "/location/name": "here"}),
        ),
        (
            json!({"type": "live_location", "latitude": 1.5, "longitude": 2.5, "caption": "on my way",
                "sequence": 7}),
            "message",
            "live_location",
            json!({"/live_location/sequenceNumber": 7, "/text": "on my way"}),
        ),
        (
            json!({"type": "contact", "name": "Jane", "phone": "6281234567"}),
            "message",
            "contact",
            json!({"/contact/name": "Jane"}),
        ),
        (
            json!({"type": "contact_list", "name": "2 contacts", "contacts": [card("A"), card("B")]}),
            "message",
            "contact_list",
            json!({"/contact_list/contacts/1/name": "B"}),
        ),
        (
            json!({"type": "album", "images": 2, "videos": 1}),
            "message",
            "album",
            json!({"/album/images": 2, "/album/videos": 1}),
        ),
        (
            json!({"type": "image", "parent": "$album", "wrappers": ["associatedChildMessage"]}),
            "message",
            "image",
            json!({"/parent/messageId": "$album", "/parent/association": "MEDIA_ALBUM",
                "/flags": ["associated_child"]}),
        ),
    ]
}

fn choices() -> Vec<Case> {
    let offer = |kind: &str| {
        json!({"type": kind, "header": "h", "text": "b", "footer": "f",
        "choices": [{"id": "1", "title": "One"}, {"id": "2", "title": "Two"}]})
    };
    let mut cases: Vec<Case> = ["buttons", "template", "hsm", "interactive"]
        .into_iter()
        .map(|kind| {
            let parts = json!({"/text": "b", format!("/{kind}/header"): "h",
                format!("/{kind}/footer"): "f", format!("/{kind}/buttons/1/text"): "Two",
                format!("/{kind}/buttons/1/id"): "2"});
            (offer(kind), "message", kind, parts)
        })
        .collect();
    cases.push((
        offer("list"),
        "message",
        "list",
        json!({"/list/sections/0/rows/0/id": "1", "/list/listButton": "Open", "/text": "b"}),
    ));
    for (kind, to) in [
        ("buttons_reply", "buttons"),
        ("list_reply", "list"),
        ("template_reply", "template"),
        ("flow_reply", "interactive"),
    ] {
        cases.push((json!({"type": kind, "choice": "2", "title": "Two", "replyTo": "$buttons"}),
            "message", "reply",
            json!({"/reply/to": to, "/reply/id": "2", "/reply/title": "Two", "/quoted/id": "$buttons",
                "/quoted/type": "buttons", "/quoted/buttons/0/text": "One"})));
    }
    cases
}

fn business() -> Vec<Case> {
    let mut cases: Vec<Case> = vec![
        (
            json!({"type": "product", "product": "7275", "title": "Tea", "business": "919984351847@s.whatsapp.net",
                "price": 359_000, "currency": "AUD"}),
            "message",
            "product",
            json!({"/product/productId": "7275", "/product/priceAmount1000": 359_000}),
        ),
        (
            json!({"type": "order", "order": "96427", "title": "J", "seller": "61371989950@s.whatsapp.net",
                "token": "AR4", "items": 3, "total": 359_000, "currency": "AUD"}),
            "message",
            "order",
            json!({"/order/orderId": "96427", "/order/itemCount": 3, "/order/status": "inquiry"}),
        ),
        (
            json!({"type": "group_invite", "code": "abc", "name": "Walks", "group": "120363021234567890@g.us",
                "expiresAt": 1_800_000_000, "caption": "come"}),
            "message",
            "group_invite",
            json!({"/group_invite/code": "abc", "/group_invite/expiresAt": 1_800_000_000_000_i64,
                "/text": "come"}),
        ),
        (
            json!({"type": "channel_admin_invite", "channel": "120363260670839366@newsletter",
                "name": "My journey", "caption": "help me"}),
            "message",
            "channel_admin_invite",
            json!({"/channel_admin_invite/channelJid": "120363260670839366@newsletter"}),
        ),
        (
            json!({"type": "channel_follower_invite", "channel": "120363260670839366@newsletter",
                "name": "My journey"}),
            "message",
            "channel_follower_invite",
            json!({"/channel_follower_invite/channelName": "My journey"}),
        ),
    ];
    for action in [
        "sent",
        "requested",
        "declined",
        "cancelled",
        "invited",
        "invoice",
    ] {
        cases.push((
            json!({"type": "payment", "action": action, "amount": 5_000, "currency": "INR",
            "note": "lunch"}),
            "message",
            "payment",
            json!({"/payment/action": action}),
        ));
    }
    cases
}

fn social() -> Vec<Case> {
    let mut cases: Vec<Case> = vec![
        (
            json!({"type": "reaction", "target": "$text", "emoji": "👍"}),
            "message.reaction",
            "reaction",
            json!({"/reaction/emoji": "👍", "/target/type": "text", "/target/text": "first",
                "/target/fromMe": false, "/targetMessageId": "$text"}),
        ),
        (
            json!({"type": "enc_reaction", "target": "$sealed", "emoji": "🎉"}),
            "message.reaction",
            "reaction",
            json!({"/reaction/emoji": "🎉", "/targetMessageId": "$sealed"}),
        ),
        (
            json!({"type": "enc_edit", "target": "$sealed", "text": "better"}),
            "message.edited",
            "edit",
            json!({"/text": "better", "/edit/editedType": "text", "/target/text": "sealed",
                "/targetMessageId": "$sealed"}),
        ),
        (
            json!({"type": "enc_comment", "target": "$sealed", "text": "well said"}),
            "message",
            "comment",
            json!({"/comment/commentType": "text", "/text": "well said", "/targetMessageId": "$sealed"}),
        ),
        (
            json!({"type": "comment", "target": "$text", "text": "hm"}),
            "message",
            "comment",
            json!({"/comment/commentType": "text", "/text": "hm"}),
        ),
        (
            json!({"type": "edit", "target": "$text", "text": "second"}),
            "message.edited",
            "edit",
            json!({"/text": "second", "/edit/editedType": "text", "/target/text": "first"}),
        ),
        (
            json!({"type": "pin", "target": "$text", "pinned": true, "seconds": 604_800}),
            "message",
            "pin",
            json!({"/pin/pinned": true, "/pin/seconds": 604_800, "/targetMessageId": "$text"}),
        ),
        (
            json!({"type": "keep", "target": "$text", "kept": true}),
            "message",
            "keep",
            json!({"/keep/kept": true}),
        ),
        (
            json!({"type": "ephemeral", "seconds": 604_800}),
            "message",
            "ephemeral",
            json!({"/ephemeral/seconds": 604_800}),
        ),
        (
            json!({"type": "revoke", "target": "$text"}),
            "message.revoked",
            "revoke",
            json!({"/targetMessageId": "$text"}),
        ),
        (
            json!({"type": "poll_result", "name": "?", "votes": [["a", 2], ["b", 1]]}),
            "message",
            "poll_result",
            json!({"/poll_result/total": 3, "/poll_result/options/0/count": 2}),
        ),
        (
            json!({"type": "event_response", "target": "$event", "response": "maybe"}),
            "message",
            "event_response",
            json!({"/event_response/response": "maybe", "/targetMessageId": "$event"}),
        ),
        (
            json!({"type": "event_invite", "event": "E", "title": "Party", "caption": "come"}),
            "message",
            "event_invite",
            json!({"/event_invite/title": "Party"}),
        ),
        (
            json!({"type": "call_log", "video": true, "seconds": 61}),
            "message",
            "call_log",
            json!({"/call_log/video": true, "/call_log/seconds": 61}),
        ),
        (
            json!({"type": "scheduled_call", "title": "Weekly", "startsAt": 1_800_000_000_000_i64}),
            "message",
            "scheduled_call",
            json!({"/scheduled_call/startsAt": 1_800_000_000_000_i64}),
        ),
        (
            json!({"type": "phone_number_request"}),
            "message",
            "phone_number_request",
            json!({}),
        ),
        (
            json!({"type": "phone_number_share"}),
            "message",
            "phone_number_share",
            json!({}),
        ),
        // Of what this version has no type for, the name of the field (messageHistoryNotice, 102).
        (
            json!({"type": "raw", "hex": "b20600"}),
            "message",
            "unknown",
            json!({"/unknown/field": "messageHistoryNotice"}),
        ),
        // A field that is newer than the library (2000).
        (
            json!({"type": "raw", "hex": "827d00"}),
            "message",
            "unknown",
            json!({"/unknown/field": null}),
        ),
    ];
    for version in 1..=6 {
        let mut poll = json!({"type": "any_poll", "version": version, "name": "?",
            "options": ["a", "b"], "selectableCount": 1});
        let mut parts = json!({"/poll/name": "?", "/poll/options": ["a", "b"], "/text": "?"});
        if version == 4 {
            poll["wrappers"] = json!(["pollCreationMessageV4"]);
        }
        if version == 5 {
            poll["answer"] = json!("b");
            parts["/poll/quiz"] = json!(true);
            parts["/poll/correctAnswer"] = json!("b");
        }
        cases.push((poll, "message", "poll", parts));
    }
    cases
}

/// Puts the ids of earlier messages where they are named.
fn fill(value: &mut Value, ids: &[(&str, String)]) {
    match value {
        Value::String(text) => {
            if let Some((_, id)) = ids.iter().find(|(name, _)| text == name) {
                *text = id.clone();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|one| fill(one, ids)),
        Value::Object(map) => map.values_mut().for_each(|one| fill(one, ids)),
        _ => {}
    }
}

/// The body that a webhook of the Whapi format would get.
fn whapi_body(event: &Event) -> Result<Value> {
    let emitted = Emitted {
        place: Place::START,
        id: event.id().parse().ok().context("no event id")?,
        kind: event.kind().to_owned(),
        session: event.session().to_owned(),
        json: event.0.to_string(),
    };
    whapi::render(&emitted).context("the format has no shape for it")
}

#[tokio::test]
async fn every_type_of_message_is_told() -> Result<()> {
    World::builder()
        .run(async |world| {
            let stage = Stage::set(world).await?;
            let contract = Contract::of_repository();
            let schema = contract
                .part("/components/schemas/MessageEventPayload")
                .context("the document describes no message")?;
            let format = Contract::of_schema(include_str!("../../../../docs/whapi.schema.json"))?;

            let mut ids: Vec<(&str, String)> = Vec::new();
            for (name, first) in [
                ("$text", json!({"type": "text", "text": "first"})),
                (
                    "$sealed",
                    json!({"type": "words", "text": "sealed", "secret": true}),
                ),
                ("$album", json!({"type": "album", "images": 1, "videos": 0})),
                (
                    "$buttons",
                    json!({"type": "buttons", "text": "b",
                    "choices": [{"id": "1", "title": "One"}]}),
                ),
                (
                    "$event",
                    json!({"type": "event", "name": "Party", "place": "home",
                    "startsAt": 1_800_000_000, "secret": true}),
                ),
            ] {
                ids.push((name, stage.received(first).await?.0));
            }
            let party = &stage.events.seen();
            let party = party.iter().find(|event| event.text("type") == "event");
            let party = party.context("the event was told")?;
            assert_eq!(
                party.0["payload"]["event"]["startsAt"],
                1_800_000_000_000_i64
            );

            let mut seen = vec!["text", "event", "poll_vote"];
            let cases = [files(), words(), choices(), business(), social()].concat();
            for (mut sent, kind, of_type, mut parts) in cases {
                fill(&mut sent, &ids);
                fill(&mut parts, &ids);
                let (id, event) = stage.received(sent.clone()).await?;
                let payload = &event.0["payload"];
                let what = format!("{sent} was told as {}", event.0);
                assert_eq!(
                    (event.kind(), event.text("type")),
                    (kind, of_type),
                    "{what}"
                );
                for (pointer, value) in parts.as_object().into_iter().flatten() {
                    assert_eq!(payload.pointer(pointer), Some(value), "{pointer}: {what}");
                }
                assert_eq!(payload["sender"]["pn"], json!(stage.peer.jid), "{what}");
                assert!(payload["chat"]["lid"].is_string(), "{what}");
                assert_eq!(payload["source"]["platform"], "ios", "{what}");
                contract
                    .fits_schema(payload, schema)
                    .with_context(|| what.clone())?;
                let body = whapi_body(&event).with_context(|| what.clone())?;
                format
                    .fits(&body)
                    .with_context(|| format!("{what}: {body}"))?;
                ensure!(
                    !body.to_string().contains("/v/t62"),
                    "{what}: how it is fetched is secret"
                );
                ensure!(
                    !event.0.to_string().contains("/v/t62"),
                    "{what}: so it is here"
                );
                seen.push(of_type);
                drop(id);
            }
            let missing: Vec<_> = TYPES.iter().filter(|name| !seen.contains(name)).collect();
            assert!(missing.is_empty(), "no case for {missing:?}");
            Ok(())
        })
        .await
}
