//! API keys of an organization: making, listing and revoking them.
//!
//! Nobody can give what they do not have: a key has no capability that its maker lacks, the keys that
//! somebody who is confined to sessions makes, sees and revokes are confined to those, and a key that
//! a key with an end makes ends no later.

pub(crate) mod docs;
mod input;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use gateway_shared::apikey::{ApiKey, Capability};
use gateway_shared::domain::ApiKeyId;
use gateway_shared::lane::SessionRef;
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Caller;
use crate::error::{ApiError, Code};
use crate::page::Page;
use crate::request::{Named, Problems, read_body};
use crate::state::App;
use input::Wanted;

/// A new key with its secret, which is shown this once.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MadeKey {
    /// The key itself: `wa_…`. It is kept only as a hash and can not be shown again.
    key: String,
    /// What is kept of it.
    #[serde(flatten)]
    record: ApiKey,
}

/// `GET /api-keys`: those of the organization that the caller may see, in one page.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
) -> Result<Json<Page<ApiKey>>, ApiError> {
    let mut keys = app.keys.list(&caller.organization).await?;
    keys.retain(|key| in_sight(&caller, key));
    Ok(Json(Page::only(keys)))
}

/// `POST /api-keys`.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Result<Response, ApiError> {
    let now = app.now();
    // A login ends within hours; what a person makes in it stays.
    let latest = caller.expires_at.filter(|_| caller.is_key);
    let mut wanted = read_body(&app, request, |fields, problems| {
        Wanted::read(fields, now, latest, problems)
    })
    .await?;
    if let Some(lacking) = lacking(&caller, &wanted) {
        return Err(ApiError::new(
            Code::Forbidden,
            format!("a key can not be given what its maker lacks: {lacking}"),
        )
        .with("requiredCapability", lacking.as_str()));
    }
    // Of a caller who is confined, a key that names no session gets the same confines.
    if wanted.sessions.is_none() {
        wanted.sessions.clone_from(&caller.sessions);
    }
    exist(&app, &caller, &wanted).await?;
    app.organizations.note(&caller.organization).await?;
    let (secret, record) = app
        .keys
        .create(now, wanted.of(&caller.organization))
        .await?;
    tracing::info!(organization = %record.organization, key = %record.id, "API key made");
    let made = MadeKey {
        key: secret.reveal().to_owned(),
        record,
    };
    let headers = [(CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(made)).into_response())
}

/// `DELETE /api-keys/{keyId}`: it is refused from now on, by every process.
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<StatusCode, ApiError> {
    let not_found = || ApiError::not_found("API key");
    let id: ApiKeyId = id.parse().map_err(|_| not_found())?;
    if caller.sessions.is_some() {
        let keys = app.keys.list(&caller.organization).await?;
        let seen = keys
            .iter()
            .any(|key| key.id == id && in_sight(&caller, key));
        if !seen {
            return Err(not_found());
        }
    }
    let revoked = app.keys.revoke(&caller.organization, &id).await?;
    let hash = revoked.ok_or_else(not_found)?;
    // The others are told; this process need not wait to hear of it.
    app.authenticators.keys().changed(hash.as_str());
    tracing::info!(organization = %caller.organization, key = %id, "API key revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a caller may see a key: one who is confined sees only keys within the same confines.
fn in_sight(caller: &Caller, key: &ApiKey) -> bool {
    match (&caller.sessions, &key.sessions) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(_), Some(sessions)) => sessions.iter().all(|session| caller.sees(session)),
    }
}

/// A capability that is wanted of a key and that its maker lacks.
fn lacking(caller: &Caller, wanted: &Wanted) -> Option<Capability> {
    wanted
        .capabilities
        .iter()
        .find(|one| !caller.capabilities.has(*one))
}

/// Fails unless the sessions of a key's scope exist, as far as the caller can see.
async fn exist(app: &App, caller: &Caller, wanted: &Wanted) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    for (index, session) in wanted.sessions.iter().flatten().enumerate() {
        let of = SessionRef {
            organization: caller.organization.clone(),
            session: session.clone(),
        };
        if !caller.sees(session) || app.sessions.get(&of).await?.is_none() {
            problems.add(format!("sessions[{index}]"), "there is no such session");
        }
    }
    problems.settle()
}
