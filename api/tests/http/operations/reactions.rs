//! Reactions: set, taken back, exactly one emoji.

use gateway_shared::domain::Content;
use reqwest::Method;
use serde_json::{Value, json};

use super::{BOB, BOB_LID, GROUP, Stage, invalid};

#[tokio::test]
async fn a_reaction_is_set_and_taken_back() {
    let stage = Stage::set().await;
    stage.received("THEIRS", GROUP, "text", json!({})).await;
    let body = json!({"chat": GROUP, "sender": BOB, "emoji": "👍🏽"});
    let (_, send) = stage.done(Method::POST, "/THEIRS/reaction", &body).await;
    assert_eq!(send.to.as_str(), GROUP);
    let Ok(Content::Reaction { target, emoji }) = &send.content else {
        panic!("{:?}", send.content);
    };
    assert_eq!((target.id.as_str(), emoji.as_str()), ("THEIRS", "👍🏽"));
    assert_eq!(target.sender.as_deref(), Some(BOB_LID));

    // Whatever emoji is given is ignored, and so may be the whole body.
    for body in [json!({"emoji": 7}), json!({})] {
        let (_, send) = stage.done(Method::DELETE, "/THEIRS/reaction", &body).await;
        let Ok(Content::Reaction { emoji, .. }) = &send.content else {
            panic!("{:?}", send.content);
        };
        assert_eq!(emoji, "");
    }
    let own = stage.sent_text(BOB).await;
    let body = json!({"chat": BOB, "sender": "", "emoji": "❤"});
    let (_, send) = stage
        .done(Method::POST, &format!("/{own}/reaction"), &body)
        .await;
    let Ok(Content::Reaction { target, .. }) = &send.content else {
        panic!("{:?}", send.content);
    };
    assert!(target.is_own());
}

#[tokio::test]
async fn a_reaction_is_exactly_one_emoji() {
    let stage = Stage::set().await;
    stage.received("M", GROUP, "text", json!({})).await;
    for emoji in [json!(""), json!("a"), json!("👍👍"), json!(1), Value::Null] {
        let got = stage
            .ask(Method::POST, "/M/reaction", &json!({ "emoji": emoji }))
            .await;
        invalid(&got, "emoji");
    }
    let body = json!({"emoji": "👍", "chat": "nowhere", "sender": GROUP, "other": 1});
    let got = stage.ask(Method::POST, "/M/reaction", &body).await;
    for field in ["chat", "sender", "other"] {
        invalid(&got, field);
    }
}
