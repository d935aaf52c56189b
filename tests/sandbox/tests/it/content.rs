//! Every kind of message, from a client to a person and from a person to a client.

use std::sync::Arc;

use serde_json::{Value, json};
use wacore::poll::PollVoteCiphertext;
use wacore::proto_helpers::{MessageExt as _, build_reaction_message};
use wacore::types::message::EditAttribute;
use whatsapp_rust::RevokeType;
use whatsapp_rust::prelude::*;

use crate::client::{Companion, World, jid};

const OWN: &str = "15550000001";
const PERSON: &str = "15550000002";

fn key(chat: &str, id: &str, from_me: bool) -> wa::MessageKey {
    wa::MessageKey {
        remote_jid: Some(jid(chat).to_string()),
        from_me: Some(from_me),
        id: Some(id.to_owned()),
        participant: None,
    }
}

/// Waits for the message with this id and gives it as it came, with the `edit`
/// of its stanza.
pub(crate) async fn arrived(companion: &Companion, id: &str) -> (Arc<wa::Message>, EditAttribute) {
    companion
        .wait(&format!("the message {id}"), |event| match event {
            Event::Messages(batch) => batch
                .messages
                .iter()
                .find(|inbound| inbound.info.id == id)
                .map(|inbound| (Arc::clone(&inbound.message), inbound.info.edit.clone())),
            _ => None,
        })
        .await
}

