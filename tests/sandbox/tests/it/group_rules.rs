//! Who may do what in groups, and how one gets in.

use serde_json::json;
use whatsapp_rust::prelude::*;
use whatsapp_rust::{GroupDescription, GroupError, GroupSubject, PreviousDescription};

use crate::client::{World, jid};
use crate::groups::emitted;

const OWN: &str = "15550000001";
const OTHER: &str = "15550000002";
const PERSON: &str = "15550000011";
const FRIEND: &str = "15550000012";

/// The code with which the server refused.
fn refused<T: std::fmt::Debug>(result: Result<T, GroupError>) -> u16 {
    match result {
        Err(GroupError::Iq(IqError::ServerError { code, .. })) => code,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn an_invite_lets_in_until_it_is_revoked_or_expires() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let (alice, bob) = tokio::join!(world.linked(OWN), world.linked(OTHER));
    let group = world.group(PERSON, &[], "lid").await;
    let path = format!("/admin/groups/{group}");
    let invite = async || {
        let shown = world.admin.get(&path).await;
        shown["invite"]["code"].as_str().unwrap().to_owned()
    };
    let code = invite().await;
    let info = alice.client.groups().get_invite_info(&code).await.unwrap();
    assert_eq!((info.id.to_string(), info.size), (group.clone(), Some(1)));
    let joined = alice
        .client
        .groups()
        .join_with_invite_code(&code)
        .await
        .unwrap();
    assert_eq!(joined.group_jid().to_string(), group);
    let again = alice.client.groups().join_with_invite_code(&code).await;
    assert_eq!(refused(again), 409);
    let hello = alice.send(&group, "I am in").await;
    alice.acked(&hello).await;
    world.admin.wait_messages(PERSON, 1).await;
    let id = world.say_in(&group, PERSON, "welcome").await;
    assert_eq!(alice.text("welcome").await, id);

    let groups = bob.client.groups();
    assert_eq!(
        refused(groups.join_with_invite_code("nosuchcode").await),
        406
    );
    let action = |action: &str| json!({ "action": action });
    let change = format!("{path}/invite");
    world.admin.post(&change, action("revoke")).await;
    assert_eq!(refused(groups.join_with_invite_code(&code).await), 410);
    let fresh = invite().await;
    assert_ne!(fresh, code);
    world.admin.post(&change, action("expire")).await;
    assert_eq!(refused(groups.join_with_invite_code(&fresh).await), 410);
    world.admin.post(&change, action("revoke")).await;
    let link = format!("https://chat.whatsapp.com/{}", invite().await);
    groups.join_with_invite_code(&link).await.unwrap();

    // Whom an admin removed, no invite lets in.
    let body = json!({ "action": "remove", "members": [OTHER] });
    world.admin.post(&format!("{path}/members"), body).await;
    emitted(&bob, "remove").await;
    assert_eq!(refused(groups.join_with_invite_code(&link).await), 405);
    assert_eq!(refused(groups.get_metadata(&jid(&group)).await), 403);
}

#[tokio::test]
async fn admins_rule_and_members_leave() {
    let world = World::start().await;
    for phone in [PERSON, FRIEND] {
        world.admin.peer(phone).await;
    }
    let (alice, bob) = tokio::join!(world.linked(OWN), world.linked(OTHER));
    let group = world.group(OWN, &[OTHER, PERSON], "lid").await;
    let at = jid(&group);
    emitted(&bob, "create").await;
    let (ruler, member) = (alice.client.groups(), bob.client.groups());

    let subject = |text: &str| GroupSubject::new(text).unwrap();
    let description = |text: &str| Some(GroupDescription::new(text).unwrap());
    ruler
        .set_subject(at.clone(), subject("Runs"))
        .await
        .unwrap();
    emitted(&bob, "subject").await;
    let resolve = PreviousDescription::Resolve;
    ruler
        .set_description(at.clone(), description("Fast"), resolve)
        .await
        .unwrap();
    emitted(&bob, "description").await;
    let absent = PreviousDescription::Absent;
    let stale = ruler
        .set_description(at.clone(), description("Faster"), absent)
        .await;
    assert!(
        matches!(stale, Err(GroupError::DescriptionConflict)),
        "{stale:?}"
    );
    let seen = member.get_metadata(&at).await.unwrap();
    assert_eq!(
        (seen.subject.as_str(), seen.description.as_deref()),
        ("Runs", Some("Fast"))
    );
    ruler
        .set_description(at.clone(), None, resolve)
        .await
        .unwrap();
    assert_eq!(member.get_metadata(&at).await.unwrap().description, None);

    // What only admins may.
    let (friend, person) = (jid(FRIEND), jid(PERSON));
    let some = std::slice::from_ref(&person);
    assert_eq!(
        refused(member.remove_participants(at.clone(), some).await),
        403
    );
    assert_eq!(
        refused(member.promote_participants(at.clone(), some).await),
        403
    );
    assert_eq!(
        refused(member.get_invite_link(at.clone(), false).await),
        403
    );
    ruler.set_locked(at.clone(), true).await.unwrap();
    assert_eq!(
        refused(member.set_subject(at.clone(), subject("Mine")).await),
        403
    );
    ruler.set_announce(at.clone(), true).await.unwrap();
    emitted(&bob, "announcement").await;
    let id = bob.send(&group, "may I?").await;
    assert_eq!(bob.answer(&id).await.error.as_deref(), Some("403"));
    ruler
        .promote_participants(at.clone(), &[jid(OTHER)])
        .await
        .unwrap();
    let id = bob.send(&group, "now I may").await;
    bob.acked(&id).await;
    let link = member.get_invite_link(at.clone(), false).await.unwrap();
    assert_ne!(
        member.get_invite_link(at.clone(), true).await.unwrap(),
        link
    );

    // Each of several people has an outcome.
    let added = [friend.clone(), jid("15559999999"), person.clone()];
    let outcomes = member.add_participants(at.clone(), &added).await.unwrap();
    let errors: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.error.as_deref())
        .collect();
    assert_eq!(errors, [None, Some("404"), Some("409")]);
    let outcomes = member
        .demote_participants(at.clone(), &[jid(OWN)])
        .await
        .unwrap();
    assert_eq!(outcomes[0].error.as_deref(), Some("406"));
    member.remove_participants(at.clone(), some).await.unwrap();
    assert_eq!(
        world.roles(&group).await,
        json!({ OWN: "superadmin", OTHER: "admin", FRIEND: "member" })
    );
    let id = bob.send(&group, "to the rest").await;
    bob.acked(&id).await;
    world.admin.wait_messages(FRIEND, 1).await;
    assert_eq!(world.admin.messages(PERSON).await.len(), 1);

    let listed = member.get_participating().await.unwrap();
    let jids: Vec<String> = listed.keys().map(ToString::to_string).collect();
    assert_eq!(jids.first(), Some(&group));
    assert_eq!(jids.len(), 1);
    member.leave(at.clone()).await.unwrap();
    assert!(member.get_participating().await.unwrap().is_empty());
    assert_eq!(refused(member.get_metadata(&at).await), 403);
    assert_eq!(
        refused(member.get_metadata(&jid("120363999@g.us")).await),
        404
    );
}

