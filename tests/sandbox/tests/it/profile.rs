//! What people see of each other: presence, text status, picture, typing.

use serde_json::json;
use whatsapp_rust::prelude::*;

use crate::client::{Companion, World, jid};

const OWN: &str = "15550000001";
const OTHER: &str = "15550000002";
const PERSON: &str = "15550000011";

/// Waits until the client was told so often that somebody is online, or is not.
async fn seen(companion: &Companion, who: &str, online: bool, times: usize) {
    companion
        .wait_nth("a presence", times, |event| match event {
            Event::Presence(presence) if presence.from == jid(who) => {
                (presence.unavailable != online).then_some(())
            }
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn presence_is_told_to_whoever_asked_for_it() {
    let world = World::start().await;
    world.admin.peer(PERSON).await;
    let (alice, bob) = tokio::join!(world.linked(OWN), world.linked(OTHER));
    let presence = bob.client.presence();

    // Who subscribes is told the present state, and then of changes.
    presence.subscribe(jid(PERSON)).await.unwrap();
    seen(&bob, PERSON, false, 1).await;
    let path = format!("/admin/peers/{PERSON}/presence");
    world.admin.post(&path, json!({ "available": true })).await;
    seen(&bob, PERSON, true, 1).await;

    alice.client.presence().set_available().await.unwrap();
    presence.subscribe(jid(OWN)).await.unwrap();
    seen(&bob, OWN, true, 1).await;
    alice.client.presence().set_unavailable().await.unwrap();
    seen(&bob, OWN, false, 1).await;
    alice.client.presence().set_available().await.unwrap();
    seen(&bob, OWN, true, 2).await;
    // A connection that ends takes its presence along.
    alice.stop().await;
    seen(&bob, OWN, false, 2).await;
}

#[tokio::test]
async fn a_text_status_and_a_picture_are_told_and_can_be_looked_up() {
    let world = World::start().await;
    let (alice, bob) = tokio::join!(world.linked(OWN), world.linked(OTHER));
    let profile = alice.client.profile();

    profile.set_status_text("away").await.unwrap();
    bob.wait("the text status", |event| match event {
        Event::UserAboutUpdate(update) if update.jid == jid(OWN) && update.status == "away" => {
            Some(())
        }
        _ => None,
    })
    .await;

    let contacts = bob.client.contacts();
    let none = contacts.get_profile_picture(&jid(OWN), false).await;
    assert!(none.unwrap().is_none());
    let set = profile.set_profile_picture(vec![1, 2, 3]).await.unwrap();
    let emitted = bob
        .wait("the picture", |event| match event {
            Event::PictureUpdate(update) if !update.removed => update.picture_id.clone(),
            _ => None,
        })
        .await;
    assert_eq!(emitted, set.id);
    let found = contacts.get_profile_picture(&jid(OWN), false).await;
    assert_eq!(found.unwrap().unwrap().id, set.id);
    profile.remove_profile_picture().await.unwrap();
    bob.wait("the removal", |event| match event {
        Event::PictureUpdate(update) if update.removed => Some(()),
        _ => None,
    })
    .await;
    let gone = contacts.get_profile_picture(&jid(OWN), false).await;
    assert!(gone.unwrap().is_none());
}
