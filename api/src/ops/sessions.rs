//! Sessions: the list, and one with what can be done to it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway_shared::domain::SessionId;
use gateway_shared::lane::{OutboxFilter, SessionRef};
use maud::{Markup, html};
use serde::Deserialize;

use super::access::Present;
use super::overview::{directory, lanes};
use super::{Failure, layout, messages, words};
use crate::state::App;

/// Sessions a page.
const PAGE: usize = 50;
/// Sends shown with a session.
const LATEST: usize = 20;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter {
    status: String,
    after: String,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Query(filter): Query<Filter>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let mut rest = directory(&app).await?;
    rest.retain(|of| of.session.as_str() > filter.after.as_str());
    let more = rest.len() > PAGE;
    rest.truncate(PAGE);
    let next = rest
        .last()
        .filter(|_| more)
        .map(|of| of.session.to_string());
    let mut found = lanes(&app, &rest).await?;
    found.retain(|lane| filter.status.is_empty() || lane.session.status.as_str() == filter.status);
    let content = html! {
        @if found.is_empty() { p class="empty" { "No session matches. Make one with " code { "POST /api/v1/sessions" } " and let a phone scan its code." } }
        @else {
            table {
                thead { tr { th { "Session" } th { "Status" } th { "Number" } th { "Worker" } th class="n" { "Waiting" } th { "Last error" } th class="n" { "Changed" } } }
                tbody {
                    @for lane in &found {
                        tr {
                            td data-label="Session" { a href={ "/ops/sessions/" (lane.of.session) } { bdi { (lane.session.label) } } }
                            td data-label="Status" { (words::session_state(lane.session.status)) }
                            td data-label="Number" { (lane.session.wa_jid.as_deref().map_or_else(|| "–".to_owned(), words::masked)) }
                            td data-label="Worker" { @match &lane.session.worker { Some(worker) => (words::id(worker.as_str())), None => "nobody" } }
                            td class="n" data-label="Waiting" { (lane.gauge.depth) }
                            td data-label="Last error" { (lane.session.last_error.as_deref().unwrap_or("–")) }
                            td class="n" data-label="Changed" { (words::ago(now, lane.session.updated_at)) }
                        }
                    }
                }
            }
            @if let Some(next) = next { p { a class="next" href={ "/ops/sessions?status=" (filter.status) "&after=" (next) } { "Next page" } } }
        }
    };
    Ok(layout::page(
        &app,
        &who,
        "/ops/sessions",
        "Sessions",
        &content,
    ))
}

/// A session of the installation by its id.
pub(super) async fn find(app: &App, text: &str) -> Result<SessionRef, Failure> {
    let session: SessionId = text.parse().map_err(|_| Failure::missing("session"))?;
    let organization = app.registry.organization_of(&session).await?;
    let organization = organization.ok_or_else(|| Failure::missing("session"))?;
    Ok(SessionRef {
        organization,
        session,
    })
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Path(session): Path<String>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let of = find(&app, &session).await?;
    let found = lanes(&app, std::slice::from_ref(&of)).await?;
    let lane = found.first().ok_or_else(|| Failure::missing("session"))?;
    let filter = OutboxFilter {
        limit: LATEST,
        ..OutboxFilter::default()
    };
    let (entries, _) = app.lanes.list(&of, &filter).await?;
    let qr = app.sessions.qr(&of).await?;
    let id = of.session.as_str();
    let one = [("session", id)];
    let content = html! {
        p class="summary" {
            (words::session_state(lane.session.status)) " "
            @match &lane.session.worker { Some(worker) => { "run by " (words::id(worker.as_str())) }, None => "no worker runs it" }
            @if let Some(error) = &lane.session.last_error { ". " (error) }
        }
        div class="actions" {
            (layout::action(&who, "session.start", "Start session", &one, None))
            (layout::action(&who, "session.restart", "Restart session", &one, None))
            (layout::action(&who, "session.stop", "Stop session", &one, Some("Stop this session? Its sends wait until it is started again.")))
            (layout::action(&who, "session.logout", "Log out", &one, Some("Unlink this device? It must be paired again before anything is sent.")))
            @if lane.gauge.paused_until.is_some() { (layout::action(&who, "lane.resume", "Resume lane", &one, None)) }
            @else { (layout::action(&who, "lane.pause", "Pause lane", &one, None)) }
        }
        dl class="figures" {
            div { dt { "Waiting" } dd { (lane.gauge.depth) } }
            div { dt { "In flight" } dd { (lane.gauge.in_flight) } }
            div { dt { "Rate" } dd { (lane.session.limits.rate_per_min) small { " a minute, " } (lane.session.limits.rate_per_hour) small { " an hour (0 = unlimited)" } } }
            div { dt { "Number" } dd { (lane.session.wa_jid.as_deref().map_or_else(|| "not paired".to_owned(), words::masked)) } }
            div { dt { "Organization" } dd { (words::id(of.organization.as_str())) } }
            div { dt { "Session" } dd { (words::id(id)) } }
        }
        @if who.may_act() { @if let Some(code) = qr {
            section aria-labelledby="link" {
                h2 id="link" { "Link a phone" }
                p { "On the phone: WhatsApp, Linked devices, Link a device. This code is good for another " (words::age(code.expires_at, now)) "." }
                img class="qr" alt="The QR code to scan" src={ "data:image/svg+xml;base64," (STANDARD.encode(crate::sessions::svg_of(&code.code).unwrap_or_default())) };
            }
        } }
        section aria-labelledby="latest" {
            h2 id="latest" { "Latest sends" }
            (messages::table(&entries, now))
        }
    };
    let title = &lane.session.label;
    Ok(layout::page(&app, &who, "/ops/sessions", title, &content))
}
