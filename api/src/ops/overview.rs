//! The first screen: is it working, since when not, and where to click.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use gateway_shared::domain::SessionStatus;
use gateway_shared::webhooks::HealthState;
use maud::{Markup, html};

use super::access::Present;
use super::{Failure, charts, layout, words};
use crate::control::census::{census, is_down};
use crate::control::{Census, Lane};
use crate::state::App;

/// Lines of one kind that need attention; the list they lead to has them all.
const MOST: usize = 8;

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
) -> Result<Markup, Failure> {
    let census = census(&app).await?;
    let now = app.now();
    let lanes = &census.lanes;
    let sum = |read: fn(&Lane) -> u64| lanes.iter().map(read).sum::<u64>();
    let waiting = sum(|lane| lane.gauge.depth);
    let in_flight = sum(|lane| lane.gauge.in_flight);
    let dead = sum(|lane| lane.gauge.dead_letters);
    let oldest = lanes.iter().filter_map(|lane| lane.gauge.oldest_at).min();
    let live = census.workers.iter().filter(|one| census.lives(&app, one));
    let live = live.count();
    let [accepted, sent, failed] = census.rates();
    let content = html! {
        h1 { "Overview" }
        p class="summary" { (sentence(&census, live, waiting, oldest, now)) }
        section aria-labelledby="attention" {
            h2 id="attention" { "What needs attention" }
            (attention(&app, &who, &census, dead, now))
        }
        section aria-labelledby="now" {
            h2 id="now" { "Now" small { "as of " (words::ago(now, census.at)) } }
            dl class="figures" {
                (figure("Accepted", &words::rate(accepted), "a second"))
                (figure("Sent", &words::rate(sent), "a second"))
                (figure("Failed for good", &words::rate(failed), "a second"))
                (figure("Waiting", &words::count(waiting), &oldest.map_or_else(|| "sends".to_owned(), |at| format!("sends, oldest {}", words::age(now, at)))))
                (figure("In flight", &words::count(in_flight), "sends"))
                (figure("Dead letters", &words::count(dead), "sends"))
                (figure("Workers alive", &format!("{live} of {}", census.workers.len()), ""))
                (figure("Webhooks", &words::count(census.webhooks.iter().map(|one| one.health.held).sum()), "deliveries wait"))
                (figure("Files kept", &words::bytes(census.media_bytes), "in all"))
                (figure("Redis", &words::bytes(census.redis.used_memory), &redis_words(&census)))
            }
        }
        section aria-labelledby="hour" {
            h2 id="hour" { "The last hour" }
            (charts::of_sends(&census.hour))
        }
        section aria-labelledby="by-status" {
            h2 id="by-status" { "Sessions by status" }
            @if lanes.is_empty() { p class="empty" { "There are no sessions yet. Make one with " code { "POST /api/v1/sessions" } " and let a phone scan its code." } }
            ul class="statuses" {
                @for status in SessionStatus::ALL {
                    @let here = lanes.iter().filter(|lane| lane.session.status == status).count();
                    @if here > 0 { li { a href={ "/ops/sessions?status=" (status.as_str()) } { (words::session_state(status)) b { (here) } } } }
                }
            }
        }
    };
    layout::page(&app, &who, "/ops", "Overview", &content).await
}

fn figure(name: &str, value: &str, unit: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) " " small { (unit) } } } }
}

fn redis_words(census: &Census) -> String {
    let redis = &census.redis;
    let limit = if redis.max_memory > 0 {
        format!("of {}, ", words::bytes(redis.max_memory))
    } else {
        String::new()
    };
    format!("{limit}{}", redis.persistence)
}

