//! `/admin/client-version` and `/sw.js`: which versions of the client are served.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use wacore_binary::builder::NodeBuilder;

use super::body::Body;
use super::error::AdminError;
use super::{Answer, Shared};
use crate::clock;
use crate::versions::{Below, Version};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Change {
    /// The oldest version served from now on; `""` serves every version.
    minimum: Option<String>,
    /// What becomes of older ones.
    below: Option<Below>,
    /// What `/sw.js` names; `""` takes the page away.
    newest: Option<String>,
    /// Tells every connected companion that its version expires in so many seconds.
    expires_in: Option<u64>,
}

/// The policy as it is, with what was counted.
pub(super) async fn show(State(world): Shared) -> Answer {
    Ok(Json(json!(world.versions.policy())))
}

/// Changes the policy; what is left out stays.
pub(super) async fn change(State(world): Shared, Body(change): Body<Change>) -> Answer {
    let version = |text: Option<String>| match text.as_deref() {
        None => Ok(None),
        Some("") => Ok(Some(None)),
        Some(text) => text
            .parse::<Version>()
            .map(|version| Some(Some(version)))
            .map_err(AdminError::BadRequest),
    };
    let (minimum, newest) = (version(change.minimum)?, version(change.newest)?);
    let policy = world.versions.change(|policy| {
        if let Some(minimum) = minimum {
            policy.minimum = minimum;
        }
        if let Some(newest) = newest {
            policy.newest = newest;
        }
        if let Some(below) = change.below {
            policy.below = below;
        }
    });
    if let Some(seconds) = change.expires_in {
        let at = clock::now_secs().saturating_add(seconds);
        let expiration = NodeBuilder::new("client_expiration").attr("t", at).build();
        let node = NodeBuilder::new("ib").children([expiration]).build();
        for account in world.accounts.all() {
            for companion in account.companions() {
                if let Some(link) = companion.mailbox.link() {
                    link.send(&node);
                }
            }
        }
    }
    Ok(Json(json!(policy)))
}

/// The page on which WhatsApp Web names its newest version.
pub(super) async fn service_worker(State(world): Shared) -> Response {
    match world.versions.service_worker() {
        Some(page) => ([(CONTENT_TYPE, "text/javascript")], page).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
