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
    let plausible = asked
        .before
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !plausible {
        return Err(Failure::missing("page"));
    }
    let lines = app.operators.audit_log(&asked.before, PAGE).await?;
    let content = html! {
        @if lines.is_empty() { p class="empty" { "Nothing was done yet. What operators do is listed here, also what they ask to see." } }
        @else {
            table {
                thead { tr { th class="n" { "When" } th { "Who" } th { "From" } th { "What" } th { "To what" } th { "Details" } } }
                tbody {
                    @for line in &lines {
                        @let at = line.id.split('-').next().and_then(|at| at.parse().ok()).unwrap_or(0);
                        @let [operator, from, action, target, detail] = &line.fields;
                        tr {
                            td class="n" data-label="When" { (words::ago(now, at)) }
                            td data-label="Who" { bdi { (operator) } }
                            td data-label="From" { (from) }
                            td data-label="What" { code { (action) } }
                            td data-label="To what" { (target) }
                            td data-label="Details" { (detail) }
                        }
                    }
                }
            }
            @if lines.len() == PAGE { @if let Some(last) = lines.last() { p { a class="next" href={ "/ops/audit?before=" (last.id) } { "Older" } } } }
        }
    };
    Ok(layout::page(
        &app,
        &who,
        "/ops/audit",
        "Audit log",
        &content,
    ))
}
