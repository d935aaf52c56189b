//! Webhooks: making, finding, changing and trying them, and what became of their deliveries.
//!
//! Secrets are shown when they are made and never again. A caller who is confined to sessions sees
//! and makes webhooks of these sessions only.

mod deliveries;
pub(crate) mod docs;
mod input;
mod trial;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_shared::domain::{SessionId, WebhookId};
use gateway_shared::lane::SessionRef;
use gateway_shared::webhooks::{
    CreateWebhook, Created, Resume, Secrets, Updated, Webhook, WebhookError, WebhookRef,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Caller;
use crate::error::{ApiError, Code};
use crate::page::Page;
use crate::request::{Named, Problems, idempotency_key, read_body};
use crate::router::BASE;
use crate::state::App;

pub(crate) use deliveries::{
    delivery, list as deliveries, replay, replay_dead, replay_many, replay_one,
};
pub(crate) use trial::test;

/// A webhook with its secret, which is shown this once.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MadeWebhook {
    /// What signs its deliveries: `whsec_` and the base64 of 32 random bytes.
    secret: String,
    /// What is kept of it.
    #[serde(flatten)]
    webhook: Webhook,
}

/// A new secret.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RotatedSecret {
    /// What signs from now on. It can not be shown again.
    secret: String,
    /// Until when the former one signs beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_until: Option<i64>,
}

/// `GET /webhooks`: all that the caller may see, in one page, without secrets.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
) -> Result<Json<Page<Webhook>>, ApiError> {
    let mut webhooks = app.webhooks.list(&caller.organization).await?;
    webhooks.retain(|webhook| in_sight(&caller, webhook));
    Ok(Json(Page::only(webhooks)))
}

/// `POST /webhooks`.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let new = read_body(&app, request, |fields, problems| {
        let key = idempotency_key(&headers, problems).map(str::to_owned);
        input::new_webhook(fields, problems, &app.egress, key)
    })
    .await?;
    if new.session_id.is_none() && caller.sessions.is_some() {
        return Err(confined());
    }
    exists(&app, &caller, new.session_id.as_ref()).await?;
    let new: CreateWebhook = new.into();
    let most = app.config.webhooks.max_per_organization;
    let kept = app.config.retention.idempotency_ms;
    app.organizations.note(&caller.organization).await?;
    let made = app
        .webhooks
        .create(app.now(), &caller.organization, &new, most, kept);
    let (webhook, secrets) = match made.await? {
        Created::Made(webhook, secrets) => {
            tracing::info!(organization = %caller.organization, webhook = %webhook.id, "webhook made");
            (webhook, secrets)
        }
        Created::Replayed(webhook, secrets) => (webhook, secrets),
        Created::KeyReused => {
            return Err(ApiError::conflict(
                "idempotency_key_reused",
                "the Idempotency-Key was used before with another request",
            ));
        }
        Created::Limit => {
            return Err(ApiError::conflict(
                "webhook_limit",
                format!("an organization may have at most {most} webhooks"),
            )
            .with("limit", most));
        }
    };
    let location = HeaderValue::from_str(&format!("{BASE}/webhooks/{}", webhook.id));
    let made = MadeWebhook {
        secret: secrets.present.reveal().to_owned(),
        webhook,
    };
    let headers = [(CACHE_CONTROL, "no-store")];
    let mut response = (StatusCode::CREATED, headers, Json(made)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// `GET /webhooks/{webhookId}`.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<Json<Webhook>, ApiError> {
    let (_, webhook, _) = found(&app, &caller, &id).await?;
    Ok(Json(webhook))
}

/// `PATCH /webhooks/{webhookId}`: what is given changes.
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
    request: Request,
) -> Result<Json<Webhook>, ApiError> {
    let (of, _, _) = found(&app, &caller, &id).await?;
    let patch = read_body(&app, request, |fields, problems| {
        input::patch(fields, problems, &app.egress)
    })
    .await?;
    exists(&app, &caller, patch.session_id.as_ref()).await?;
    let updated = app
        .webhooks
        .update(app.now(), &of, patch.active, |webhook| patch.apply(webhook));
    match updated.await? {
        Updated::Changed(webhook) => Ok(Json(*webhook)),
        Updated::NotFound => Err(not_found()),
    }
}

/// `DELETE /webhooks/{webhookId}`.
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<StatusCode, ApiError> {
    let (of, _, _) = found(&app, &caller, &id).await?;
    if !app.webhooks.delete(&of).await? {
        return Err(not_found());
    }
    tracing::info!(organization = %of.organization, webhook = %of.webhook, "webhook deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /webhooks/{webhookId}:rotate-secret`.
pub(crate) async fn rotate_secret(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (of, _, _) = found(&app, &caller, &id).await?;
    let keep = read_body(&app, request, input::rotation).await?;
    let keep_ms = keep.unwrap_or(app.config.webhooks.rotation_ms);
    let rotated = app.webhooks.rotate_secret(app.now(), &of, keep_ms).await?;
    let secrets: Secrets = rotated.ok_or_else(not_found)?;
    tracing::info!(organization = %of.organization, webhook = %of.webhook, "webhook secret rotated");
    let rotated = RotatedSecret {
        secret: secrets.present.reveal().to_owned(),
        former_until: secrets.former.map(|(_, until)| until),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(rotated)).into_response())
}

/// `POST /webhooks/{webhookId}:resume`.
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
    request: Request,
) -> Result<Json<Webhook>, ApiError> {
    let (of, _, _) = found(&app, &caller, &id).await?;
    let from: Option<Resume> = read_body(&app, request, input::resume).await?;
    if !app
        .webhooks
        .resume(&of, from.unwrap_or(Resume::Stopped))
        .await?
    {
        return Err(not_found());
    }
    let (_, webhook, _) = found(&app, &caller, &id).await?;
    Ok(Json(webhook))
}

/// The webhook that a path names, as far as this caller may see it.
async fn found(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<(WebhookRef, Webhook, Secrets), ApiError> {
    let webhook: WebhookId = id.parse().map_err(|_| not_found())?;
    let of = WebhookRef {
        organization: caller.organization.clone(),
        webhook,
    };
    match app.webhooks.get(&of).await? {
        Some((webhook, secrets)) if in_sight(caller, &webhook) => Ok((of, webhook, secrets)),
        _ => Err(not_found()),
    }
}

/// Whether a caller may see a webhook: one who is confined to sessions only those of these sessions.
fn in_sight(caller: &Caller, webhook: &Webhook) -> bool {
    match (&caller.sessions, &webhook.session_id) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(_), Some(session)) => caller.sees(session),
    }
}

/// Fails unless the session exists, as far as the caller can see.
async fn exists(app: &App, caller: &Caller, session: Option<&SessionId>) -> Result<(), ApiError> {
    let Some(session) = session else {
        return Ok(());
    };
    let of = SessionRef {
        organization: caller.organization.clone(),
        session: session.clone(),
    };
    let mut problems = Problems::default();
    if !caller.sees(session) || app.sessions.get(&of).await?.is_none() {
        problems.add("sessionId", "there is no such session");
    }
    problems.settle()
}

fn confined() -> ApiError {
    ApiError::new(
        Code::Forbidden,
        "a key confined to sessions must name one of them in sessionId",
    )
    .with("requiredCapability", "manage")
}

fn not_found() -> ApiError {
    ApiError::not_found("webhook")
}

impl From<WebhookError> for ApiError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Redis(failure) => failure.into(),
            other => Self::new(Code::Internal, "internal error").caused_by(other),
        }
    }
}
