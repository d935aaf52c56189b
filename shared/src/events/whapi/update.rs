//! `messages_updates`: a message that changed, as it was before and as it is now, and what changed
//! it.

use serde_json::{Map, Value, json};

use super::super::inbound::{Content, MessagePayload, Poll, PollResults, Target};
use super::{content, message, names};
use crate::events::inbound::OptionResult;

/// The update that a reaction, an edit or a vote is; `None` where the message that it is about is
/// not known here, or it could not be decrypted.
pub(super) fn of(change: &MessagePayload) -> Option<Value> {
    let target = change.target.as_ref()?;
    target.kind.as_ref()?;
    let content = change.content.as_ref()?;
    let (before, after, changed) = match content {
        Content::Reaction(reaction) => {
            let emoji = reaction.emoji.as_deref()?;
            let before = known(change, target);
            let mut after = before.clone();
            if !emoji.is_empty() {
                let author = names::person(&change.sender);
                after.insert(
                    "reactions".into(),
                    json!([{"emoji": emoji, "author": author}]),
                );
            }
            (before, after, "reactions")
        }
        Content::Edit(edit) => {
            let before = known(change, target);
            let mut after = before.clone();
            let name = content::whapi_type(&edit.edited_type);
            let words = if name == "text" { "body" } else { "caption" };
            let text = change.text.as_deref().unwrap_or_default();
            after.insert("type".into(), name.into());
            after.insert(name.to_owned(), json!({words: text}));
            (before, after, name)
        }
        Content::PollVote(vote) => {
            let poll = target.poll.as_ref()?;
            vote.options.as_ref()?;
            let shown = |results: Option<&PollResults>| {
                let mut shown = known(change, target);
                shown.insert("poll".into(), poll_with(poll, results));
                shown
            };
            let before = shown(vote.before.as_ref());
            (before, shown(vote.results.as_ref()), "poll")
        }
        _ => return None,
    };
    Some(json!({
        "id": target.message_id,
        "trigger": message::of(change, false),
        "before_update": before,
        "after_update": after,
        "changes": [changed],
    }))
}

/// The target as it was known before.
fn known(change: &MessagePayload, target: &Target) -> Map<String, Value> {
    let kind = target.kind.as_deref().unwrap_or_default();
    let name = content::whapi_type(kind);
    let mut known = Map::new();
    known.insert("id".into(), target.message_id.as_str().into());
    known.insert("from_me".into(), target.from_me.unwrap_or_default().into());
    known.insert("type".into(), name.into());
    known.insert("chat_id".into(), names::chat(&change.chat).into());
    if let Some(time) = target.timestamp {
        known.insert("timestamp".into(), (time / 1_000).into());
    }
    let source = if target.from_me == Some(true) {
        "api"
    } else {
        "mobile"
    };
    known.insert("source".into(), source.into());
    if let Some(sender) = &target.sender {
        known.insert("from".into(), names::person(sender).into());
    }
    if let Some(text) = &target.text {
        let words = if name == "text" { "body" } else { "caption" };
        if name != "poll" {
            known.insert(name.to_owned(), json!({words: text}));
        }
    }
    known
}

/// A poll and how it stands.
pub(super) fn poll_with(poll: &Poll, results: Option<&PollResults>) -> Value {
    let none = PollResults {
        total: 0,
        options: poll
            .options
            .iter()
            .map(|name| OptionResult {
                name: name.clone(),
                ..OptionResult::default()
            })
            .collect(),
    };
    let mut shown = content::results(results.unwrap_or(&none));
    shown["title"] = poll.name.as_str().into();
    shown["options"] = json!(poll.options);
    if poll.selectable_count > 0 {
        shown["vote_limit"] = poll.selectable_count.into();
    }
    shown
}
