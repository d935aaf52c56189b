//! Workers: who is alive, and what they carry.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};

use super::access::Present;
use super::{Failure, layout, words};
use crate::control::census::census;
use crate::state::App;

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
) -> Result<Markup, Failure> {
    let census = census(&app).await?;
    let now = app.now();
    // As it is, not as it was counted: a drain is watched here.
    let workers = app.registry.workers().await?;
    let alive =
        |at: i64| now - at <= i64::try_from(app.config.worker.liveness_ms).unwrap_or(i64::MAX);
    let content = html! {
        h1 { "Workers" }
        p class="quiet" { "Workers hold the connections to WhatsApp and share the sessions among themselves. One that falls silent is replaced within seconds." }
        @if workers.is_empty() { p class="empty" { "No worker runs: nothing is sent until one starts. Start one with " code { "gateway-worker" } "." } }
        @else {
            div class="wide" { table {
                thead { tr { th { "Worker" } th { "State" } th { "Host" } th { "Version" } th class="n" { "Sessions" } th class="n" { "CPU" } th class="n" { "Memory" } th class="n" { "Heartbeat" } th class="n" { "Started" } @if who.may_act() { th { span class="sr" { "Actions" } } } } }
                tbody data-list {
                    @for worker in &workers {
                        @let one = [("worker", worker.id.as_str())];
                        tr data-id=(worker.id) {
                            td data-label="Worker" { (words::id(worker.id.as_str())) }
                            td data-label="State" {
                                @if !alive(worker.heartbeat_at) { (words::state("failed", "cross", "silent")) }
                                @else if worker.draining && worker.sessions > 0 { (words::state("held", "half", "draining")) }
                                @else if worker.draining { (words::state("held", "held", "drained")) }
                                @else { (words::state("done", "on", "alive")) }
                            }
                            td data-label="Host" { bdi { (worker.host) } }
                            td data-label="Version" { (worker.version) }
                            td class="n" data-label="Sessions" { (worker.sessions) @if worker.capacity > 0 { span class="quiet" { " of " (words::count(u64::from(worker.capacity))) } } }
                            td class="n" data-label="CPU" { (worker.cpu_percent) " %" }
                            td class="n" data-label="Memory" { (words::bytes(worker.memory_bytes)) }
                            td class="n" data-label="Heartbeat" { (words::ago(now, worker.heartbeat_at)) }
                            td class="n" data-label="Started" { (words::ago(now, worker.started_at)) }
                            @if who.may_act() { td class="do" {
                                @if worker.draining { (layout::action(&who, "worker.undrain", "Let it take sessions", &one, None)) }
                                @else { (layout::action(&who, "worker.drain", "Drain", &one, None)) }
                            } }
                        }
                    }
                }
            } }
            p class="quiet" { "Draining gives a worker's sessions to the others, a few with each heartbeat, without losing or repeating a send. With no other worker to take them it keeps them. " (census.lanes.len()) " sessions in all." }
        }
    };
    layout::page(&app, &who, "/ops/workers", "Workers", &content).await
}
