//! `w:mex`: queries in GraphQL, known by the ids that clients have for them. Those about channels and
//! about the lock on writing to strangers are answered.

use serde_json::{Value, json};
use wacore::iq::mex_operations::{
    create_newsletter, fetch_all_newsletters_metadata, fetch_newsletter, fetch_reachout_timelock,
    join_newsletter, leave_newsletter, update_newsletter, update_newsletter_user_setting,
};
use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;

use super::Answer;
use crate::channels::Channel;
use crate::client::Session;

pub(super) fn handle(session: &Session, query: &NodeRef<'_>) -> Answer {
    let Some(asked) = query.get_optional_child("query") else {
        return Answer::BAD_REQUEST;
    };
    let id = asked
        .get_attr("query_id")
        .map(|id| id.as_str().into_owned());
    let variables = asked
        .content_bytes()
        .and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok())
        .map(|body| body["variables"].clone());
    let (Some(id), Some(variables)) = (id, variables) else {
        return Answer::BAD_REQUEST;
    };
    let Some(data) = data(session, &id, &variables) else {
        tracing::debug!(id, "a GraphQL query has no answer here");
        return Answer::NOT_IMPLEMENTED;
    };
    let body = json!({ "data": data }).to_string();
    let result = NodeBuilder::new("result").bytes(body.into_bytes());
    Answer::Result(vec![result.build()])
}

/// The data of the answer; none for a query that is not known here.
fn data(session: &Session, id: &str, variables: &Value) -> Option<Value> {
    let account = &session.address.account;
    let channels = &session.world.channels;
    let text = |pointer: &str| variables.pointer(pointer).and_then(Value::as_str);
    let named = |pointer: &str| channels.find(text(pointer)?);
    let shown = |channel: Option<&Channel>| match channel {
        Some(channel) => about(session, channel),
        None => Value::Null,
    };
    Some(match id {
        create_newsletter::DOC_ID => {
            let name = text("/input/name").unwrap_or_default();
            let description = text("/input/description").unwrap_or_default();
            let channel = channels.create(account, name, description);
            json!({ "xwa2_newsletter_create": about(session, &channel) })
        }
        fetch_newsletter::DOC_ID => {
            json!({ "xwa2_newsletter": shown(named("/input/key").as_deref()) })
        }
        fetch_all_newsletters_metadata::DOC_ID => {
            let followed = channels.followed_by(account);
            let followed = followed.iter().map(|channel| about(session, channel));
            json!({ "xwa2_newsletter_subscribed": followed.collect::<Vec<_>>() })
        }
        join_newsletter::DOC_ID => {
            let channel = named("/newsletter_id");
            if let Some(channel) = &channel {
                channel.follow(account, true);
            }
            json!({ "xwa2_newsletter_join_v2": shown(channel.as_deref()) })
        }
        leave_newsletter::DOC_ID => {
            let channel = named("/newsletter_id");
            if let Some(channel) = &channel {
                channel.follow(account, false);
            }
            json!({ "xwa2_newsletter_leave_v2": shown(channel.as_deref()) })
        }
        update_newsletter::DOC_ID => {
            let channel = named("/newsletter_id").filter(|channel| {
                let (name, about) = (text("/updates/name"), text("/updates/description"));
                channel.rename(account, name, about)
            });
            json!({ "xwa2_newsletter_update": shown(channel.as_deref()) })
        }
        update_newsletter_user_setting::DOC_ID => {
            let channel = named("/input/newsletter_id");
            json!({ "xwa2_newsletter_update_user_setting": shown(channel.as_deref()) })
        }
        fetch_reachout_timelock::DOC_ID => {
            let lock = session.world.conducts.timelock(account.phone_number());
            let state = match lock {
                Some(lock) => json!({
                    "is_active": true,
                    "enforcement_type": lock.enforcement,
                    "time_enforcement_ends": lock.ends.to_string(),
                }),
                None => json!({ "is_active": false }),
            };
            json!({ "xwa2_fetch_account_reachout_timelock": state })
        }
        _ => return None,
    })
}

/// A channel, as clients read it.
fn about(session: &Session, channel: &Channel) -> Value {
    let about = channel.about(&session.address.account);
    json!({
        "id": about.jid.to_string(),
        "state": { "type": "active" },
        "thread_metadata": {
            "name": { "text": about.name },
            "description": { "text": about.description },
            "subscribers_count": about.followers.to_string(),
            "verification": "UNVERIFIED",
            "invite": about.invite,
            "creation_time": about.created_at.to_string(),
        },
        "viewer_metadata": { "role": about.role },
    })
}
