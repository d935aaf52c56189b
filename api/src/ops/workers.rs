//! Workers: who is alive, and what they carry.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};

use super::access::Present;
use super::{Failure, layout, words};
use crate::state::App;

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let since = now - i64::try_from(app.config.worker.liveness_ms).unwrap_or(i64::MAX);
    let workers = app.registry.workers().await?;
    let content = html! {
        @if workers.is_empty() { p class="empty" { "No worker runs: nothing is sent until one starts. Start one with " code { "gateway-worker" } "." } }
        @else {
            table {
                thead { tr { th { "Worker" } th { "State" } th { "Host" } th { "Version" } th class="n" { "Sessions" } th class="n" { "Capacity" } th class="n" { "Heartbeat" } th class="n" { "Started" } } }
                tbody {
                    @for worker in &workers {
                        tr {
                            td data-label="Worker" { (words::id(worker.id.as_str())) }
                            td data-label="State" { @if worker.heartbeat_at >= since { span class="state done" { "● alive" } } @else { span class="state failed" { "✕ silent" } } }
                            td data-label="Host" { (worker.host) }
                            td data-label="Version" { (worker.version) }
                            td class="n" data-label="Sessions" { (worker.sessions) }
                            td class="n" data-label="Capacity" { (worker.capacity) }
                            td class="n" data-label="Heartbeat" { (words::ago(now, worker.heartbeat_at)) }
                            td class="n" data-label="Started" { (words::ago(now, worker.started_at)) }
                        }
                    }
                }
            }
        }
    };
    Ok(layout::page(
        &app,
        &who,
        "/ops/workers",
        "Workers",
        &content,
    ))
}
