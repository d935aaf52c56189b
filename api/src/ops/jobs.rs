//! Jobs: one action on everything that matches, and how far it came.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use gateway_shared::domain::JobId;
use gateway_shared::operator::{Job, JobAction, JobState};
use maud::{Markup, html};

use super::access::Present;
use super::{Failure, layout, words};
use crate::control::jobs::MOST_COUNTED;
use crate::state::App;

/// Jobs that are listed.
const PAGE: usize = 100;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let jobs = app.operators.jobs(PAGE).await?;
    let content = html! {
        h1 { "Jobs" }
        p class="quiet" { "One action on everything that matches a filter, a hundred sends at a time. A job goes on in another process when its own ends." }
        @if jobs.is_empty() { p class="empty" { "No jobs yet. Filter messages by the status failed or queued, and act on all of them." } }
        @else {
            div class="wide" { table {
                thead { tr { th { "Job" } th { "State" } th class="n" { "Done" } th class="n" { "Skipped" } th class="n" { "Matched" } th { "Asked by" } th class="n" { "When" } } }
                tbody data-list {
                    @for job in &jobs {
                        tr data-id=(job.id) {
                            td data-label="Job" { a class="name" href={ "/ops/jobs/" (job.id) } { (title(job)) } }
                            td data-label="State" { (state(job)) }
                            td class="n" data-label="Done" { (words::count(job.progress.done)) }
                            td class="n" data-label="Skipped" { (words::count(job.progress.skipped)) }
                            td class="n" data-label="Matched" { (expected(job)) }
                            td data-label="Asked by" { bdi { (job.asked_by) } }
                            td class="n" data-label="When" { (words::ago(now, job.asked_at)) }
                        }
                    }
                }
            } }
        }
    };
    layout::page(&app, &who, "/ops/jobs", "Jobs", &content).await
}

fn title(job: &Job) -> &'static str {
    match job.action {
        JobAction::Retry => "Retry failed sends",
        JobAction::Discard => "Discard dead letters",
        JobAction::Cancel => "Cancel waiting sends",
    }
}

fn expected(job: &Job) -> String {
    let more = if job.expected == MOST_COUNTED
        && (job.filter.since.is_some() || job.filter.code.is_some())
    {
        "+"
    } else {
        ""
    };
    format!("{}{more}", words::count(job.expected))
}

fn state(job: &Job) -> Markup {
    match job.state {
        JobState::Running => words::state("sending", "half", "running"),
        JobState::Stopped => words::state("held", "held", "stopped"),
        JobState::Done => words::state("done", "tick", "done"),
    }
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Present>,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    let now = app.now();
    let missing = || Failure::missing("job");
    let id: JobId = id.parse().map_err(|_| missing())?;
    let job = app.operators.job(&id).await?.ok_or_else(missing)?;
    let progress = &job.progress;
    let looked = progress.done + progress.skipped;
    let whole = job.expected.max(looked).max(1);
    let took = job.updated_at.saturating_sub(job.asked_at);
    let filter = &job.filter;
    let content = html! {
        p class="crumb" { a href="/ops/jobs" { "Jobs" } }
        div class="titled" {
            h1 { (title(&job)) }
            div class="actions" { @if job.state == JobState::Running { (layout::action(&who, "job.stop", "Stop this job", &[("job", job.id.as_str())], None)) } }
        }
        p class="summary" { (state(&job)) " "
            (words::count(progress.done)) " done" @if progress.skipped > 0 { ", " (words::count(progress.skipped)) " skipped" } " of " (expected(&job)) " that matched, in " (words::span(took)) "."
        }
        progress max=(whole) value=(if job.state == JobState::Done { whole } else { looked }) aria-label="Progress of the job" { (looked * 100 / whole) " %" }
        @if !progress.reasons.is_empty() {
            section aria-labelledby="skipped" {
                h2 id="skipped" { "Why some were skipped" }
                dl class="facts" { @for (reason, number) in &progress.reasons { dt { (reason.replace('_', " ")) } dd { (words::things(*number, "send")) } } }
            }
        }
        section aria-labelledby="filter" {
            h2 id="filter" { "What it is about" }
            dl class="facts" {
                dt { "Tenant" } dd { @match &filter.organization { Some(id) => (words::id(id.as_str())), None => "all" } }
                dt { "Session" } dd { @match &filter.session { Some(id) => { a href={ "/ops/sessions/" (id) } { (id) } }, None => "all" } }
                dt { "Accepted since" } dd { @match filter.since { Some(at) => (words::ago(now, at)), None => "any time" } }
                dt { "Failed with" } dd { @match &filter.code { Some(code) => code { (code) }, None => "any code" } }
                dt { "Asked by" } dd { bdi { (job.asked_by) } ", " (words::ago(now, job.asked_at)) }
                dt { "Last step" } dd { (words::ago(now, job.updated_at)) }
                dt { "Job" } dd { (words::id(job.id.as_str())) }
            }
        }
    };
    layout::page(&app, &who, "/ops/jobs", "Job", &content).await
}
