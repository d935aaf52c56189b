//! Whether this process lives, and whether it can serve.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gateway_shared::client_version::ClientVersions;
use gateway_shared::domain::InstallationId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::ApiError;
use crate::state::App;

/// How a process is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `ok` or `ready`.
    status: &'static str,
    /// The installation that Redis holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    installation: Option<InstallationId>,
    /// What an operator should look at, although requests are served.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
}

/// Something that wants an operator.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Warning {
    /// `client_outdated`.
    code: &'static str,
    /// What it is, for people.
    message: String,
}

/// `GET /healthz`: the process lives.
pub(crate) async fn live() -> Json<Health> {
    Json(Health {
        status: "ok",
        installation: None,
        warnings: Vec::new(),
    })
}

/// `GET /readyz`: it can serve: Redis answers and takes writes, answers of workers arrive, and it is not ending.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Health>, ApiError> {
    if app.stopping.is_cancelled() {
        return Err(ApiError::unavailable(
            "shutting_down",
            "this process is ending",
        ));
    }
    app.store.ping().await?;
    // The write is tried once a second and not for each who asks, who may be anybody.
    if let Some(failure) = app.health_monitor.refused() {
        return Err(failure.into());
    }
    if let Some(foreign) = app.installation.foreign() {
        return Err(foreign.into());
    }
    if !*app.subscribed.borrow() {
        return Err(ApiError::unavailable(
            "redis_unreachable",
            "this process is not subscribed to its reply channel yet",
        ));
    }
    Ok(Json(Health {
        status: "ready",
        installation: app.installation.id(),
        warnings: outdated(&app).await?.into_iter().collect(),
    }))
}

/// Whether WhatsApp rejects the version of the client that the workers announce.
async fn outdated(app: &App) -> Result<Option<Warning>, ApiError> {
    let known = ClientVersions::new(app.store.clone()).known().await?;
    if !known.is_outdated() {
        return Ok(None);
    }
    let rejected = known.rejected.unwrap_or_default();
    let fetched = match known.problem {
        Some(problem) => format!("; the newest one is not known: {problem}"),
        None => String::new(),
    };
    Ok(Some(Warning {
        code: "client_outdated",
        message: format!("WhatsApp rejects client version {rejected}{fetched}"),
    }))
}

/// What these routes say of themselves.
pub(crate) mod docs {
    use serde_json::json;

    use super::Health;
    use crate::error::Code;
    use crate::openapi::Operation;

    pub(crate) fn live() -> Operation {
        Operation::new("Service", "getLiveness", "Whether this process lives").answer::<Health>(
            200,
            "It does.",
            json!({"status": "ok"}),
        )
    }

    pub(crate) fn ready() -> Operation {
        Operation::new("Service", "getReadiness", "Whether this process can serve")
            .about(
                "Redis answers and takes writes, answers of workers arrive, and it is not ending. `warnings` says what \
                 wants an operator although requests are served: `client_outdated` while WhatsApp \
                 rejects the version that the workers announce.",
            )
            .answer::<Health>(200, "It can.", json!({"status": "ready", "installation": "ins_01KAHX3N5RDGT0M7Y8Z9ABCDEF"}))
            .error(
                Code::GatewayUnavailable,
                "`shutting_down`, `redis_unreachable`, `redis_out_of_memory`, `redis_read_only`, \
                 `redis_too_few_replicas`, `redis_cannot_persist`, `redis_loading`, \
                 `redis_master_down`, `redis_cluster_down`, `redis_slot_moving`, \
                 `redis_access_denied`: take it out of the \
                 load balancer; `store_lost`, `store_replaced`, `store_newer`, `secrets_key_missing`, \
                 `secrets_key_wrong`: it is not the Redis it should be, or not the right keys",
            )
    }
}
