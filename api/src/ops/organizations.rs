//! Tenants: organizations, their keys, what they hold; making, suspending.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use gateway_shared::domain::OrganizationId;
use maud::{Markup, html};

use super::access::Present;
use super::overview::label;
use super::{Failure, layout, words};
use crate::control::census::census;
use crate::control::{Census, Lane};
use crate::state::App;

fn lanes_of<'a>(census: &'a Census, id: &OrganizationId) -> Vec<&'a Lane> {
    let lanes = census.lanes.iter();
    lanes.filter(|lane| lane.of.organization == *id).collect()
}

/// How an organization is called.
fn name_of(name: &str, id: &OrganizationId) -> String {
    if name.is_empty() {
        id.to_string()
    } else {
        name.to_owned()
    }
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
) -> Result<Markup, Failure> {
    let census = census(&app).await?;
    let now = app.now();
    let content = html! {
        h1 { "Tenants" }
        p class="quiet" { "An organization has its own sessions, keys, events and webhooks; nothing of one reaches another." }
        @if who.may_act() {
            form method="post" action="/ops/actions" class="filters" data-still {
                input type="hidden" name="csrf" value=(who.sign_in.csrf);
                input type="hidden" name="action" value="organization.create";
                label { "New organization" input name="name" required maxlength="200" placeholder="Its name"; }
                button type="submit" { "Create organization" }
            }
        }
        @if census.organizations.is_empty() { p class="empty" { "No organization yet. Make one above, or with " code { "gateway-api keys create --org Acme" } "." } }
        @else {
            div class="wide" { table {
                thead { tr { th { "Organization" } th { "State" } th class="n" { "Sessions" } th class="n" { "Waiting" } th class="n" { "Webhooks" } th class="n" { "Made" } } }
                tbody data-list {
                    @for one in census.organizations.iter().take(500) {
                        @let lanes = lanes_of(&census, &one.id);
                        tr data-id=(one.id) {
                            td data-label="Organization" { a class="name" href={ "/ops/organizations/" (one.id) } { bdi { (name_of(&one.name, &one.id)) } } }
                            td data-label="State" { (standing(one.suspended_at.is_some())) }
                            td class="n" data-label="Sessions" { (lanes.len()) }
                            td class="n" data-label="Waiting" { (words::count(lanes.iter().map(|lane| lane.gauge.depth).sum())) }
                            td class="n" data-label="Webhooks" { (census.webhooks.iter().filter(|webhook| webhook.organization_id == one.id).count()) }
                            td class="n" data-label="Made" { @match one.created_at { Some(at) => (words::ago(now, at)), None => "–" } }
                        }
                    }
                }
            } }
        }
    };
    layout::page(&app, &who, "/ops/organizations", "Tenants", &content).await
}

fn standing(suspended: bool) -> Markup {
    if suspended {
        words::state("held", "held", "suspended")
    } else {
        words::state("done", "on", "active")
    }
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    let id: OrganizationId = id.parse().map_err(|_| Failure::missing("organization"))?;
    of_organization(&app, &who, &id, None).await
}

