//! Votes in polls, our own and those of others.

use gateway_shared::domain::{Content, KnownMessage, Poll, PollKey};
use reqwest::Method;
use serde_json::{Value, json};

use super::{BOB_LID, GROUP, Stage, invalid, not_found};
use crate::world::now;

#[tokio::test]
async fn a_vote_is_the_complete_set() {
    let stage = Stage::set().await;
    let poll = |count: u32| {
        json!({"type": "poll", "to": GROUP, "name": "?", "options": ["a", "b", "c"],
            "selectableCount": count})
    };
    let single = stage.sent(poll(1)).await;
    let two = stage.sent(poll(2)).await;
    let any = stage.sent(poll(0)).await;
    for (id, options) in [
        (&single, json!(["b"])),
        (&two, json!(["a", "c"])),
        (&any, json!(["a", "b", "c"])),
        (&any, json!([])),
    ] {
        let body = json!({"options": options});
        let (_, send) = stage
            .done(Method::POST, &format!("/{id}/vote"), &body)
            .await;
        let Ok(Content::Vote {
            target,
            key,
            options: chosen,
        }) = &send.content
        else {
            panic!("{:?}", send.content);
        };
        assert!(target.is_own());
        assert_eq!(key.options, ["a", "b", "c"]);
        assert_eq!(
            json!(chosen),
            options.as_array().map_or(json!([]), |all| json!(all))
        );
    }
    for (id, options, field) in [
        (&single, json!(["a", "b"]), "options"),
        (&two, json!(["a", "b", "c"]), "options"),
        (&any, json!(["a", "x"]), "options[1]"),
        (&any, json!(["a", "a"]), "options[1]"),
        (&any, json!("a"), "options"),
        (&any, Value::Null, "options"),
    ] {
        let body = json!({ "options": options });
        invalid(
            &stage.ask(Method::POST, &format!("/{id}/vote"), &body).await,
            field,
        );
    }
    let text = stage.sent_text(GROUP).await;
    let body = json!({"options": []});
    invalid(
        &stage
            .ask(Method::POST, &format!("/{text}/vote"), &body)
            .await,
        "mid",
    );
    not_found(
        &stage
            .ask(Method::POST, "/NONE/vote", &json!({"options": []}))
            .await,
    );
}

#[tokio::test]
async fn a_vote_in_a_poll_of_somebody_else_has_its_secret() {
    let stage = Stage::set().await;
    let content = Content::Poll {
        poll: Poll {
            name: "?".into(),
            options: vec!["x".into(), "y".into()],
            selectable_count: 1,
            secret: None,
        },
        context: Default::default(),
    };
    let Content::Poll { poll, .. } = content.sealed().into_owned() else {
        panic!("a poll stays one");
    };
    let key = PollKey::of(&poll).unwrap();
    let mut known = KnownMessage::new(BOB_LID, "poll", now(), "?");
    known.sender = Some(BOB_LID.into());
    known.poll = Some(key.clone());
    stage
        .owner
        .hears(&stage.world, "POLL", known, json!({}))
        .await;
    let body = json!({"sender": BOB_LID, "options": ["y"]});
    let (_, send) = stage.done(Method::POST, "/POLL/vote", &body).await;
    let Ok(Content::Vote {
        target, key: used, ..
    }) = &send.content
    else {
        panic!("{:?}", send.content);
    };
    assert_eq!(target.sender.as_deref(), Some(BOB_LID));
    assert_eq!(used, &key);
}
