//! Reacting to a message, and taking the reaction back.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use gateway_shared::domain::Content;
use serde_json::json;

use super::emoji::Emoji;
use super::request::Asked;
use crate::error::ApiError;
use crate::state::App;

/// `POST /sessions/{session}/messages/{mid}/reaction`: the reaction takes the place of an earlier
/// one.
pub(crate) async fn react(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut asked = Asked::read(&app, request).await?;
    asked.read_sender();
    asked.fields.require(&mut asked.problems, "emoji");
    let emoji = asked.fields.parsed::<Emoji>(&mut asked.problems, "emoji");
    let emoji = emoji.map(String::from).unwrap_or_default();
    let order = asked.finish("reaction", &json!(emoji))?;
    order
        .carry_out(&app, false, |target, _, _| {
            Ok(Some(Content::Reaction { target, emoji }.into()))
        })
        .await
}

/// `DELETE /sessions/{session}/messages/{mid}/reaction`: sends the empty reaction, whether or not
/// there was one.
pub(crate) async fn unreact(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut asked = Asked::read(&app, request).await?;
    asked.read_sender();
    asked.fields.ignore("emoji");
    let order = asked.finish("reaction", &json!(null))?;
    order
        .carry_out(&app, false, |target, _, _| {
            let emoji = String::new();
            Ok(Some(Content::Reaction { target, emoji }.into()))
        })
        .await
}
