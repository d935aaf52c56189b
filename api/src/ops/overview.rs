//! The first screen: is it working, since when not, and where to click.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use futures_util::future::try_join_all;
use gateway_shared::domain::{Session, SessionStatus};
use gateway_shared::lane::{Gauge, SessionRef};
use maud::{Markup, html};

use super::access::Present;
use super::{Failure, layout, words};
use crate::state::App;

/// Most sessions whose lanes the first screen adds up; beyond it says so.
const MOST: usize = 1_000;
/// Sessions looked at together.
const TOGETHER: usize = 100;

/// A session and what is in its lane.
pub(super) struct Lane {
    pub(super) of: SessionRef,
    pub(super) session: Session,
    pub(super) gauge: Gauge,
}

/// The lanes of these sessions; those deleted meanwhile are left out.
pub(super) async fn lanes(app: &App, of: &[SessionRef]) -> Result<Vec<Lane>, Failure> {
    let now = app.now();
    let mut found = Vec::with_capacity(of.len());
    for some in of.chunks(TOGETHER) {
        let looks = some.iter().map(async |of| {
            let Some(session) = app.sessions.get(of).await? else {
                return Ok::<_, Failure>(None);
            };
            let gauge = app.lanes.gauge(now, of, session.limits).await?;
            let of = of.clone();
            Ok(Some(Lane { of, session, gauge }))
        });
        found.extend(try_join_all(looks).await?.into_iter().flatten());
    }
    Ok(found)
}

/// All sessions of the installation in the order of their ids.
pub(super) async fn directory(app: &App) -> Result<Vec<SessionRef>, Failure> {
    let mut all = app.registry.directory().await?;
    all.sort_unstable_by(|a, b| a.session.cmp(&b.session));
    Ok(all)
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let all = directory(&app).await?;
    let lanes = lanes(&app, all.get(..MOST.min(all.len())).unwrap_or_default()).await?;
    let workers = app.registry.workers().await?;
    let since = now - i64::try_from(app.config.worker.liveness_ms).unwrap_or(i64::MAX);
    let live = workers
        .iter()
        .filter(|worker| worker.heartbeat_at >= since)
        .count();

    let waiting: u64 = lanes.iter().map(|lane| lane.gauge.depth).sum();
    let in_flight: u64 = lanes.iter().map(|lane| lane.gauge.in_flight).sum();
    let accepted: u64 = lanes
        .iter()
        .map(|lane| lane.gauge.accepted_last_minute)
        .sum();
    let oldest = lanes.iter().filter_map(|lane| lane.gauge.oldest_at).min();
    let count = |status| {
        lanes
            .iter()
            .filter(|lane| lane.session.status == status)
            .count()
    };
    let working = count(SessionStatus::Working);

    let content = html! {
        p class="summary" {
            @if live == 0 { "No worker is alive: nothing is sent until one starts. " }
            @if lanes.is_empty() { "There are no sessions yet. " }
            @else if working == lanes.len() { "All " (working) " sessions are working. " }
            @else { (working) " of " (lanes.len()) " sessions are working. " }
            @match oldest {
                Some(at) => { (waiting) " sends wait, the oldest for " (words::age(now, at)) "." }
                None => { "Nothing waits." }
            }
            @if all.len() > MOST { " Only the first " (MOST) " of " (all.len()) " sessions are counted here." }
        }
        section aria-labelledby="attention" {
            h2 id="attention" { "What needs attention" }
            (attention(&who, &lanes, live, now))
        }
        section aria-labelledby="now" {
            h2 id="now" { "Now" }
            dl class="figures" {
                (figure("Accepted in the last minute", &accepted.to_string(), "sends"))
                (figure("Waiting", &waiting.to_string(), "sends"))
                (figure("In flight", &in_flight.to_string(), "sends"))
                (figure("Working", &format!("{working} of {}", lanes.len()), "sessions"))
                (figure("Workers alive", &format!("{live} of {}", workers.len()), ""))
            }
        }
        section aria-labelledby="by-status" {
            h2 id="by-status" { "Sessions by status" }
            ul class="statuses" {
                @for status in SessionStatus::ALL {
                    @let here = count(status);
                    @if here > 0 { li { a href={ "/ops/sessions?status=" (status.as_str()) } { (words::session_state(status)) " " (here) } } }
                }
            }
        }
    };
    Ok(layout::page(&app, &who, "/ops", "Overview", &content))
}

fn figure(name: &str, value: &str, unit: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) " " small { (unit) } } } }
}

fn attention(who: &Present, lanes: &[Lane], live: usize, now: i64) -> Markup {
    let troubled: Vec<&Lane> = lanes
        .iter()
        .filter(|lane| {
            matches!(
                lane.session.status.as_str(),
                "failed" | "logged_out" | "scan_qr_code" | "passkey_required"
            )
        })
        .take(20)
        .collect();
    let held: Vec<&Lane> = lanes
        .iter()
        .filter(|lane| lane.gauge.paused_until.is_some())
        .take(20)
        .collect();
    html! {
        @if live > 0 && troubled.is_empty() && held.is_empty() { p class="calm" { "Nothing. " } }
        @else {
            ul class="attention" {
                @if live == 0 { li { span class="state failed" { "✕ no worker" } " Start one: " code { "gateway-worker" } ". " a href="/ops/workers" { "Workers" } } }
                @for lane in &troubled {
                    li {
                        (words::session_state(lane.session.status)) " "
                        a href={ "/ops/sessions/" (lane.of.session) } { (lane.session.label) }
                        @if lane.gauge.depth > 0 { " · " (lane.gauge.depth) " sends wait behind it" }
                        @if let Some(error) = &lane.session.last_error { " · " span class="quiet" { (error) } }
                    }
                }
                @for lane in &held {
                    li {
                        span class="state held" { "‖ held" } " "
                        a href={ "/ops/sessions/" (lane.of.session) } { (lane.session.label) }
                        " · " (lane.gauge.depth) " sends wait"
                        @if let Some(until) = lane.gauge.paused_until { @if until < now + 31_536_000_000 { ", for another " (words::age(until, now)) } }
                        (layout::action(who, "lane.resume", "Resume", &[("session", lane.of.session.as_str())], None))
                    }
                }
            }
        }
    }
}
