//! `/metrics`: this process' figures in Prometheus' text, on a listener of its own.
//!
//! No label names a session, phone, chat or organization: their number is not bounded.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gateway_shared::telemetry::metrics::{Exporter, TEXT};

use crate::state::App;

static EXPORTER: LazyLock<Option<Exporter>> = LazyLock::new(Exporter::install);

/// The listener's routes.
pub(crate) fn router(app: &Arc<App>) -> Router {
    // Installed before the first request is counted.
    LazyLock::force(&EXPORTER);
    Router::new()
        .route("/metrics", get(render))
        .route("/healthz", get(async || "ok\n"))
        .with_state(app.clone())
}

async fn render(State(app): State<Arc<App>>) -> Response {
    metrics::gauge!("gateway_reply_waiters").set(f64::from(
        u32::try_from(app.replies.count()).unwrap_or(u32::MAX),
    ));
    match EXPORTER.as_ref() {
        Some(exporter) => ([("content-type", TEXT)], exporter.render()).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Counts and times a request by its route and answer.
pub(crate) fn answered(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let labels = [
        ("method", method.as_str().to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("gateway_http_requests_total", &labels).increment(1);
    metrics::histogram!("gateway_http_request_duration_seconds", &labels)
        .record(took.as_secs_f64());
}
