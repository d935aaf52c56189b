//! Every lane: how deep, how old, what of its rate is left. The filters are the address.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::Present;
use super::overview::{Lane, directory, lanes};
use super::{Failure, layout, words};
use crate::state::App;

/// Lanes a page.
const PAGE: usize = 50;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    organization: String,
    session: String,
    state: String,
    after: String,
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Query(filter): Query<Filter>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let mut rest = directory(&app).await?;
    rest.retain(|of| {
        of.session.as_str() > filter.after.as_str()
            && (filter.organization.is_empty() || of.organization.as_str() == filter.organization)
            && (filter.session.is_empty() || of.session.as_str() == filter.session)
    });
    let more = rest.len() > PAGE;
    rest.truncate(PAGE);
    let next = rest
        .last()
        .filter(|_| more)
        .map(|of| of.session.to_string());
    let mut found = lanes(&app, &rest).await?;
    found.retain(|lane| match filter.state.as_str() {
        "waiting" => lane.gauge.depth > 0,
        "held" => lane.gauge.paused_until.is_some(),
        "empty" => lane.gauge.depth == 0,
        _ => true,
    });
    let content = html! {
        form method="get" class="filters" {
            label { "Organization " input name="organization" value=(filter.organization); }
            label { "Session " input name="session" value=(filter.session); }
            label { "State "
                select name="state" {
                    @for state in ["", "waiting", "held", "empty"] {
                        option value=(state) selected[state == filter.state] { @if state.is_empty() { "any" } @else { (state) } }
                    }
                }
            }
            button type="submit" { "Filter" }
        }
        @if found.is_empty() { p class="empty" { "No lane matches. A lane is there for every session; a session is made with " code { "POST /api/v1/sessions" } "." } }
        @else {
            table {
                thead { tr { th { "Session" } th { "State" } th class="n" { "Waiting" } th class="n" { "In flight" } th class="n" { "Scheduled" } th class="n" { "Oldest" } th class="n" { "Spent of minute" } th class="n" { "Spent of hour" } th { "" } } }
                tbody { @for lane in &found { (row(&who, lane, now)) } }
            }
            @if let Some(next) = next { p { a class="next" href={ "/ops/queues?organization=" (filter.organization) "&state=" (filter.state) "&after=" (next) } { "Next page" } } }
        }
    };
    Ok(layout::page(&app, &who, "/ops/queues", "Queues", &content))
}

fn row(who: &Present, lane: &Lane, now: i64) -> Markup {
    let session = lane.of.session.as_str();
    let spent = |spent: Option<u64>, limit: u32| match spent {
        Some(spent) => format!("{spent} of {limit}"),
        None => "unlimited".to_owned(),
    };
    html! {
        tr {
            td data-label="Session" { a href={ "/ops/sessions/" (session) } { bdi { (lane.session.label) } } " " (words::id(session)) }
            td data-label="State" {
                @if lane.session.paused || lane.gauge.paused_until.is_some() { span class="state held" { "‖ held" } }
                @else { (words::session_state(lane.session.status)) }
            }
            td class="n" data-label="Waiting" { (lane.gauge.depth) }
            td class="n" data-label="In flight" { (lane.gauge.in_flight) }
            td class="n" data-label="Scheduled" { (lane.gauge.scheduled) }
            td class="n" data-label="Oldest" { @match lane.gauge.oldest_at { Some(at) => (words::ago(now, at)), None => "–" } }
            td class="n" data-label="Spent of minute" { (spent(lane.gauge.spent_of_minute, lane.session.limits.rate_per_min)) }
            td class="n" data-label="Spent of hour" { (spent(lane.gauge.spent_of_hour, lane.session.limits.rate_per_hour)) }
            td {
                @if lane.gauge.paused_until.is_some() { (layout::action(who, "lane.resume", "Resume", &[("session", session)], None)) }
                @else { (layout::action(who, "lane.pause", "Pause", &[("session", session)], None)) }
            }
        }
    }
}
