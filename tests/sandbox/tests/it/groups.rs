//! Groups, with clients and people as their members.

use reqwest::StatusCode;
use serde_json::{Value, json};
use wacore::types::presence::ReceiptType;
use whatsapp_rust::prelude::*;
use whatsapp_rust::{GroupCreateOptions, GroupParticipantOptions};

use crate::client::{Companion, World, jid};
use crate::content::arrived;

const OWN: &str = "15550000001";
const OTHER: &str = "15550000002";
const PERSON: &str = "15550000011";
const FRIEND: &str = "15550000012";

impl World {
    /// Somebody makes a group; returns its JID.
    pub(crate) async fn group(&self, creator: &str, members: &[&str], addressing: &str) -> String {
        let body = json!({
            "subject": "Walks", "creator": creator, "members": members, "addressing": addressing,
        });
        let group = self.admin.post("/admin/groups", body).await;
        group["jid"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn say_in(&self, group: &str, phone: &str, text: &str) -> String {
        let body = json!({ "to": group, "type": "text", "text": text });
        self.person_sends(phone, body).await
    }

    /// The role of each member, by phone number.
    pub(crate) async fn roles(&self, group: &str) -> Value {
        let group = self.admin.get(&format!("/admin/groups/{group}")).await;
        let members = group["members"].as_array().unwrap().iter();
        let roles = members.map(|member| {
            let phone = member["phone"].as_str().unwrap().to_owned();
            (phone, member["role"].clone())
        });
        Value::Object(roles.collect())
    }
}

/// Waits until the client was told of a change by this name.
pub(crate) async fn emitted(companion: &Companion, tag: &str) {
    companion
        .wait(&format!("a notification of {tag}"), |event| match event {
            Event::GroupUpdate(update) if update.action.wire_tag() == tag => Some(()),
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn people_write_in_a_group_and_whoever_is_removed_hears_no_more() {
    let world = World::start().await;
    for phone in [PERSON, FRIEND, OTHER] {
        world.admin.peer(phone).await;
    }
    let group = world.group(PERSON, &[FRIEND, OTHER], "lid").await;
    let id = world.say_in(&group, PERSON, "hello all").await;
    for phone in [FRIEND, OTHER] {
        let messages = world.admin.wait_messages(phone, 1).await;
        assert_eq!(messages[0]["id"], id);
        assert_eq!(messages[0]["chat"], group);
        assert_eq!(messages[0]["from"], format!("{PERSON}@s.whatsapp.net"));
        assert_eq!(messages[0]["copies"], 1);
    }
    world.say_in(&group, FRIEND, "hello").await;
    world.admin.wait_messages(OTHER, 2).await;

    let path = format!("/admin/groups/{group}/members");
    let body = json!({ "action": "remove", "members": [OTHER] });
    world.admin.post(&path, body).await;
    world.say_in(&group, PERSON, "just us").await;
    world.admin.wait_messages(FRIEND, 2).await;
    assert_eq!(world.admin.messages(OTHER).await.len(), 2);
    let body = json!({ "to": group, "type": "text", "text": "and me?" });
    let path = format!("/admin/peers/{OTHER}/send");
    let (status, _) = world.admin.try_post(&path, body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    // Back again: the key that they missed is another one.
    let body = json!({ "action": "add", "members": [OTHER] });
    let path = format!("/admin/groups/{group}/members");
    world.admin.post(&path, body).await;
    world.say_in(&group, PERSON, "all of us").await;
    let messages = world.admin.wait_messages(OTHER, 3).await;
    assert_eq!(messages[2]["content"], "all of us");
    for phone in [FRIEND, OTHER] {
        let path = format!("/admin/peers/{phone}/messages");
        assert_eq!(world.admin.get(&path).await["undecryptable"], 0);
    }
}

#[tokio::test]
async fn a_client_makes_a_group_and_talks_in_it() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let (alice, bob) = tokio::join!(world.linked(OWN), world.linked(OTHER));
    let options = GroupCreateOptions::new("Walks").with_participants(vec![
        GroupParticipantOptions::new(jid(OTHER)),
        GroupParticipantOptions::new(jid(PERSON)),
    ]);
    let created = alice.client.groups().create_group(options).await.unwrap();
    let group = created.metadata.id.to_string();
    assert_eq!(created.metadata.subject, "Walks");
    assert_eq!(created.metadata.participants.len(), 3);
    emitted(&bob, "create").await;
    assert_eq!(
        world.roles(&group).await,
        json!({ OWN: "superadmin", OTHER: "member", PERSON: "member" })
    );

    let hello = alice.send(&group, "hello group").await;
    alice.acked(&hello).await;
    assert_eq!(bob.text("hello group").await, hello);
    let messages = world.admin.wait_messages(PERSON, 1).await;
    assert_eq!(messages[0]["chat"], group);
    assert_eq!(messages[0]["from"], format!("{OWN}@s.whatsapp.net"));
    alice.receipt(&hello, ReceiptType::Delivered).await;

    let answer = world.say_in(&group, PERSON, "hello Alice").await;
    assert_eq!(alice.text("hello Alice").await, answer);
    assert_eq!(bob.text("hello Alice").await, answer);
    let chat = alice
        .wait("the chat", |event| match event {
            Event::Messages(batch) => batch
                .messages
                .iter()
                .find(|inbound| inbound.info.id == answer)
                .map(|inbound| inbound.info.source.chat.to_string()),
            _ => None,
        })
        .await;
    assert_eq!(chat, group);
    let path = format!("/admin/peers/{PERSON}/read");
    world.admin.post(&path, json!({ "id": hello })).await;
    alice.receipt(&hello, ReceiptType::Read).await;

    let second = bob.send(&group, "hello both").await;
    assert_eq!(alice.text("hello both").await, second);
    world.admin.wait_messages(PERSON, 2).await;
    let ledger = world.admin.ledger(OWN).await;
    assert_eq!(ledger[0]["to"], group);
    assert_eq!(ledger[0]["kind"], "message");
    let to = world.admin.get(&format!("/admin/ledger?to={group}")).await;
    assert_eq!(to["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn polls_reactions_and_quotes_work_in_both_addressings() {
    for addressing in ["lid", "pn"] {
        let world = World::start().await;
        world.admin.peer(PERSON).await;
        world.admin.peer(FRIEND).await;
        let companion = world.linked(OWN).await;
        let group = world.group(PERSON, &[OWN, FRIEND], addressing).await;
        emitted(&companion, "create").await;

        let options = ["yes".to_owned(), "no".to_owned()];
        let polls = companion.client.polls();
        let (poll, secret) = polls
            .create(jid(&group), "Sure?", &options, 1)
            .await
            .unwrap();
        let poll = poll.message_id;
        world.admin.wait_messages(PERSON, 1).await;
        let vote = json!({ "to": group, "type": "vote", "target": poll, "options": ["yes"] });
        let vote = world.person_sends(PERSON, vote).await;
        let (message, _) = arrived(&companion, &vote).await;
        let update = message.poll_update_message.as_option().unwrap();
        let key = update.poll_creation_message_key.as_option().unwrap();
        let creator: Jid = key.participant.as_ref().unwrap().parse().unwrap();
        assert_eq!(creator.is_lid(), addressing == "lid");
        let encrypted = update.vote.as_option().unwrap();
        let ciphertext = wacore::poll::PollVoteCiphertext {
            enc_payload: encrypted.enc_payload.as_ref().unwrap(),
            enc_iv: encrypted.enc_iv.as_ref().unwrap(),
        };
        let chosen = polls
            .decrypt_vote(ciphertext, &secret, &poll, &jid(OWN), &jid(PERSON))
            .await
            .unwrap();
        assert_eq!(chosen, [wacore::poll::compute_option_hash("yes").to_vec()]);
        // The friend of the person saw the same, and so does the author's own phone.
        let messages = world.admin.wait_messages(FRIEND, 2).await;
        assert_eq!(messages[1]["content"]["options"], json!(["yes"]));
        assert_eq!(
            messages[0]["votes"],
            json!([{ "from": format!("{PERSON}@s.whatsapp.net"), "options": ["yes"] }])
        );

        let question = json!({
            "to": group, "type": "poll", "name": "When?", "options": ["now", "later"],
            "selectableCount": 2,
        });
        let question = world.person_sends(PERSON, question).await;
        let (message, _) = arrived(&companion, &question).await;
        let context = message.message_context_info.as_option().unwrap();
        let secret = context.message_secret.clone().unwrap();
        let people = world.admin.get("/admin/peers").await;
        let people = people["data"].as_array().unwrap();
        let person = people
            .iter()
            .find(|person| person["phone"] == PERSON)
            .unwrap();
        let name = if addressing == "lid" { "lid" } else { "jid" };
        let creator = jid(person[name].as_str().unwrap());
        polls
            .vote(
                jid(&group),
                &question,
                &creator,
                &secret,
                &["now".to_owned(), "later".to_owned()],
            )
            .await
            .unwrap();
        let messages = world.admin.wait_messages(PERSON, 2).await;
        assert_eq!(messages[1]["content"]["options"], json!(["now", "later"]));

        let reply = json!({
            "to": group, "type": "text", "text": "well", "replyTo": poll,
        });
        let (reply, _) = arrived(&companion, &world.person_sends(FRIEND, reply).await).await;
        let text = reply.extended_text_message.as_option().unwrap();
        let context = text.context_info.as_option().unwrap();
        assert_eq!(context.stanza_id.as_ref(), Some(&poll));
        let author: Jid = context.participant.as_ref().unwrap().parse().unwrap();
        assert_eq!(author.is_lid(), addressing == "lid");
        let reaction = json!({ "to": group, "type": "reaction", "target": poll, "emoji": "👍" });
        let (reaction, _) = arrived(&companion, &world.person_sends(FRIEND, reaction).await).await;
        let key = reaction
            .reaction_message
            .as_option()
            .unwrap()
            .key
            .as_option()
            .unwrap();
        assert_eq!(key.id.as_ref(), Some(&poll));
    }
}

#[tokio::test]
async fn what_cannot_be_decrypted_in_a_group_is_asked_for_again() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let companion = world.linked(OWN).await;
    let group = world.group(PERSON, &[OWN], "lid").await;
    emitted(&companion, "create").await;
    let corrupt = |from: &str| json!({ "match": { "from": from }, "action": "corrupt" });

    world.admin.fault(corrupt(OWN)).await;
    let id = companion.send(&group, "garbled").await;
    let messages = world.admin.wait_messages(PERSON, 1).await;
    assert_eq!(
        (&messages[0]["id"], &messages[0]["content"]),
        (&json!(id), &json!("garbled"))
    );
    companion.receipt(&id, ReceiptType::Delivered).await;
    let next = companion.send(&group, "clear").await;
    assert_eq!(world.admin.wait_messages(PERSON, 2).await[1]["id"], next);

    world.admin.fault(corrupt(PERSON)).await;
    let id = world.say_in(&group, PERSON, "garbled too").await;
    assert_eq!(companion.text("garbled too").await, id);
    let id = world.say_in(&group, PERSON, "clear as well").await;
    assert_eq!(companion.text("clear as well").await, id);
}

#[tokio::test]
async fn a_repeated_group_message_is_shown_once_and_counted() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let companion = world.linked(OWN).await;
    let group = world.group(PERSON, &[OWN], "lid").await;
    emitted(&companion, "create").await;
    world
        .admin
        .fault(json!({ "match": { "to": group }, "action": "replay" }))
        .await;
    companion.send_as("3EB0AAAA", &group, "first").await;
    companion.send_as("3EB0AAAA", &group, "second").await;
    companion.send_as("3EB0BBBB", &group, "last").await;
    let messages = world.admin.wait_messages(PERSON, 2).await;
    assert_eq!(messages[0]["content"], "first");
    assert_eq!(messages[0]["copies"], 3);
    assert_eq!(messages[1]["id"], "3EB0BBBB");
    let path = format!("/admin/peers/{PERSON}/messages");
    assert_eq!(world.admin.get(&path).await["undecryptable"], 0);
}
