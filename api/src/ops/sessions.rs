//! Sessions: the list, and one with what can be done to it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_shared::clock::Millis;
use gateway_shared::domain::{SessionId, SessionStatus};
use gateway_shared::lane::{Hold, OutboxFilter, SessionRef};
use gateway_shared::session::{PasskeyRequest, QrCode};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::Present;
use super::overview::label;
use super::{Failure, layout, messages, words};
use crate::control::Lane;
use crate::control::act::session_of;
use crate::control::census::{census, lanes};
use crate::control::find::Hit;
use crate::state::App;

/// Sessions a page.
const PAGE: usize = 50;
/// Sends shown with a session.
const LATEST: usize = 10;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    q: String,
    status: String,
    organization: String,
    page: usize,
}

impl Filter {
    fn address(&self, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("q", &self.q)
            .append_pair("status", &self.status)
            .append_pair("organization", &self.organization)
            .append_pair("page", &page.to_string());
        format!("/ops/sessions?{}", query.finish())
    }

    fn wants(&self, lane: &Lane) -> bool {
        let named = self.q.trim().to_lowercase();
        let digits = named.trim_start_matches('+');
        let status = match self.status.as_str() {
            "" => true,
            "troubled" => lane.is_troubled(),
            status => lane.session.status.as_str() == status,
        };
        let jid = lane.session.wa_jid.as_deref().unwrap_or_default();
        status
            && (self.organization.is_empty() || lane.of.organization.as_str() == self.organization)
            && (named.is_empty()
                || lane.of.session.as_str().to_lowercase() == named
                || lane.session.label.to_lowercase().contains(&named)
                || (digits.len() >= 5 && jid.contains(digits)))
    }
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Query(filter): Query<Filter>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let census = census(&app).await?;
    let found: Vec<&Lane> = census
        .lanes
        .iter()
        .filter(|lane| filter.wants(lane))
        .collect();
    let all = found.len();
    let page: Vec<SessionRef> = found
        .iter()
        .skip(filter.page.saturating_mul(PAGE))
        .take(PAGE)
        .map(|lane| lane.of.clone())
        .collect();
    let shown = lanes(&app, &page).await?;
    let content = html! {
        h1 { "Sessions" }
        p class="quiet" { "A session is one WhatsApp account, attached like a linked device." }
        form method="get" class="filters" {
            label { "Name, id or number" input name="q" value=(filter.q); }
            label { "Status"
                select name="status" {
                    option value="" { "any" }
                    option value="troubled" selected[filter.status == "troubled"] { "needs somebody" }
                    @for status in SessionStatus::ALL { option value=(status.as_str()) selected[status.as_str() == filter.status] { (status.as_str().replace('_', " ")) } }
                }
            }
            label { "Tenant"
                select name="organization" { option value="" { "any" } @for one in &census.organizations { option value=(one.id) selected[one.id.as_str() == filter.organization] { (one.name) } } }
            }
            button type="submit" { "Filter" }
        }
        @if shown.is_empty() { p class="empty" { "No session matches. Make one with " code { "POST /api/v1/sessions" } " and let a phone scan its code." } }
        @else {
            div class="wide" { table {
                thead { tr { th { "Session" } th { "Status" } th { "Number" } th { "Worker" } th class="n" { "Waiting" } th { "Last error" } th class="n" { "Last acknowledged" } th class="n" { "Changed" } } }
                tbody data-list {
                    @for lane in &shown {
                        @let session = &lane.session;
                        tr data-id=(lane.of.session) {
                            td data-label="Session" { a class="name" href={ "/ops/sessions/" (lane.of.session) } { bdi { (label(lane)) } } }
                            td data-label="Status" { (words::session_state(session.status)) }
                            td data-label="Number" { (session.wa_jid.as_deref().map_or_else(|| "–".to_owned(), words::masked)) }
                            td data-label="Worker" { @match &session.worker { Some(worker) => (words::id(worker.as_str())), None => span class="quiet" { "nobody" } } }
                            td class="n" data-label="Waiting" { (words::count(lane.gauge.depth)) }
                            td data-label="Last error" class="quiet" { @if let Some(error) = &session.last_error { bdi { (error) } } }
                            td class="n" data-label="Last acknowledged" { @match session.last_ack_at { Some(at) => (words::ago(now, at)), None => "–" } }
                            td class="n" data-label="Changed" { (words::ago(now, session.updated_at)) }
                        }
                    }
                }
            } }
            div class="pages" {
                span { (words::things(u64::try_from(all).unwrap_or(0), "session")) }
                @if filter.page > 0 { a href=(filter.address(filter.page - 1)) { "Page before" } }
                @if (filter.page + 1) * PAGE < all { a href=(filter.address(filter.page + 1)) { "Next page" } }
            }
        }
    };
    layout::page(&app, &who, "/ops/sessions", "Sessions", &content).await
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Path(session): Path<String>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let session: SessionId = session.parse().map_err(|_| Failure::missing("session"))?;
    let of = session_of(&app, &session).await?;
    let found = lanes(&app, std::slice::from_ref(&of)).await?;
    let lane = found.first().ok_or_else(|| Failure::missing("session"))?;
    let record = app.sessions.record(&of).await?;
    let epoch = record.map_or(0, |record| record.epoch.0);
    let hold = app.lanes.standing(now, &of).await?;
    let filter = OutboxFilter {
        limit: LATEST,
        ..OutboxFilter::default()
    };
    let (entries, _) = app.lanes.list(&of, &filter).await?;
    let hits: Vec<Hit> = entries
        .into_iter()
        .map(|entry| Hit {
            of: of.clone(),
            entry,
        })
        .collect();
    let organization = app.organizations.get(&of.organization).await?;
    let organization = organization.map_or_else(String::new, |one| one.name);
    let (qr, passkey) = if who.may_act() {
        (
            app.sessions.qr(&of).await?,
            app.sessions.passkey(&of).await?,
        )
    } else {
        (None, None)
    };
    let content = html! {
        p class="crumb" { a href="/ops/sessions" { "Sessions" } " / " a href={ "/ops/organizations/" (of.organization) } { bdi { (organization) } } }
        div class="titled" {
            h1 { bdi { (label(lane)) } }
            div class="actions" { (actions(&who, lane)) }
        }
        p class="summary" {
            (words::session_state(lane.session.status)) " "
            @match &lane.session.worker { Some(worker) => { "run by worker " (words::id(worker.as_str())) " in epoch " (epoch) }, None => "no worker runs it" }
            @if let Some(error) = &lane.session.last_error { ". " span class="quiet" { "Last error: " bdi { (error) } } }
        }
        (holds(&hold, now))
        @if let Some(code) = qr { (linking(&code, now)) }
        @if let Some(request) = passkey { (passkey_words(&request, now)) }
        @if !who.may_act() && lane.session.status == SessionStatus::ScanQrCode { p class="why" { "It waits for a phone to scan its code, which viewers are not shown." } }
        div class="columns" {
            section aria-labelledby="lane" {
                h2 id="lane" { "Lane" }
                dl class="facts" {
                    dt { "Waiting" } dd { (words::things(lane.gauge.depth, "send")) @if let Some(at) = lane.gauge.oldest_at { ", the oldest for " (words::age(now, at)) } }
                    dt { "In flight" } dd { (words::things(lane.gauge.in_flight, "send")) }
                    dt { "Scheduled" } dd { (words::things(lane.gauge.scheduled, "send")) }
                    dt { "Dead letters" } dd { @if lane.gauge.dead_letters > 0 { a href={ "/ops/messages?status=failed&session=" (of.session) } { (words::things(lane.gauge.dead_letters, "send")) } } @else { "none" } }
                    dt { "Used of its rate" } dd { (used(lane.gauge.spent_of_minute, lane.session.limits.rate_per_min, "minute")) ", " (used(lane.gauge.spent_of_hour, lane.session.limits.rate_per_hour, "hour")) }
                }
            }
            section aria-labelledby="account" {
                h2 id="account" { "Account" }
                dl class="facts" {
                    dt { "Number" } dd { (lane.session.wa_jid.as_deref().map_or_else(|| "not paired".to_owned(), words::masked)) }
                    dt { "Last acknowledged" } dd { @match lane.session.last_ack_at { Some(at) => (words::ago(now, at)), None => "nothing yet" } }
                    dt { "Last sign of life" } dd { @match lane.session.last_pong_at { Some(at) => (words::ago(now, at)), None => "none yet" } }
                    dt { "Restrictions" } dd {
                        @if lane.session.restrictions.is_empty() { "none" }
                        @for one in &lane.session.restrictions { div { (one.kind.replace('_', " ")) " " code { (one.code) } @if let Some(until) = one.until { @if until > now { ", ends " (words::ahead(now, until)) } @else { ", ended" } } } }
                    }
                    dt { "Session" } dd { (words::id(of.session.as_str())) }
                }
            }
        }
        (limits(&who, lane))
        section aria-labelledby="latest" {
            h2 id="latest" { "Latest sends" small { a href={ "/ops/messages?session=" (of.session) } { "all of them" } } }
            (messages::table(&hits, now))
        }
    };
    let title = label(lane).to_owned();
    layout::page(&app, &who, "/ops/sessions", &title, &content).await
}

