//! The sessions of all organizations, and who runs them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use futures_util::future::try_join_all;
use gateway_shared::domain::{OrganizationId, Session, SessionId, SessionStatus, WorkerId};
use gateway_shared::session::{Desired, SessionRecord};
use schemars::JsonSchema;
use serde::Serialize;

use super::page::Asked;
use crate::error::ApiError;
use crate::page::Page;
use crate::request::Problems;
use crate::state::App;

/// Who runs a session.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lease {
    /// The session.
    session: SessionId,
    /// Whose it is.
    organization: OrganizationId,
    /// What is wanted of it: `running`, `stopped` or `deleted`.
    desired: &'static str,
    /// Where it stands.
    status: SessionStatus,
    /// The worker that owns it.
    worker: Option<WorkerId>,
    /// Whether that worker is registered at present. A lease of one that is not is taken over.
    worker_registered: bool,
    /// The fencing token: how often it has changed hands.
    epoch: u64,
}

/// `GET /admin/sessions?organization=&session=&limit=&cursor=`.
pub(crate) async fn sessions(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Page<Session>>, ApiError> {
    let (records, next_cursor) = records(&app, &uri).await?;
    let data = records
        .into_iter()
        .filter(|record| record.desired != Desired::Deleted)
        .map(|record| record.session)
        .collect();
    Ok(Json(Page { data, next_cursor }))
}

/// `GET /admin/leases?organization=&session=&limit=&cursor=`.
pub(crate) async fn leases(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Page<Lease>>, ApiError> {
    let (records, next_cursor) = records(&app, &uri).await?;
    let workers = app.registry.workers().await?;
    let lease = |record: SessionRecord| {
        let SessionRecord {
            session,
            desired,
            epoch,
            ..
        } = record;
        let known = |id: &WorkerId| workers.iter().any(|worker| worker.id == *id);
        Lease {
            session: session.id,
            organization: session.organization_id,
            desired: match desired {
                Desired::Running => "running",
                Desired::Stopped => "stopped",
                Desired::Deleted => "deleted",
            },
            status: session.status,
            worker_registered: session.worker.as_ref().is_some_and(known),
            worker: session.worker,
            epoch: epoch.0,
        }
    };
    let data = records.into_iter().map(lease).collect();
    Ok(Json(Page { data, next_cursor }))
}

async fn records(
    app: &App,
    uri: &axum::http::Uri,
) -> Result<(Vec<SessionRecord>, String), ApiError> {
    let mut problems = Problems::default();
    let asked = Asked::read(uri, &mut problems);
    problems.settle()?;
    let (page, next) = asked.page(app).await?;
    let records = try_join_all(page.iter().map(|of| app.sessions.record(of))).await?;
    Ok((records.into_iter().flatten().collect(), next))
}
