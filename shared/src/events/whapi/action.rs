//! `action`: what a message does to another one.

use serde_json::{Value, json};

use super::super::inbound::{Content, MessagePayload, option_id};
use super::{content, names};

/// The action that a message is, if it is one.
pub(super) fn of(message: &MessagePayload) -> Option<Value> {
    let target = message.target_message_id.as_deref();
    if message.kind == "revoke" {
        return Some(json!({"target": target?, "type": "delete"}));
    }
    let action = match message.content.as_ref()? {
        Content::Reaction(reaction) => json!({
            "target": target?,
            "type": "reaction",
            "emoji": reaction.emoji.as_deref().unwrap_or_default(),
        }),
        Content::PollVote(vote) => {
            let options = vote.options.iter().flatten();
            let votes: Vec<String> = options.map(|option| option_id(option)).collect();
            json!({"target": target?, "type": "vote", "votes": votes})
        }
        Content::Edit(edit) => json!({
            "target": target?,
            "type": "edit",
            "edited_type": content::whapi_type(&edit.edited_type),
            "edited_content": {"body": message.text.as_deref().unwrap_or_default()},
        }),
        Content::Ephemeral(timer) => json!({
            "target": names::chat(&message.chat),
            "type": "ephemeral",
            "ephemeral": timer.seconds,
        }),
        _ => return None,
    };
    Some(action)
}