fn used(spent: Option<u64>, limit: u32, window: &str) -> String {
    match spent {
        Some(spent) => format!("{spent} of {limit} a {window}"),
        None => format!("no limit a {window}"),
    }
}

fn actions(who: &Present, lane: &Lane) -> Markup {
    let one = [("session", lane.of.session.as_str())];
    let runs = !matches!(
        lane.session.status,
        SessionStatus::Stopped | SessionStatus::Failed | SessionStatus::LoggedOut
    );
    html! {
        @if lane.is_held() { (layout::action(who, "lane.resume", "Resume lane", &one, None)) }
        @else { (layout::action(who, "lane.pause", "Pause lane", &one, None)) }
        @if runs {
            (layout::action(who, "session.restart", "Restart", &one, None))
            (layout::action(who, "session.stop", "Stop", &one, Some("Its sends wait until it is started again. It can be started at any time.")))
        } @else { (layout::action(who, "session.start", "Start session", &one, None)) }
        @if lane.session.wa_jid.is_some() {
            (layout::action(who, "session.logout", "Log out", &one, Some("This device is unlinked: what waits fails, and a phone must link it again before anything is sent.")))
        }
    }
}

fn holds(hold: &Hold, now: Millis) -> Markup {
    html! {
        @if hold.paused { p class="why" { b { "Paused " } (hold.pause_reason.as_deref().unwrap_or("by an operator")) ": nothing leaves until the lane is resumed. What is accepted meanwhile waits." } }
        @if let Some(until) = hold.resting_until { @if until > now { p class="why" { b { "Resting: " } "WhatsApp asked for it (" (hold.rest_reason.as_deref().unwrap_or("no reason given")) "); it goes on by itself " (words::ahead(now, until)) "." } } }
        @if let Some(until) = hold.new_chats_held_until { @if until > now { p class="why" { b { "New chats are held " } "by WhatsApp: people the session never wrote to wait; that ends " (words::ahead(now, until)) ". Everybody else goes on." } } }
    }
}