/// The whole state in one sentence.
fn sentence(census: &Census, live: usize, waiting: u64, oldest: Option<i64>, now: i64) -> String {
    let lanes = &census.lanes;
    let count = |wanted: &dyn Fn(&Lane) -> bool| lanes.iter().filter(|lane| wanted(lane)).count();
    let working = count(&|lane| lane.session.status == SessionStatus::Working);
    let resting = count(&|lane| lane.session.status == SessionStatus::Stopped);
    let scans = count(&|lane| {
        matches!(
            lane.session.status,
            SessionStatus::ScanQrCode | SessionStatus::PasskeyRequired | SessionStatus::LoggedOut
        )
    });
    let mut text = String::new();
    if live == 0 {
        text.push_str("No worker is alive: nothing is sent until one starts. ");
    }
    text.push_str(&match lanes.len() {
        0 => "There are no sessions yet. ".to_owned(),
        1 if working == 1 => "The one session is working. ".to_owned(),
        all if working == all => format!("All {all} sessions are working. "),
        all => format!("{working} of {all} sessions are working. "),
    });
    if scans > 0 {
        text.push_str(&format!(
            "{} to be linked to a phone. ",
            if scans == 1 {
                "One needs".to_owned()
            } else {
                format!("{scans} need")
            }
        ));
    }
    if resting > 0 {
        let is = if resting == 1 { "is" } else { "are" };
        text.push_str(&format!("{resting} {is} stopped. "));
    }
    text.push_str(&match (waiting, oldest) {
        (0, _) => "Nothing waits.".to_owned(),
        (1, Some(at)) => format!("1 send waits, for {}.", words::age(now, at)),
        (_, Some(at)) => format!(
            "{} wait, the oldest for {}.",
            words::things(waiting, "send"),
            words::age(now, at)
        ),
        (_, None) => format!("{} wait for their time.", words::things(waiting, "send")),
    });
    text
}

