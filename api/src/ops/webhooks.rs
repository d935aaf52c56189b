//! Webhooks: endpoints, how they do, what waits for them and what they never took.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use gateway_shared::domain::DeliveryId;
use gateway_shared::webhooks::{
    AttemptRecord, Delivery, DeliveryStatus, HealthState, Webhook, WebhookRef,
};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::Present;
use super::{Failure, layout, words};
use crate::control::census::{census, is_down};
use crate::control::jobs::TYPED_ABOVE;
use crate::state::App;

/// Endpoints, and deliveries, a page.
const PAGE: usize = 50;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    state: String,
    organization: String,
    page: usize,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Query(filter): Query<Filter>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let census = census(&app).await?;
    let found = census.webhooks.iter().filter(|one| {
        (filter.state != "attention" || is_down(one))
            && (filter.organization.is_empty()
                || one.organization_id.as_str() == filter.organization)
    });
    let mut found: Vec<&Webhook> = found.collect();
    found.sort_by_key(|one| (!is_down(one), std::cmp::Reverse(one.health.held)));
    let all = found.len();
    let address = |page: usize| {
        format!(
            "/ops/webhooks?state={}&organization={}&page={page}",
            if filter.state == "attention" {
                "attention"
            } else {
                ""
            },
            form_urlencoded::byte_serialize(filter.organization.as_bytes()).collect::<String>()
        )
    };
    let shown = found
        .into_iter()
        .skip(filter.page.saturating_mul(PAGE))
        .take(PAGE);
    let content = html! {
        h1 { "Webhooks" }
        p class="quiet" { "Where tenants have their events posted. An endpoint that is down loses nothing: everything waits for it, in order." }
        form method="get" class="filters" {
            label { "State" select name="state" { option value="" { "any" } option value="attention" selected[filter.state == "attention"] { "needs attention" } } }
            label { "Tenant" select name="organization" { option value="" { "any" } @for one in &census.organizations { option value=(one.id) selected[one.id.as_str() == filter.organization] { (one.name) } } } }
            button type="submit" { "Filter" }
        }
        @if all == 0 { p class="empty" { "No webhook matches. A tenant makes one with " code { "POST /api/v1/webhooks" } "." } }
        @else {
            div class="wide" { table {
                thead { tr { th { "Endpoint" } th { "State" } th { "Tenant" } th class="n" { "Delivered" } th class="n" { "Taken" } th class="n" { "Waiting" } th class="n" { "Dead" } th { "Last error" } } }
                tbody data-list {
                    @for one in shown {
                        @let name = census.organizations.iter().find(|organization| organization.id == one.organization_id);
                        tr data-id=(one.id) {
                            td data-label="Endpoint" { a class="name" href={ "/ops/webhooks/" (one.organization_id) "/" (one.id) } { bdi { (one.url) } } }
                            td data-label="State" { (health(one)) }
                            td data-label="Tenant" { bdi { (name.map_or("", |one| one.name.as_str())) } }
                            td class="n" data-label="Delivered" { (words::count(one.health.delivered)) }
                            td class="n" data-label="Taken" { (taken(one)) }
                            td class="n" data-label="Waiting" { (words::count(one.health.held)) }
                            td class="n" data-label="Dead" { (words::count(one.health.dead)) }
                            td data-label="Last error" class="quiet" { bdi { (one.health.last_error.as_deref().unwrap_or("–")) } @if let Some(at) = one.health.retry_at { @if at > now { ", tried again " (words::ahead(now, at)) } } }
                        }
                    }
                }
            } }
            div class="pages" {
                span { (words::things(u64::try_from(all).unwrap_or(0), "webhook")) }
                @if filter.page > 0 { a href=(address(filter.page - 1)) { "Page before" } }
                @if (filter.page + 1) * PAGE < all { a href=(address(filter.page + 1)) { "Next page" } }
            }
        }
    };
    layout::page(&app, &who, "/ops/webhooks", "Webhooks", &content).await
}

/// What part of what ended was taken.
fn taken(webhook: &Webhook) -> String {
    let (delivered, dead) = (webhook.health.delivered, webhook.health.dead);
    match delivered + dead {
        0 => "–".to_owned(),
        all => format!("{} %", delivered * 100 / all),
    }
}

fn health(webhook: &Webhook) -> Markup {
    match webhook.health.state {
        HealthState::Ok => words::state("done", "on", "well"),
        HealthState::Failing => words::state("held", "half", "failing"),
        HealthState::Down => words::state("failed", "cross", "down"),
        HealthState::Disabled => words::state("ended", "held", "disabled"),
    }
}