fn linking(code: &QrCode, now: Millis) -> Markup {
    let picture = crate::sessions::svg_of(&code.code).unwrap_or_default();
    html! {
        section class="box" aria-labelledby="link" {
            h2 id="link" { "Link a phone" }
            div class="link" {
                img class="qr" alt="The QR code to scan" width="232" height="232" src={ "data:image/svg+xml;base64," (STANDARD.encode(picture)) };
                div {
                    ol { li { "Open WhatsApp on the phone." } li { "Tap Linked devices, then Link a device." } li { "Point the phone at this code." } }
                    p class="quiet" { "Good for another " (words::age(code.expires_at, now)) "; then a new one shows here by itself." }
                    p class="quiet" { "For somebody elsewhere: " code { "POST /api/v1/sessions/{session}:link" } " makes a page for one pairing, with a code to type as well." }
                }
            }
        }
    }
}

fn passkey_words(request: &PasskeyRequest, now: Millis) -> Markup {
    html! {
        section class="box" aria-labelledby="passkey" {
            h2 id="passkey" { "WhatsApp asks for a passkey of the account" }
            @match &request.code {
                Some(code) => p { "The phone shows a code. It must be " b { (code) } "." },
                None => p { "Its owner proves it on the link page: " code { "POST /api/v1/sessions/{session}:link" } ". WhatsApp waits for another " (words::age(request.expires_at, now)) "." },
            }
        }
    }
}

fn limits(who: &Present, lane: &Lane) -> Markup {
    let limits = lane.session.limits;
    html! {
        @if who.may_act() {
            section aria-labelledby="limits" {
                h2 id="limits" { "Limits" small { "sends; 0 is unlimited" } }
                form method="post" action="/ops/actions" class="row" data-still {
                    input type="hidden" name="csrf" value=(who.sign_in.csrf);
                    input type="hidden" name="action" value="session.limits";
                    input type="hidden" name="session" value=(lane.of.session);
                    label { "A minute" input name="perMin" inputmode="numeric" pattern="[0-9]{1,7}" required size="8" value=(limits.rate_per_min); }
                    label { "An hour" input name="perHour" inputmode="numeric" pattern="[0-9]{1,7}" required size="8" value=(limits.rate_per_hour); }
                    button type="submit" { "Set limits" }
                }
            }
        }
    }
}