/// What needs somebody, the most urgent first, each with its one action.
fn attention(app: &App, who: &Present, census: &Census, dead: u64, now: i64) -> Markup {
    let by_depth = |wanted: &dyn Fn(&Lane) -> bool| {
        let mut found: Vec<&Lane> = census.lanes.iter().filter(|lane| wanted(lane)).collect();
        found.sort_by_key(|lane| std::cmp::Reverse(lane.gauge.depth));
        found
    };
    let troubled = by_depth(&Lane::is_troubled);
    let held = by_depth(&|lane| lane.is_held() && !lane.is_troubled());
    let restricted = by_depth(&|lane| {
        let current = |until: Option<i64>| until.is_none_or(|until| until > now);
        lane.session
            .restrictions
            .iter()
            .any(|one| current(one.until))
    });
    let silent = census.workers.iter().filter(|one| !census.lives(app, one));
    let silent: Vec<_> = silent.collect();
    let down: Vec<_> = census.webhooks.iter().filter(|one| is_down(one)).collect();
    let suspended = census
        .organizations
        .iter()
        .filter(|one| one.suspended_at.is_some());
    let suspended: Vec<_> = suspended.collect();
    let alive = census.workers.len() > silent.len();
    let calm = alive
        && census.redis.problem.is_none()
        && troubled.is_empty()
        && held.is_empty()
        && restricted.is_empty()
        && silent.is_empty()
        && down.is_empty()
        && suspended.is_empty()
        && dead == 0;
    if calm {
        return html! { p class="calm" { "Nothing. Sessions, workers, webhooks and Redis are well." } };
    }
    let behind = |lane: &Lane| {
        html! { @if lane.gauge.depth > 0 { " · " (words::things(lane.gauge.depth, "send")) " wait" } }
    };
    html! {
        ul class="attention" {
            @if let Some(problem) = &census.redis.problem {
                li { (words::state("failed", "cross", "Redis")) div { "Redis runs, but " (problem) ": what is accepted now may not survive its end." } }
            }
            @if !alive {
                li { (words::state("failed", "cross", "no worker")) div { "Nothing is sent until one starts: " code { "gateway-worker" } } a class="button" href="/ops/workers" { "Workers" } }
            }
            @for worker in &silent {
                li { (words::state("failed", "cross", "silent")) div { "Worker " (worker.host) ", last heard of " (words::ago(now, worker.heartbeat_at)) } a class="button" href="/ops/workers" { "Workers" } }
            }
            @for lane in troubled.iter().take(MOST) {
                li {
                    (words::session_state(lane.session.status))
                    div { a class="name" href={ "/ops/sessions/" (lane.of.session) } { bdi { (label(lane)) } } (behind(lane))
                        @if let Some(error) = &lane.session.last_error { " · " span class="quiet" { bdi { (error) } } } }
                    a class="button" href={ "/ops/sessions/" (lane.of.session) } {
                        @match lane.session.status { SessionStatus::ScanQrCode | SessionStatus::LoggedOut => "Link a phone", SessionStatus::PasskeyRequired => "Passkey", _ => "Session" }
                    }
                }
            }
            @if troubled.len() > MOST { li { span {} div { (troubled.len() - MOST) " more sessions" } a class="button" href="/ops/sessions?status=troubled" { "All of them" } } }
            @for lane in held.iter().take(MOST) {
                li {
                    (words::state("held", "held", "held"))
                    div { a class="name" href={ "/ops/sessions/" (lane.of.session) } { bdi { (label(lane)) } } (behind(lane)) " · "
                        span class="quiet" { (held_words(lane, now)) } }
                    (layout::action(who, "lane.resume", "Resume lane", &[("session", lane.of.session.as_str())], None))
                }
            }
            @if held.len() > MOST { li { span {} div { (held.len() - MOST) " more lanes" } a class="button" href="/ops/queues?state=held" { "All of them" } } }
            @for lane in restricted.iter().take(MOST) {
                @for one in lane.session.restrictions.iter().take(1) {
                    li {
                        (words::state("held", "held", "restricted"))
                        div { a class="name" href={ "/ops/sessions/" (lane.of.session) } { bdi { (label(lane)) } } " · WhatsApp: " (one.kind.replace('_', " "))
                            @if let Some(until) = one.until { ", ends " (words::ahead(now, until)) } }
                        a class="button" href={ "/ops/sessions/" (lane.of.session) } { "Session" }
                    }
                }
            }
            @if dead > 0 {
                li { (words::state("failed", "cross", "dead letters")) div { (words::things(dead, "send")) " failed for good: retry or discard them" } a class="button" href="/ops/messages?status=failed" { "Look at them" } }
            }
            @for webhook in down.iter().take(MOST) {
                li {
                    @match webhook.health.state {
                        HealthState::Disabled => (words::state("held", "held", "disabled")),
                        HealthState::Ok => (words::state("failed", "cross", "dead deliveries")),
                        _ => (words::state("failed", "cross", "endpoint down")),
                    }
                    div { a class="name" href={ "/ops/webhooks/" (webhook.organization_id) "/" (webhook.id) } { bdi { (webhook.url) } }
                        @if webhook.health.dead > 0 { " · " (webhook.health.dead) " dead" }
                        @if webhook.health.held > 0 { " · " (webhook.health.held) " wait" }
                        @if let Some(error) = &webhook.health.last_error { " · " span class="quiet" { bdi { (error) } } } }
                    a class="button" href={ "/ops/webhooks/" (webhook.organization_id) "/" (webhook.id) } { "Webhook" }
                }
            }
            @for organization in &suspended {
                li { (words::state("held", "held", "suspended")) div { bdi { (organization.name) } @if let Some(at) = organization.suspended_at { " · " (words::ago(now, at)) } } a class="button" href={ "/ops/organizations/" (organization.id) } { "Tenant" } }
            }
        }
    }
}

/// A session's name for people; its id where it has none.
pub(super) fn label(lane: &Lane) -> &str {
    if lane.session.label.is_empty() {
        lane.of.session.as_str()
    } else {
        &lane.session.label
    }
}

/// By whom a lane is held, and for how long.
pub(super) fn held_words(lane: &Lane, now: i64) -> Markup {
    html! {
        @if lane.session.paused { "paused by an operator, until it is resumed" }
        @else if let Some(until) = lane.gauge.paused_until { "WhatsApp asked for a rest, it ends " (words::ahead(now, until)) }
        @else { "held" }
    }
}
