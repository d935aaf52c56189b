//! Trying an endpoint.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use bytes::Bytes;
use gateway_shared::events::{EventIds, Place};
use gateway_shared::webhooks::{Format, Post, TEST_KIND, post};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::found;
use crate::access::Caller;
use crate::error::ApiError;
use crate::request::Named;
use crate::state::App;

/// What an endpoint answered to a trial.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trial {
    /// Whether it answered with success.
    delivered: bool,
    /// The id that the trial was sent under.
    event_id: String,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// The status of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The beginning of its answer, up to 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
}

/// `POST /webhooks/{webhookId}:test`: one signed request, now, whose answer is the answer. It is no
/// event: nothing of it is kept, nobody else is told, and nothing is tried again.
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<Json<Trial>, ApiError> {
    let (of, webhook, secrets) = found(&app, &caller, &id).await?;
    let now = app.now();
    // Of no event: no stream reaches this far in one millisecond.
    let place = Place {
        millis: u64::try_from(now).unwrap_or(0),
        sequence: u64::from(u32::MAX),
    };
    let event_id = EventIds::of(&of.organization).id(place).to_string();
    let body = match webhook.format {
        Format::Gateway => json!({
            "schema": "v1",
            "id": event_id,
            "event": TEST_KIND,
            "organization": of.organization,
            "timestamp": now,
            "payload": {"webhookId": of.webhook, "timestamp": now},
        }),
        Format::Whapi => json!({
            "messages": [],
            "event": {"type": "messages", "event": "post"},
            "channel_id": webhook.session_id,
        }),
    };
    let begun = Instant::now();
    let answer = post(
        &app.egress,
        Post {
            url: &webhook.url,
            custom_headers: &webhook.custom_headers,
            secrets: &secrets,
            id: &event_id,
            now,
            body: Bytes::from(body.to_string()),
        },
    )
    .await;
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let blank = Trial {
        delivered: false,
        event_id: event_id.clone(),
        duration_ms,
        status: None,
        error: None,
        response: None,
    };
    Ok(Json(match answer {
        Ok(answer) => Trial {
            delivered: answer.status.is_success(),
            status: Some(answer.status.as_u16()),
            response: Some(answer.body).filter(|body| !body.is_empty()),
            ..blank
        },
        Err(error) => Trial {
            error: Some(error.to_string()),
            ..blank
        },
    }))
}
