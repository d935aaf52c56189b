//! Every lane: how deep, how old, what of its rate is left. The filters are the address.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use gateway_shared::lane::SessionRef;
use maud::{Markup, html};
use serde::Deserialize;

use super::access::Present;
use super::overview::label;
use super::{Failure, layout, words};
use crate::control::Lane;
use crate::control::census::{census, lanes};
use crate::state::App;

/// Lanes a page.
const PAGE: usize = 50;
/// What lanes can be in order of: name in the address, head of the column, whether it is a number.
const SORTS: [(&str, &str); 5] = [
    ("waiting", "Waiting"),
    ("oldest", "Oldest"),
    ("flight", "In flight"),
    ("dead", "Dead letters"),
    ("name", "Session"),
];
const STATES: [(&str, &str); 5] = [
    ("", "any"),
    ("waiting", "something waits"),
    ("held", "held"),
    ("dead", "with dead letters"),
    ("empty", "empty"),
];

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    organization: String,
    session: String,
    state: String,
    sort: String,
    page: usize,
}

impl Filter {
    fn address(&self, sort: &str, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("organization", self.organization.as_str()),
            ("session", &self.session),
            ("state", &self.state),
            ("sort", sort),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if page > 0 {
            query.append_pair("page", &page.to_string());
        }
        format!("/ops/queues?{}", query.finish())
    }

    fn wants(&self, lane: &Lane) -> bool {
        let named = self.session.trim().to_lowercase();
        (self.organization.is_empty() || lane.of.organization.as_str() == self.organization.trim())
            && (named.is_empty()
                || lane.of.session.as_str() == self.session.trim()
                || lane.session.label.to_lowercase().contains(&named))
            && match self.state.as_str() {
                "waiting" => lane.gauge.depth > 0,
                "held" => lane.is_held(),
                "dead" => lane.gauge.dead_letters > 0,
                "empty" => lane.gauge.depth == 0,
                _ => true,
            }
    }
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Query(filter): Query<Filter>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let census = census(&app).await?;
    let mut found: Vec<&Lane> = census
        .lanes
        .iter()
        .filter(|lane| filter.wants(lane))
        .collect();
    let sort = if filter.sort.is_empty() {
        "waiting"
    } else {
        filter.sort.as_str()
    };
    match sort {
        "oldest" => found.sort_by_key(|lane| lane.gauge.oldest_at.unwrap_or(i64::MAX)),
        "flight" => found.sort_by_key(|lane| Reverse(lane.gauge.in_flight)),
        "dead" => found.sort_by_key(|lane| Reverse(lane.gauge.dead_letters)),
        "name" => found.sort_by_key(|lane| lane.session.label.to_lowercase()),
        _ => found.sort_by_key(|lane| Reverse(lane.gauge.depth)),
    }
    let all = found.len();
    let page: Vec<SessionRef> = found
        .iter()
        .skip(filter.page.saturating_mul(PAGE))
        .take(PAGE)
        .map(|lane| lane.of.clone())
        .collect();
    // Those that are shown are looked at now, whatever the age of the rest.
    let shown = lanes(&app, &page).await?;
    let content = html! {
        h1 { "Queues" }
        p class="quiet" { "One lane for each session. What waits in it leaves in the order of its chats, as the session's rate allows." }
        form method="get" class="filters" {
            label { "Session" input name="session" value=(filter.session) placeholder="Name or id"; }
            label { "Tenant"
                select name="organization" {
                    option value="" { "any" }
                    @for one in &census.organizations { option value=(one.id) selected[one.id.as_str() == filter.organization] { (one.name) } }
                }
            }
            label { "State"
                select name="state" { @for (value, name) in STATES { option value=(value) selected[value == filter.state] { (name) } } }
            }
            label { "In order of"
                select name="sort" { @for (value, name) in SORTS { option value=(value) selected[value == sort] { (name) } } }
            }
            button type="submit" { "Filter" }
        }
        @if shown.is_empty() { p class="empty" { "No lane matches. There is one for every session; a session is made with " code { "POST /api/v1/sessions" } "." } }
        @else {
            div class="wide" { table {
                thead { tr {
                    th { "Session" } th { "State" }
                    @for (value, name) in [("waiting", "Waiting"), ("oldest", "Oldest"), ("flight", "In flight")] {
                        th class="n" aria-sort=[(value == sort).then_some("descending")] { a href=(filter.address(value, 0)) { (name) } }
                    }
                                        th class="n" { "Minute used" } th class="n" { "Hour used" }
                    th class="n" aria-sort=[("dead" == sort).then_some("descending")] { a href=(filter.address("dead", 0)) { "Dead letters" } }
                    @if who.may_act() { th { span class="sr" { "Actions" } } }
                } }
                tbody data-list { @for lane in &shown { (row(&who, lane, now)) } }
            } }
            div class="pages" {
                span { (words::things(u64::try_from(all).unwrap_or(0), "lane")) @if census.lanes.len() > 300 { ", counted " (words::ago(now, census.at)) } }
                @if filter.page > 0 { a href=(filter.address(sort, filter.page - 1)) { "Page before" } }
                @if (filter.page + 1) * PAGE < all { a href=(filter.address(sort, filter.page + 1)) { "Next page" } }
            }
        }
    };
    layout::page(&app, &who, "/ops/queues", "Queues", &content).await
}

