//! The audit log: who did what.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::Present;
use super::{Failure, layout, words};
use crate::state::App;

/// Lines a page.
const PAGE: usize = 100;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    before: String,
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Query(asked): Query<Asked>,
) -> Result<Markup, Failure> {
    let now = app.now();
    if !gateway_shared::operator::is_place(&asked.before) {
        return Err(Failure::missing("page"));
    }
    let lines = app.operators.audit_log(&asked.before, PAGE).await?;
    let content = html! {
        h1 { "Audit log" }
        p class="quiet" { "What operators did and what they asked to see, the latest first. It is kept apart from the retention of messages: the last 100,000 lines." }
        @if lines.is_empty() { p class="empty" { "Nothing was done yet." } }
        @else {
            div class="wide" {
                p class="newer" hidden { button type="button" { "newer" } }
                table {
                    thead { tr { th { "When" } th { "Who" } th { "From" } th { "What" } th { "To what" } th { "Details" } } }
                    tbody data-list {
                        @for line in &lines {
                            @let [operator, from, action, target, detail] = &line.fields;
                            tr data-id=(line.id) {
                                td data-label="When" { (words::ago(now, line.at())) }
                                td data-label="Who" { bdi { (operator) } }
                                td data-label="From" { (from) }
                                td data-label="What" { code { (action) } }
                                td data-label="To what" { bdi { (target) } }
                                td data-label="Details" { bdi { (detail) } }
                            }
                        }
                    }
                }
            }
            div class="pages" { @if let (true, Some(last)) = (lines.len() == PAGE, lines.last()) { a href={ "/ops/audit?before=" (last.id) } { "Older" } } }
        }
    };
    layout::page(&app, &who, "/ops/audit", "Audit log", &content).await
}
