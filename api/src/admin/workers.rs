//! The workers of the installation.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gateway_shared::registry::WorkerInfo;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::ApiError;
use crate::page::Page;
use crate::state::App;

/// A worker, and whether it lives.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Worker {
    /// What it says of itself.
    #[serde(flatten)]
    info: WorkerInfo,
    /// Whether its last sign of life is recent. One that is not alive is buried shortly.
    alive: bool,
}

/// `GET /admin/workers`: all that are registered, oldest first, in one page.
pub(crate) async fn workers(State(app): State<Arc<App>>) -> Result<Json<Page<Worker>>, ApiError> {
    let liveness = i64::try_from(app.config.worker.liveness_ms).unwrap_or(i64::MAX);
    let since = app.now().saturating_sub(liveness);
    let workers = app.registry.workers().await?;
    let workers = workers.into_iter().map(|info| Worker {
        alive: info.heartbeat_at >= since,
        info,
    });
    Ok(Json(Page::only(workers.collect())))
}