/// The page of an organization; `secret` is a key that was just made and is shown this once.
pub(super) async fn of_organization(
    app: &Arc<App>,
    who: &Present,
    id: &OrganizationId,
    secret: Option<&str>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let census = census(app).await?;
    let found = app.organizations.get(id).await?;
    let organization = found.ok_or_else(|| Failure::missing("organization"))?;
    let keys = app.keys.list(id).await?;
    let used = app.media.used(id).await?;
    let lanes = lanes_of(&census, id);
    let fields = [("organization", id.as_str())];
    let waiting: u64 = lanes.iter().map(|lane| lane.gauge.depth).sum();
    let suspending = format!(
        "Its keys are refused at once, and nothing leaves its {} sessions until it goes on. {} wait already. What comes in is kept.",
        lanes.len(),
        words::things(waiting, "send")
    );
    let content = html! {
        p class="crumb" { a href="/ops/organizations" { "Tenants" } }
        div class="titled" {
            h1 { bdi { (name_of(&organization.name, id)) } }
            div class="actions" {
                @if organization.suspended_at.is_some() { (layout::action(who, "organization.unsuspend", "Let it go on", &fields, None)) }
                @else { (layout::action(who, "organization.suspend", "Suspend organization", &fields, Some(&suspending))) }
            }
        }
        p class="summary" { (standing(organization.suspended_at.is_some())) " "
            @match organization.suspended_at {
                Some(at) => { "Suspended " (words::ago(now, at)) ": its keys are refused and its sends wait." }
                None => { (words::things(u64::try_from(lanes.len()).unwrap_or(0), "session")) ", " (words::things(waiting, "send")) " wait." }
            }
        }
        @if let Some(secret) = secret {
            div class="said" role="status" { div { p { b { "The new key. " } "It is kept as a hash and can not be shown again: copy it now." } p class="secret" { (secret) } } }
        }
        section aria-labelledby="keys" {
            h2 id="keys" { "API keys" }
            @if keys.is_empty() { p class="empty" { "No key yet: nobody can call for this organization with a key." } }
            @else {
                div class="wide" { table {
                    thead { tr { th { "Key" } th { "Name" } th { "May" } th { "Confined to" } th class="n" { "Last used" } th class="n" { "Ends" } th class="n" { "Made" } @if who.may_act() { th { span class="sr" { "Actions" } } } } }
                    tbody data-list {
                        @for key in &keys {
                            tr data-id=(key.id) {
                                td data-label="Key" { (words::id(key.id.as_str())) }
                                td data-label="Name" { bdi { (key.name) } }
                                td data-label="May" { (key.capabilities.to_string().replace(',', ", ")) }
                                td data-label="Confined to" { @match &key.sessions { Some(sessions) => { (sessions.len()) " sessions" }, None => "all sessions" } }
                                td class="n" data-label="Last used" { @match key.last_used_at { Some(at) => (words::ago(now, at)), None => "never" } }
                                td class="n" data-label="Ends" { @match key.expires_at { Some(at) if at > now => (words::ahead(now, at)), Some(at) => (words::ago(now, at)), None => "never" } }
                                td class="n" data-label="Made" { (words::ago(now, key.created_at)) }
                                @if who.may_act() { td class="do" { (layout::action(who, "key.revoke", "Revoke key", &[("organization", id.as_str()), ("key", key.id.as_str())], Some("Every process refuses it at once. This can not be undone."))) } }
                            }
                        }
                    }
                } }
            }
            @if who.may_act() {
                form method="post" action="/ops/actions" class="filters" data-still {
                    input type="hidden" name="csrf" value=(who.sign_in.csrf);
                    input type="hidden" name="action" value="key.create";
                    input type="hidden" name="organization" value=(id);
                    label { "New key" input name="name" maxlength="200" placeholder="What it is for"; }
                    button type="submit" { "Create key" }
                }
            }
        }
        section aria-labelledby="limits" {
            h2 id="limits" { "Limits" small { "of this installation, each organization" } }
            dl class="figures" {
                div { dt { "Files kept" } dd { (words::bytes(used)) " " small { "of " (words::bytes(app.config.media.quota_bytes)) } } }
                div { dt { "Waiting sends" } dd { (words::count(waiting)) " " small { "of " (limit(app.config.quota.waiting)) } } }
                div { dt { "Requests" } dd { (limit(u64::from(app.config.quota.requests_per_min))) " " small { "a minute, each API" } } }
                div { dt { "Webhooks" } dd { (census.webhooks.iter().filter(|one| one.organization_id == *id).count()) " " small { "of " (app.config.webhooks.max_per_organization) } } }
            }
        }
        section aria-labelledby="sessions" {
            h2 id="sessions" { "Sessions" small { a href={ "/ops/sessions?organization=" (id) } { "all of them" } } }
            @if lanes.is_empty() { p class="empty" { "No sessions yet." } }
            @else {
                div class="wide" { table {
                    thead { tr { th { "Session" } th { "Status" } th class="n" { "Waiting" } th class="n" { "A minute" } th class="n" { "An hour" } } }
                    tbody data-list {
                        @for lane in lanes.iter().take(20) {
                            tr data-id=(lane.of.session) {
                                td data-label="Session" { a class="name" href={ "/ops/sessions/" (lane.of.session) } { bdi { (label(lane)) } } }
                                td data-label="Status" { (words::session_state(lane.session.status)) }
                                td class="n" data-label="Waiting" { (words::count(lane.gauge.depth)) }
                                td class="n" data-label="A minute" { (limit(u64::from(lane.session.limits.rate_per_min))) }
                                td class="n" data-label="An hour" { (limit(u64::from(lane.session.limits.rate_per_hour))) }
                            }
                        }
                    }
                } }
            }
        }
    };
    layout::page(app, who, "/ops/organizations", &organization.name, &content).await
}

fn limit(limit: u64) -> String {
    match limit {
        0 => "unlimited".to_owned(),
        limit => words::count(limit),
    }
}