#[tokio::test]
async fn mistakes_with_groups_are_told() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    world.admin.peer(FRIEND).await;
    let group = world.group(PERSON, &[], "pn").await;
    let path = format!("/admin/groups/{group}");
    let cases = [
        ("/admin/groups".to_owned(), json!({ "subject": "x" }), 400),
        (
            "/admin/groups".to_owned(),
            json!({ "subject": "x", "creator": "15559999999" }),
            404,
        ),
        (
            format!("{path}/members"),
            json!({ "action": "remove", "members": [FRIEND] }),
            400,
        ),
        (
            format!("{path}/members"),
            json!({ "action": "leave", "members": [FRIEND] }),
            400,
        ),
        (
            format!("{path}/members"),
            json!({ "action": "join", "members": [PERSON] }),
            400,
        ),
        (format!("{path}/invite"), json!({ "action": "burn" }), 400),
        (
            "/admin/groups/120363999@g.us/invite".to_owned(),
            json!({ "action": "revoke" }),
            404,
        ),
        (
            format!("/admin/peers/{FRIEND}/send"),
            json!({ "to": "120363999@g.us", "type": "text", "text": "x" }),
            404,
        ),
    ];
    for (path, body, expected) in cases {
        let (status, answer) = world.admin.try_post(&path, body.clone()).await;
        assert_eq!(status.as_u16(), expected, "{path} {body} {answer}");
    }
    let body = json!({ "action": "join", "members": [FRIEND] });
    let joined = world.admin.post(&format!("{path}/members"), body).await;
    assert_eq!(joined["members"].as_array().unwrap().len(), 2);
    assert_eq!(
        world.admin.get("/admin/groups").await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn nobody_revokes_what_somebody_else_wrote_without_being_an_admin() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    world.admin.peer(FRIEND).await;
    let alice = world.linked(OWN).await;
    let group = world.group(PERSON, &[OWN, FRIEND], "lid").await;
    emitted(&alice, "create").await;
    let words = world.say_in(&group, FRIEND, "strong words").await;
    alice.text("strong words").await;
    let author = world.admin.get("/admin/peers").await["data"]
        .as_array()
        .and_then(|people| people.iter().find(|one| one["phone"] == FRIEND))
        .map(|friend| friend["lid"].as_str().unwrap().to_owned())
        .unwrap();
    let revoke = async |chat: &str, id: &str| {
        let key = wa::MessageKey {
            remote_jid: Some(chat.to_owned()),
            from_me: Some(false),
            id: Some(words.clone()),
            participant: Some(author.clone()),
        };
        let revoke = wa::message::ProtocolMessage {
            key: MessageField::some(key),
            r#type: Some(wa::message::protocol_message::Type::Revoke),
            ..Default::default()
        };
        let message = wa::Message {
            protocol_message: MessageField::some(revoke),
            ..Default::default()
        };
        let options = SendOptions::default().with_message_id(id);
        alice
            .client
            .send_message_with_options(jid(chat), message, options)
            .await
            .unwrap();
        alice.answer(id).await.error
    };
    assert_eq!(revoke(&group, "REVOKE1").await.as_deref(), Some("403"));
    assert_eq!(revoke(PERSON, "REVOKE2").await.as_deref(), Some("403"));

    let promote = json!({ "action": "promote", "members": [OWN] });
    let path = format!("/admin/groups/{group}/members");
    world.admin.post(&path, promote).await;
    emitted(&alice, "promote").await;
    assert_eq!(revoke(&group, "REVOKE3").await, None);
    world.admin.wait_messages(PERSON, 2).await;
    let shown = world.admin.messages(PERSON).await;
    assert_eq!(shown[0]["id"], words);
    assert_eq!(shown[0]["revokedBy"], format!("{OWN}@s.whatsapp.net"));
}

#[tokio::test]
async fn each_success_of_a_change_of_members_says_so() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    world.admin.peer(FRIEND).await;
    let alice = world.linked(OWN).await;
    let group = world.group(OWN, &[PERSON], "lid").await;
    emitted(&alice, "create").await;
    let groups = alice.client.groups();
    let members = [jid(FRIEND), jid(PERSON)];
    let added = groups.add_participants(&jid(&group), &members).await;
    let added = added.unwrap();
    let outcome = |at: usize| (added[at].status.as_deref(), added[at].error.as_deref());
    assert_eq!(outcome(0), (Some("200"), None));
    assert_eq!(outcome(1), (None, Some("409")));
}