/// Which deliveries are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    status: String,
    before: String,
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Path((organization, webhook)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let missing = || Failure::missing("webhook");
    let of = WebhookRef {
        organization: organization.parse().map_err(|_| missing())?,
        webhook: webhook.parse().map_err(|_| missing())?,
    };
    let (webhook, _) = app.webhooks.get(&of).await?.ok_or_else(missing)?;
    let status: Option<DeliveryStatus> = asked.status.parse().ok();
    let before: Option<DeliveryId> = asked.before.parse().ok();
    let mut deliveries = app
        .webhooks
        .deliveries(&of, status, before.as_ref(), PAGE + 1)
        .await?;
    let more = deliveries.len() > PAGE;
    deliveries.truncate(PAGE);
    let name = app.organizations.get(&of.organization).await?;
    let name = name.map_or_else(String::new, |one| one.name);
    let fields = [
        ("organization", of.organization.as_str()),
        ("webhook", of.webhook.as_str()),
    ];
    let dead = webhook.health.dead;
    let replay = format!("{} are delivered again, each apart.", things(dead));
    let number = (dead > TYPED_ABOVE).then_some(dead);
    let content = html! {
        p class="crumb" { a href="/ops/webhooks" { "Webhooks" } " / " a href={ "/ops/organizations/" (of.organization) } { bdi { (name) } } }
        div class="titled" {
            h1 { bdi { (webhook.url) } }
            div class="actions" {
                @if !webhook.active { (layout::action(&who, "webhook.resume", "Resume webhook", &fields, None)) }
                @if dead > 0 && webhook.active { (layout::numbered(&who, "webhook.replay_dead", &format!("Replay {}", things(dead)), &fields, Some(&replay), number)) }
            }
        }
        p class="summary" { (health(&webhook)) " " (sentence(&webhook, now)) }
        dl class="figures" {
            div { dt { "Delivered" } dd { (words::count(webhook.health.delivered)) " " small { "events" } } }
            div { dt { "Taken" } dd { (taken(&webhook)) " " small { "of what ended" } } }
            div { dt { "Waiting" } dd { (words::count(webhook.health.held)) " " small { "deliveries" } } }
            div { dt { "Dead" } dd { (words::count(dead)) " " small { "deliveries" } } }
            div { dt { "Events" } dd { (webhook.events.0.len()) " " small { (webhook.events.0.join(", ")) } } }
        }
        section aria-labelledby="deliveries" {
            h2 id="deliveries" { "Deliveries" small { "the latest first" } }
            form method="get" class="filters" {
                label { "Status" select name="status" { option value="" { "any" } @for one in DeliveryStatus::ALL { option value=(one.as_str()) selected[one.as_str() == asked.status] { (one.as_str()) } } } }
                button type="submit" { "Filter" }
            }
            @if deliveries.is_empty() { p class="empty" { "No deliveries here. The next event that this webhook wants shows at once." } }
            @else {
                div class="wide" {
                    p class="newer" hidden { button type="button" { "newer" } }
                    table {
                        thead { tr { th { "Delivery" } th { "Event" } th { "Status" } th class="n" { "Attempts" } th { "Last answer" } th class="n" { "First attempt" } @if who.may_act() { th { span class="sr" { "Actions" } } } } }
                        tbody data-list { @for delivery in &deliveries { (row(&who, &of, delivery, now)) } }
                    }
                }
                div class="pages" { @if let (true, Some(last)) = (more, deliveries.last()) { a href={ "?status=" (status.map_or("", DeliveryStatus::as_str)) "&before=" (last.id) } { "Older" } } }
            }
        }
    };
    layout::page(&app, &who, "/ops/webhooks", "Webhook", &content).await
}

fn things(dead: u64) -> String {
    if dead == 1 {
        "1 dead delivery".to_owned()
    } else {
        format!("{} dead deliveries", words::count(dead))
    }
}

fn sentence(webhook: &Webhook, now: i64) -> Markup {
    let health = &webhook.health;
    html! {
        @match health.state {
            HealthState::Ok => { "It takes what it is sent." }
            HealthState::Disabled => { "It gets nothing" @if let Some(why) = &health.disabled_reason { " (" (why.replace('_', " ")) ")" } ". What happens meanwhile waits in the event log." }
            _ => {
                (health.failures) " attempts in a row failed"
                @if let Some(since) = health.failing_since { ", since " (words::ago(now, since)) }
                "; everything waits for it, in order"
                @if let Some(at) = health.retry_at { @if at > now { ", and it is tried again " (words::ahead(now, at)) } } "."
            }
        }
        @if let Some(error) = &health.last_error { " " span class="quiet" { "Last error: " bdi { (error) } } }
    }
}

fn row(who: &Present, of: &WebhookRef, delivery: &Delivery, now: i64) -> Markup {
    let fields = [
        ("organization", of.organization.as_str()),
        ("webhook", of.webhook.as_str()),
        ("delivery", delivery.id.as_str()),
    ];
    let state = match delivery.status {
        DeliveryStatus::Delivered => words::state("done", "tick", "delivered"),
        DeliveryStatus::Pending => words::state("waiting", "waiting", "pending"),
        DeliveryStatus::Dead => words::state("failed", "cross", "dead"),
    };
    html! {
        tr data-id=(delivery.id) {
            td data-label="Delivery" { (words::id(delivery.id.as_str())) }
            td data-label="Event" { (delivery.event) }
            td data-label="Status" { (state) }
            td class="n" data-label="Attempts" { (delivery.attempts) }
            td data-label="Last answer" class="quiet" { (delivery.history.last().map_or_else(|| "–".to_owned(), answer)) }
            td class="n" data-label="First attempt" { @match delivery.first_attempt_at { Some(at) => (words::ago(now, at)), None => "–" } }
            @if who.may_act() { td class="do" { @if delivery.status == DeliveryStatus::Dead { (layout::action(who, "delivery.replay", "Replay", &fields, None)) } } }
        }
    }
}

fn answer(attempt: &AttemptRecord) -> String {
    let what = match (&attempt.status, &attempt.error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.clone(),
        (None, None) => "no answer".to_owned(),
    };
    format!("{what}, after {} ms", attempt.duration_ms)
}