impl World {
    /// A person sends something; returns its id.
    pub(crate) async fn person_sends(&self, phone: &str, body: Value) -> String {
        let answer = self
            .admin
            .post(&format!("/admin/peers/{phone}/send"), body)
            .await;
        answer["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_person_sees_each_kind_that_a_client_sends() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let companion = world.linked(OWN).await;
    let client = &companion.client;
    let text = companion.send(PERSON, "helo").await;

    let location = wa::Message {
        location_message: MessageField::some(wa::message::LocationMessage {
            degrees_latitude: Some(52.5),
            degrees_longitude: Some(-13.25),
            name: Some("Here".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    client.send_message(jid(PERSON), location).await.unwrap();
    let card = "BEGIN:VCARD\nFN:Bob\nEND:VCARD";
    let contact = wa::Message {
        contact_message: MessageField::some(wa::message::ContactMessage {
            display_name: Some("Bob".to_owned()),
            vcard: Some(card.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    client.send_message(jid(PERSON), contact).await.unwrap();
    let options = ["red".to_owned(), "green".to_owned(), "blue".to_owned()];
    let (poll, secret) = client
        .polls()
        .create(jid(PERSON), "Colour?", &options, 2)
        .await
        .unwrap();
    let poll = poll.message_id;
    for chosen in [&options[..2], &options[2..]] {
        client
            .polls()
            .vote(jid(PERSON), &poll, &jid(OWN), &secret, chosen)
            .await
            .unwrap();
    }
    for emoji in ["👍", "❤️"] {
        let reaction = build_reaction_message(key(PERSON, &text, true), emoji, 1);
        client.send_message(jid(PERSON), reaction).await.unwrap();
    }
    let edit = wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            key: MessageField::some(key(PERSON, &text, true)),
            r#type: Some(wa::message::protocol_message::Type::MESSAGE_EDIT),
            edited_message: MessageField::some(wa::Message::text("hello")),
            timestamp_ms: Some(1),
            ..Default::default()
        }),
        ..Default::default()
    };
    client.send_message(jid(PERSON), edit).await.unwrap();
    client
        .revoke_message(jid(PERSON), &poll, RevokeType::Sender)
        .await
        .unwrap();

    let messages = world.admin.wait_messages(PERSON, 10).await;
    let kinds: Vec<_> = messages.iter().map(|message| &message["type"]).collect();
    assert_eq!(
        kinds,
        [
            "text", "location", "contact", "poll", "vote", "vote", "reaction", "reaction", "edit",
            "revoke"
        ]
    );
    let content = |at: usize| &messages[at]["content"];
    assert_eq!(
        *content(1),
        json!({ "latitude": 52.5, "longitude": -13.25, "name": "Here", "address": null })
    );
    assert_eq!(*content(2), json!({ "name": "Bob", "vcard": card }));
    assert_eq!(
        *content(3),
        json!({ "name": "Colour?", "options": options, "selectableCount": 2 })
    );
    assert_eq!(content(4)["target"], poll);
    assert_eq!(content(4)["options"], json!(["red", "green"]));
    assert_eq!(content(5)["options"], json!(["blue"]));
    assert_eq!(content(6)["target"], text);
    assert_eq!(content(7)["emoji"], "❤️");
    assert_eq!(content(8)["target"], text);
    assert_eq!(content(8)["type"], "text");
    assert_eq!(content(8)["content"], "hello");
    assert_eq!(content(9)["target"], poll);

    // What stands in the end.
    let own = format!("{OWN}@s.whatsapp.net");
    assert_eq!(
        messages[0]["reactions"],
        json!([{ "from": own, "emoji": "❤️" }])
    );
    assert_eq!(
        messages[0]["edited"],
        json!({ "type": "text", "content": "hello" })
    );
    assert_eq!(
        messages[3]["votes"],
        json!([{ "from": own, "options": ["blue"] }])
    );
    assert_eq!(messages[3]["revokedBy"], own);

    // The protobuf itself is there too.
    let raw = base64_decoded(messages[1]["raw"].as_str().unwrap());
    let raw = <wa::Message as buffa::Message>::decode_from_slice(&raw).unwrap();
    assert_eq!(
        raw.location_message.as_option().unwrap().name.as_deref(),
        Some("Here")
    );
}

fn base64_decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

#[tokio::test]
async fn a_client_gets_each_kind_that_a_person_sends() {
    for lid in [false, true] {
        let world = World::start().await;
        world.admin.peer(PERSON).await;
        let companion = world.linked_with(OWN, lid).await;
        let received = companion.send(PERSON, "what is it?").await;
        world.admin.wait_messages(PERSON, 1).await;

        let body = |content: Value| {
            let mut body = content;
            body["to"] = OWN.into();
            body
        };
        let send = async |content: Value| world.person_sends(PERSON, body(content)).await;

        let said = send(json!({ "type": "text", "text": "a plce" })).await;
        arrived(&companion, &said).await;
        let quoted = json!({
            "type": "location", "latitude": 1.5, "longitude": 2.5, "name": "There",
            "replyTo": received,
        });
        let (location, _) = arrived(&companion, &send(quoted).await).await;
        let location = location.location_message.as_option().unwrap();
        assert_eq!(location.degrees_latitude, Some(1.5));
        let context = location.context_info.as_option().unwrap();
        assert_eq!(context.stanza_id.as_ref(), Some(&received));
        let author: Jid = context.participant.as_ref().unwrap().parse().unwrap();
        assert_eq!(author.is_lid(), lid);
        let quoted = context.quoted_message.as_option().unwrap();
        assert_eq!(quoted.text_content(), Some("what is it?"));

        let contact = json!({ "type": "contact", "name": "Bob", "phone": "+15550000009" });
        let (contact, _) = arrived(&companion, &send(contact).await).await;
        let vcard = contact.contact_message.as_option().unwrap().vcard.clone();
        assert!(vcard.unwrap().contains("waid=15550000009:+15550000009"));

        let reaction = json!({ "type": "reaction", "target": received, "emoji": "🎉" });
        let (reaction, _) = arrived(&companion, &send(reaction).await).await;
        let reaction = reaction.reaction_message.as_option().unwrap();
        assert_eq!(reaction.text.as_deref(), Some("🎉"));
        let target = reaction.key.as_option().unwrap();
        assert_eq!(
            (&target.id, target.from_me),
            (&Some(received.clone()), Some(false))
        );

        let edit = json!({ "type": "edit", "target": said, "text": "a place" });
        let (edit, attribute) = arrived(&companion, &send(edit).await).await;
        assert_eq!(attribute, EditAttribute::MessageEdit);
        let edit = edit.protocol_message.as_option().unwrap();
        let words = edit.edited_message.as_option().unwrap();
        assert_eq!(words.text_content(), Some("a place"));

        let revoke = json!({ "type": "revoke", "target": said });
        let (_, attribute) = arrived(&companion, &send(revoke).await).await;
        assert_eq!(attribute, EditAttribute::SenderRevoke);

        // A poll of theirs, and their vote in it; then their vote in a poll of ours.
        let poll = json!({ "type": "poll", "name": "When?", "options": ["now", "later"] });
        let theirs = send(poll).await;
        let (poll, _) = arrived(&companion, &theirs).await;
        let secret = poll
            .message_context_info
            .as_option()
            .unwrap()
            .message_secret
            .clone();
        assert_eq!(
            poll.poll_creation_message_v3
                .as_option()
                .unwrap()
                .options
                .len(),
            2
        );
        let vote = send(json!({ "type": "vote", "target": theirs, "options": ["later"] })).await;
        let later = wacore::poll::compute_option_hash("later").to_vec();
        assert_eq!(
            opened(&companion, &vote, &theirs, &secret.unwrap(), PERSON).await,
            [later]
        );
        let options = ["yes".to_owned(), "no".to_owned()];
        let polls = companion.client.polls();
        let (ours, secret) = polls
            .create(jid(PERSON), "Sure?", &options, 1)
            .await
            .unwrap();
        let ours = ours.message_id;
        world.admin.wait_messages(PERSON, 2).await;
        let vote = send(json!({ "type": "vote", "target": ours, "options": ["yes"] })).await;
        let yes = wacore::poll::compute_option_hash("yes").to_vec();
        assert_eq!(opened(&companion, &vote, &ours, &secret, OWN).await, [yes]);
        for (options, problem) in [
            (json!(["perhaps"]), "no option"),
            (json!(["yes", "no"]), "more"),
        ] {
            let body = body(json!({ "type": "vote", "target": ours, "options": options }));
            let path = format!("/admin/peers/{PERSON}/send");
            let (status, answer) = world.admin.try_post(&path, body).await;
            assert_eq!(status, reqwest::StatusCode::BAD_REQUEST);
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.contains(problem), "{message}");
        }
    }
}

/// The hashes that a vote holds, decrypted by the client.
async fn opened(
    companion: &Companion,
    vote: &str,
    poll: &str,
    secret: &[u8],
    creator: &str,
) -> Vec<Vec<u8>> {
    let (message, _) = arrived(companion, vote).await;
    let vote = message.poll_update_message.as_option().unwrap();
    let vote = vote.vote.as_option().unwrap();
    let ciphertext = PollVoteCiphertext {
        enc_payload: vote.enc_payload.as_ref().unwrap(),
        enc_iv: vote.enc_iv.as_ref().unwrap(),
    };
    let polls = companion.client.polls();
    polls
        .decrypt_vote(ciphertext, secret, poll, &jid(creator), &jid(PERSON))
        .await
        .unwrap()
}