fn row(who: &Present, lane: &Lane, now: i64) -> Markup {
    let session = lane.of.session.as_str();
    let spent = |spent: Option<u64>, limit: u32| match spent {
        Some(spent) => format!("{spent} of {limit}"),
        None => "unlimited".to_owned(),
    };
    let purge = format!(
        "{} wait in this lane. Cancelled sends are not sent; their senders are told.",
        words::things(lane.gauge.depth, "send")
    );
    let number = (lane.gauge.depth > crate::control::jobs::TYPED_ABOVE).then_some(lane.gauge.depth);
    html! {
        tr data-id=(session) {
            td data-label="Session" { a class="name" href={ "/ops/sessions/" (session) } { bdi { (label(lane)) } } }
            td data-label="State" {
                @if lane.is_held() { (words::state("held", "held", if lane.session.paused { "paused" } else { "resting" })) }
                @else { (words::session_state(lane.session.status)) }
            }
            td class="n" data-label="Waiting" { @if lane.gauge.depth > 0 { a href={ "/ops/messages?status=queued&session=" (session) } { (words::count(lane.gauge.depth)) } @if lane.gauge.scheduled > 0 { br; span class="quiet" { (words::count(lane.gauge.scheduled)) " for later" } } } @else { "0" } }
            td class="n" data-label="Oldest" { @match lane.gauge.oldest_at { Some(at) => (words::ago(now, at)), None => "–" } }
            td class="n" data-label="In flight" { (lane.gauge.in_flight) }
            td class="n" data-label="Minute used" { (spent(lane.gauge.spent_of_minute, lane.session.limits.rate_per_min)) }
            td class="n" data-label="Hour used" { (spent(lane.gauge.spent_of_hour, lane.session.limits.rate_per_hour)) }
            td class="n" data-label="Dead letters" { @if lane.gauge.dead_letters > 0 { a href={ "/ops/messages?status=failed&session=" (session) } { (words::count(lane.gauge.dead_letters)) } } @else { "0" } }
            @if who.may_act() {
                td class="do" {
                    @if lane.is_held() { (layout::action(who, "lane.resume", "Resume", &[("session", session)], None)) }
                    @else { (layout::action(who, "lane.pause", "Pause", &[("session", session)], None)) }
                    @if lane.gauge.depth > 0 { " " (layout::numbered(who, "job.cancel", "Purge", &[("session", session)], Some(&purge), number)) }
                }
            }
        }
    }
}
