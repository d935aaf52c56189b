//! Taking a message back for everyone.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use gateway_shared::domain::Content;
use serde_json::Value;

use super::request::Asked;
use crate::error::ApiError;
use crate::state::App;

/// `DELETE /sessions/{session}/messages/{mid}`: an own message; in a group that the account
/// administers, anybody's. One that still waits here is cancelled, and the answer says so.
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut asked = Asked::read(&app, request).await?;
    asked.read_sender();
    let order = asked.finish("", &Value::Null)?.or_cancel();
    order
        .carry_out(&app, false, |target, found, problems| {
            if !target.is_own() && !found.message.chat.ends_with("@g.us") {
                problems.add(
                    "mid",
                    "is somebody else's: in a direct chat only own messages can be revoked",
                );
            }
            Ok(Some(Content::Revoke { target }.into()))
        })
        .await
}
