//! Messages that arrive: committed before they are acknowledged.

use std::sync::Arc;

use gateway_worker::link::{Fact, LinkConfig};

use crate::world::{BOB, OWN, World, connected};

#[tokio::test]
async fn a_message_is_told_with_its_people() {
    let world = World::start().await;
    let linked = world.paired().await;
    let id = world.say(BOB, OWN, "hi").await;
    let messages = linked.sink.called(1).await;
    let [message] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!(message.id, id);
    assert_eq!(message.payload.kind, "text");
    assert_eq!(message.payload.text.as_deref(), Some("hi"));
    assert_eq!(message.payload.push_name, "Bob");
    assert!(!message.from_me && !message.payload.offline);
    let number = format!("{BOB}@s.whatsapp.net");
    let known = [Some(&message.sender), message.sender_alt.as_ref()];
    assert!(
        known
            .into_iter()
            .flatten()
            .any(|one| one.as_str() == number),
        "{message:?}"
    );
    assert_eq!(message.chat, message.sender);
    assert_eq!(message.chat_alt, message.sender_alt);
    // It was confirmed: nothing waits for us any more.
    world
        .eventually("/admin/accounts", |accounts| {
            let own = accounts["data"].as_array()?;
            let own = own.iter().find(|account| account["phone"] == OWN)?;
            (own["companions"][0]["waiting"] == 0).then_some(())
        })
        .await;
}

#[tokio::test]
async fn what_could_not_be_committed_is_not_acknowledged_and_comes_again() {
    let world = World::start().await;
    let mut linked = world.paired().await;
    linked.sink.fail(1);
    let id = world.say(BOB, OWN, "hi").await;
    assert!(linked.sink.called(1).await.is_empty());
    assert_eq!(world.waiting().await, 1, "not acknowledged");
    // The link fetches it again by itself.
    linked
        .until(|fact| matches!(fact, Fact::Disconnected { .. }).then_some(()))
        .await;
    let messages = linked.sink.called(2).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].id, id);
    assert_eq!(messages[0].payload.text.as_deref(), Some("hi"));
}

/// What comes behind a message that was not committed is not committed before it.
#[tokio::test]
async fn nothing_overtakes_what_could_not_be_committed() {
    let world = World::start().await;
    let linked = world.paired().await;
    linked.sink.fail(1);
    // The others are on the same connection when the first one fails.
    linked.sink.hold(true);
    let mut said = Vec::new();
    for number in 0..4 {
        said.push(world.say(BOB, OWN, &format!("{number}")).await);
    }
    linked.sink.hold(false);
    let messages = linked.sink.until(|kept| kept.len() >= said.len()).await;
    let ids: Vec<_> = messages.iter().map(|message| &message.id).collect();
    assert_eq!(ids, said.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_came_while_we_were_away_is_told_in_order() {
    let world = World::start().await;
    let linked = world.paired().await;
    linked.link.close().await;
    let mut said = Vec::new();
    for number in 0..5 {
        said.push(world.say(BOB, OWN, &format!("{number}")).await);
    }
    let mut again = world
        .open(
            Arc::clone(&linked.backend),
            LinkConfig::default(),
            Arc::clone(&linked.sink),
        )
        .await;
    again.until(connected).await;
    let messages = again.sink.messages();
    let ids: Vec<_> = messages.iter().map(|message| &message.id).collect();
    assert_eq!(ids, said.iter().collect::<Vec<_>>());
    assert!(messages.iter().all(|message| message.payload.offline));
}

#[tokio::test]
async fn what_the_phone_itself_writes_is_from_me() {
    let world = World::start().await;
    let linked = world.paired().await;
    let id = world.say(OWN, BOB, "from the phone").await;
    let messages = linked.sink.called(1).await;
    assert_eq!(messages[0].id, id);
    assert!(messages[0].from_me);
    let chat = format!("{BOB}@s.whatsapp.net");
    let known = [Some(&messages[0].chat), messages[0].chat_alt.as_ref()];
    assert!(known.into_iter().flatten().any(|one| one.as_str() == chat));
}
