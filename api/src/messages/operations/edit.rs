//! Editing a text that this session sent.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use gateway_shared::clock::Millis;
use gateway_shared::domain::Content;
use serde_json::json;

use super::super::input::mentions;
use super::super::text;
use super::request::{Asked, Plan};
use super::target::message_not_found;
use crate::error::ApiError;
use crate::state::App;

/// How long after it was sent WhatsApp lets a message be edited, in milliseconds.
const WINDOW: Millis = 15 * 60 * 1_000;

/// `PATCH /sessions/{session}/messages/{mid}`: a new text for a text of our own.
pub(crate) async fn edit(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut asked = Asked::read(&app, request).await?;
    asked.read_sender();
    let text = text::read(&mut asked.fields, &mut asked.problems).unwrap_or_default();
    let mentions = mentions(&mut asked.fields, &mut asked.problems);
    let said = match mentions.as_slice() {
        [] => json!(text),
        mentions => json!([text, mentions]),
    };
    let order = asked.finish("", &said)?;
    let now = app.now();
    order
        .carry_out(&app, false, |target, found, problems| {
            if !found.message.was_sent_here() {
                return Err(message_not_found());
            }
            if found.message.kind != "text" {
                let kind = &found.message.kind;
                problems.add(
                    "mid",
                    format!("is of type {kind}: only texts can be edited"),
                );
            }
            let closes_at = found.taken_at().map(|at| at.saturating_add(WINDOW));
            if closes_at.is_some_and(|at| at <= now) {
                problems.add(
                    "mid",
                    "was sent more than 15 minutes ago: WhatsApp lets it be edited no more",
                );
            }
            Ok(Some(Plan {
                content: Content::Edit {
                    target,
                    text,
                    mentions,
                },
                to: None,
                expires_at: closes_at,
            }))
        })
        .await
}
